"""`make accept` on the emulator: it runs through, and leaves nothing, whenever it is interrupted."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dev.accept.claims import CLAIMS
from dev.accept.run import Status
from dev.emulator import Emulator
from dev.paths import PROJECT

pytestmark = pytest.mark.extended

MOMENTS = [
    "The template deploys",
    "A changed setting refuses",
    "A key that is set",
    "A FIFO duplicate",
    "A deleted stack leaves",
]


def start(running: Emulator, page: Path) -> "subprocess.Popen[str]":
    program = [sys.executable, "-m", "dev", "accept", "--on", running.endpoint, "--page", str(page)]
    return subprocess.Popen(program, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def left(running: Emulator) -> list[str]:
    """All that there is of any run."""
    stacks = running.client("cloudformation").describe_stacks()["Stacks"]
    names = [each["StackName"] for each in stacks if each["StackStatus"] != "DELETE_COMPLETE"]
    names += [url.rpartition("/")[2] for url in running.client("sqs").list_queues().get("QueueUrls", [])]
    names += [each["Name"] for each in running.client("s3").list_buckets()["Buckets"]]
    names += [each["Name"] for each in running.client("secretsmanager").list_secrets()["SecretList"]]
    names += [each["FunctionName"] for each in running.client("lambda").list_functions()["Functions"]]
    return [name for name in names if name.startswith("labelbox-relay-accept-")]


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_run_leaves_nothing(running: Emulator, tmp_path: Path, moment: str) -> None:
    run = start(running, tmp_path / "page.md")
    assert run.stderr is not None
    for line in run.stderr:
        if line.startswith(moment):
            run.send_signal(signal.SIGINT)
            break
    out, err = run.communicate(timeout=120)
    assert run.returncode == 130, out + err
    assert left(running) == []
    assert not (tmp_path / "page.md").exists(), "a page would look like a whole run"


def test_a_run_says_of_each_claim_what_was_shown_and_what_the_emulator_cannot_show(
    running: Emulator, tmp_path: Path
) -> None:
    run = start(running, tmp_path / "page.md")
    out, err = run.communicate(timeout=400)
    assert run.returncode == 0, out + err
    assert left(running) == []
    rows = re.findall(r"^\| (.+?) \| (\S.*?) \| (.+) \|$", (tmp_path / "page.md").read_text(), re.MULTILINE)
    status = {claim: status for claim, status, _ in rows if claim not in ("claim", "---")}
    assert status.keys() == {claim for claim, _ in CLAIMS}
    assert status["A deleted stack leaves what holds events or secrets, and nothing else"] == Status.SHOWN
    assert status["Cold starts at 128, 256 and 512 MB"] == Status.NOT_SHOWN
