"""docs/operating.md, typed in: every command of every section, in the order of the document."""

import re
from collections.abc import Iterator
from pathlib import Path

import labelbox_api
import pytest
from conftest import Deploy
from operator_shell import Shell

from dev.places import PROJECT
from dev.stack import Stack

pytestmark = pytest.mark.long

DOCUMENT = PROJECT / "docs" / "operating.md"
OTHER_WORDS = {"relayctl webhook create ": "relayctl webhook create --allow-local "}
"""What cannot be typed as it stands: Labelbox could not reach the emulator, and the tool would say so."""


def sections() -> dict[str, str]:
    """What is to be typed in each section. A section of an alarm begins with what is said above all of them."""
    typed: dict[str, str] = {}
    above = ""
    for mark, heading, text in re.findall(
        r"^(#+) (.*)\n((?:(?!^#+ ).*\n?)*)", DOCUMENT.read_text(), flags=re.MULTILINE
    ):
        blocks = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
        above = "".join(blocks) if mark == "##" else above
        if blocks:
            typed[heading] = (above if mark == "###" else "") + "".join(blocks)
    return typed


@pytest.fixture(scope="module")
def labelbox() -> Iterator[labelbox_api.Api]:
    with labelbox_api.serve() as api:
        yield api


@pytest.fixture(scope="module")
def stack(deployed: Deploy) -> Stack:
    return deployed("operated", put_secret=False)


@pytest.fixture(scope="module")
def shell(stack: Stack, labelbox: labelbox_api.Api, relayctl: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell.open(
        tmp_path_factory.mktemp("operator"),
        stack,
        relayctl,
        LABELBOX_API_URL=labelbox.url,
        LABELBOX_API_KEY=labelbox_api.KEY,
        OLD_WEBHOOK=labelbox.add("https://old.example.com/", ["LABEL_CREATED"]),
        WEBHOOK=labelbox.add("https://last.example.com/", ["LABEL_CREATED"]),
        PROJECT=labelbox_api.PROJECT,
        CONSUMER_ACCOUNT="123456789012",
    )


def test_the_document_has_the_sections_that_a_reader_looks_for() -> None:
    wanted = {"Deploy", "Upgrade", "Rotate the secret", "Add a webhook or a topic", "Somebody else's consumer"}
    assert wanted | {"Restrict addresses", "What each alarm means", "Take it down"} <= sections().keys()
    assert list(sections())[-1] == "Take it down"


@pytest.mark.parametrize("section", sections())
def test_what_is_written_can_be_typed(shell: Shell, stack: Stack, section: str) -> None:
    script = sections()[section]
    for written, typed in OTHER_WORDS.items():
        script = script.replace(written, typed)
    # The name that the document sets is that of an example.
    script = script.replace("export RELAY_STACK=labelbox-relay\n", "")
    done = shell.run(script)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_what_was_typed_has_been_done(shell: Shell, stack: Stack, labelbox: labelbox_api.Api) -> None:
    """After the last section, nothing is left of the stack, and Labelbox sends to nobody who has gone."""
    emulator = stack.emulator
    stacks = emulator.client("cloudformation").list_stacks()["StackSummaries"]
    assert stack.name not in [each["StackName"] for each in stacks if "DELETE" not in each["StackStatus"]]
    roles = [role["RoleName"] for role in emulator.client("iam").list_roles()["Roles"]]
    assert f"{stack.name}-label-consumer" in roles
    queues = emulator.client("sqs").list_queues(QueueNamePrefix=f"{stack.name}-").get("QueueUrls", [])
    assert queues == [], "neither the old queues nor the new ones"
    assert "DeletedDate" in emulator.client("secretsmanager").describe_secret(SecretId=stack.outputs["SecretArn"])
    status = {webhook["id"]: webhook["status"] for webhook in labelbox.webhooks}
    assert [status[shell.variables[name]] for name in ("OLD_WEBHOOK", "WEBHOOK")] == ["INACTIVE", "INACTIVE"]
