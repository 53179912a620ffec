"""docs/operating.md, typed in: every command of every section, in the order of the document."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Deploy
from local.emulator import Emulator
from local.places import PROJECT
from local.stack import Stack

from operator_shell import Shell

DOCUMENT = PROJECT / "docs" / "operating.md"


def sections() -> dict[str, str]:
    """What is to be typed in each section."""
    typed: dict[str, str] = {}
    for section in re.split(r"^#+ ", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
        if blocks:
            typed[heading] = "".join(blocks)
    return typed


@pytest.fixture(scope="module")
def shell(deployed: Deploy, relayctl: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    stack = deployed("operated")
    return Shell.open(tmp_path_factory.mktemp("operator"), stack, relayctl, CONSUMER_ACCOUNT="123456789012")
