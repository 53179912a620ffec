"""Every sample event by hand: the commands of events/README.md, as they are written there."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import own_instance

from dev import emulator, environment, processes
from dev.demonstration import check_answer
from dev.places import EVENTS, PROJECT
from dev.samples import Sample, load
from dev.stack import Stack

pytestmark = pytest.mark.long

SHOWN = "label-created-v1"
"""The sample that the document sends."""
SECONDS = 600
"""To build the function, once for `make up` and once for cargo-lambda."""


def commands() -> list[str]:
    """What is to be typed into each of the two terminals."""
    section = re.findall(r"^## Send a sample\n(.*?)^## ", (EVENTS / "README.md").read_text(), re.DOTALL | re.MULTILINE)[
        0
    ]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Terminals:
    """Both terminals: the first is busy, and the second sends to the function that runs there."""

    stack: Stack
    variables: dict[str, str]
    second: str

    def send(self, sample: Sample) -> tuple[int, bytes]:
        assert SHOWN in self.second
        command = ["bash", "-euc", self.second.replace(SHOWN, sample.name)]
        done = subprocess.run(command, cwd=PROJECT, env=self.variables, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        return answer["statusCode"], answer["body"].encode()


@pytest.fixture(scope="module")
def terminals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminals]:
    instance, folder = own_instance("by-hand"), tmp_path_factory.mktemp("by-hand")
    instance.prepare()
    own_up = [sys.executable, str(Path(__file__).with_name("own_up.py")), instance.name]
    variables = {
        **environment.for_building(instance, quick=False),
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "MAKEFLAGS": f"TOOL={' '.join(own_up)}".replace(" ", "\\ "),
    }
    # The document has cargo-lambda's own port, which may be taken on this machine.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"-A 127.0.0.1 -P {probe.getsockname()[1]}"
    first, second = (block.replace("-A 127.0.0.1", address) for block in commands())
    log = folder / "first"
    running = processes.start(["bash", "-euc", first], variables, log)
    try:
        deadline = time.monotonic() + SECONDS
        while "starting Runtime server" not in log.read_text():
            assert running.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        started = emulator.find(instance)
        assert started is not None
        yield Terminals(Stack.find(started, "labelbox-relay"), variables, second)
    finally:
        processes.stop(running)
        emulator.stop(instance)


@pytest.mark.parametrize("sample", load(), ids=lambda sample: sample.name)
def test_a_sample_that_is_sent_by_hand_is_answered_as_its_manifest_says(terminals: Terminals, sample: Sample) -> None:
    assert not check_answer(terminals.stack, sample, *terminals.send(sample), models=()).wrong
