"""The commands in the documentation, in the order of the documents."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Deploy, own_instance
from operator_shell import Shell

from dev import emulator, environment, labelbox_api, processes
from dev.demonstration import check_response
from dev.paths import EVENTS, PROJECT, TOOLS
from dev.samples import load
from dev.stack import Stack

pytestmark = pytest.mark.extended

OPERATING = PROJECT / "docs" / "operating.md"
SAMPLE = "label-created-v1"
"""The sample that events/README.md sends."""
SECONDS = 600


def commands(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def operating_sections() -> dict[str, str]:
    """Returns the commands of each section. An alarm's section begins with those above all alarms."""
    found: dict[str, str] = {}
    above = ""
    pattern = r"^(#+) (.*)\n((?:(?!^#+ ).*\n?)*)"
    for level, heading, text in re.findall(pattern, OPERATING.read_text(), flags=re.MULTILINE):
        script = "".join(commands(text))
        above = script if level == "##" else above
        if script:
            found[heading] = (above if level == "###" else "") + script
    assert list(found)[-1] == "Take it down"
    return found


@pytest.fixture(scope="module")
def labelbox() -> Iterator[labelbox_api.Api]:
    with labelbox_api.serve() as api:
        api.rows[labelbox_api.PROJECT] = []
        yield api


@pytest.fixture(scope="module")
def operated(deployed: Deploy) -> Stack:
    return deployed("operated", put_secret=False)


@pytest.fixture(scope="module")
def shell(
    operated: Stack, labelbox: labelbox_api.Api, relayctl: Path, tmp_path_factory: pytest.TempPathFactory
) -> Shell:
    return Shell.open(
        tmp_path_factory.mktemp("operator"),
        operated,
        relayctl,
        LABELBOX_API_URL=labelbox.url,
        LABELBOX_API_KEY=labelbox_api.KEY,
        OLD_WEBHOOK=labelbox.add("https://old.example.com/", ["LABEL_CREATED"]),
        WEBHOOK=labelbox.add("https://last.example.com/", ["LABEL_CREATED"]),
        PROJECT=labelbox_api.PROJECT,
        CONSUMER_ACCOUNT="123456789012",
        SECRET_ARN=operated.outputs["SecretArn"],
        BUCKET=operated.outputs["PayloadBucketName"],
    )


@pytest.mark.parametrize("section", operating_sections())
def test_operating(shell: Shell, section: str) -> None:
    script = operating_sections()[section]
    # Labelbox could not reach the emulator, and relayctl would say so.
    script = script.replace("relayctl webhook create ", "relayctl webhook create --allow-local ")
    script = script.replace("export RELAY_STACK=labelbox-relay\n", "")
    done = shell.run(script)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_operating_ends_with_nothing_left(shell: Shell, operated: Stack, labelbox: labelbox_api.Api) -> None:
    client = operated.emulator.client
    stacks = client("cloudformation").list_stacks()["StackSummaries"]
    assert operated.name not in [each["StackName"] for each in stacks if "DELETE" not in each["StackStatus"]]
    assert "DeletedDate" in client("secretsmanager").describe_secret(SecretId=operated.outputs["SecretArn"])
    status = {webhook["id"]: webhook["status"] for webhook in labelbox.webhooks}
    assert [status[shell.variables[name]] for name in ("OLD_WEBHOOK", "WEBHOOK")] == ["INACTIVE", "INACTIVE"]


@pytest.fixture
def local_shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell in the project's folder, with `make up` in an instance of its own."""
    instance, folder = own_instance("guides"), tmp_path / "programs"
    folder.mkdir()
    instance.prepare()
    for program in ("node", "npm"):
        (folder / program).symlink_to(TOOLS / program)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    variables = environment.for_building(instance) | {"PATH": path, "DEV_INSTANCE": instance.name}
    yield Shell(PROJECT, {**variables, "TMPDIR": str(folder)})
    emulator.stop(instance)


def test_consuming(local_shell: Shell) -> None:
    document = (PROJECT / "docs" / "consuming.md").read_text()
    script, number = re.subn("^make up .*", 'eval "$(make up | grep ^curl)"', commands(document)[0], flags=re.MULTILINE)
    assert number == 1
    # What `cargo run` builds, for as long as it takes.
    instance = own_instance("guides")
    build = ["cargo", "build", "--example", "consumer"]
    processes.run("cargo build", build, environment.for_building(instance), instance.log("consumer"))
    done = local_shell.run(script)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    printed = [line for line in done.stdout.splitlines() if line.startswith("label#")]
    [documented] = re.findall(r"^label#.*$", document, flags=re.MULTILINE)
    start, end = documented.split("…")
    assert len(printed) == 1 and printed[0].startswith(start) and printed[0].endswith(end)


def test_sending_samples_by_hand(local_shell: Shell, tmp_path: Path) -> None:
    section = (EVENTS / "README.md").read_text().partition("## Send a sample\n")[2].partition("\n## ")[0]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"-A 127.0.0.1 -P {probe.getsockname()[1]}"
    first, second = (script.replace("-A 127.0.0.1", address) for script in commands(section))
    assert SAMPLE in second
    log = tmp_path / "log"
    with log.open("w") as output:
        watch = subprocess.Popen(
            ["bash", "-euc", first],
            cwd=PROJECT,
            env=local_shell.variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + SECONDS
        while "starting Runtime server" not in log.read_text():
            assert watch.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        running = emulator.find(own_instance("guides"))
        assert running is not None
        stack = Stack.find(running, "labelbox-relay")
        for sample in load():
            done = local_shell.run(second.replace(SAMPLE, sample.name))
            assert done.returncode == 0, done.stderr
            response = json.loads(done.stdout)
            status, body = response["statusCode"], response["body"].encode()
            assert not check_response(stack, sample, status, body, models=()).errors
    finally:
        os.killpg(watch.pid, signal.SIGTERM)
        watch.wait()
