"""`make accept` on an emulator that enforces IAM, so that an update's order of rights and needs counts.

It runs through, and leaves nothing, whenever it is interrupted.
"""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from permissions import Endpoints

from dev.accept.claims import CLAIMS
from dev.accept.run import Status
from dev.paths import PROJECT

pytestmark = pytest.mark.extended

MOMENTS = [
    "The template deploys",
    "A changed setting refuses",
    "A key that is set",
    "A FIFO duplicate",
    "A deleted stack leaves",
]


def start(iam_emulator: Endpoints, page: Path) -> "subprocess.Popen[str]":
    program = [sys.executable, "-m", "dev", "accept", "--on", iam_emulator.tls.endpoint, "--page", str(page)]
    return subprocess.Popen(program, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def left(iam_emulator: Endpoints) -> list[str]:
    """All that there is of any run."""
    client = iam_emulator.tls.client
    stacks = client("cloudformation").describe_stacks()["Stacks"]
    names = [each["StackName"] for each in stacks if each["StackStatus"] != "DELETE_COMPLETE"]
    names += [url.rpartition("/")[2] for url in client("sqs").list_queues().get("QueueUrls", [])]
    names += [each["Name"] for each in client("s3").list_buckets()["Buckets"]]
    names += [each["Name"] for each in client("secretsmanager").list_secrets()["SecretList"]]
    names += [each["FunctionName"] for each in client("lambda").list_functions()["Functions"]]
    return [name for name in names if name.startswith("labelbox-relay-accept-")]


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_run_leaves_nothing(iam_emulator: Endpoints, tmp_path: Path, moment: str) -> None:
    run = start(iam_emulator, tmp_path / "page.md")
    assert run.stderr is not None
    for line in run.stderr:
        if line.startswith(moment):
            run.send_signal(signal.SIGINT)
            break
    out, err = run.communicate(timeout=120)
    assert run.returncode == 130, out + err
    assert left(iam_emulator) == []
    assert not (tmp_path / "page.md").exists(), "a page would look like a whole run"


def test_a_run_says_of_each_claim_what_was_shown_and_what_the_emulator_cannot_show(
    iam_emulator: Endpoints, tmp_path: Path
) -> None:
    run = start(iam_emulator, tmp_path / "page.md")
    out, err = run.communicate(timeout=400)
    assert run.returncode == 0, out + err
    assert left(iam_emulator) == []
    page = (tmp_path / "page.md").read_text()
    status = dict(re.findall(r"^\| (.+?) \| (\S.*?) \| .+ \|$", page, re.MULTILINE)[1:])
    assert status.keys() == {claim for claim, _ in CLAIMS}
    assert status["A deleted stack leaves what holds events or secrets, and nothing else"] == Status.SHOWN
    assert status["Without a right to its queue an event spills"] == Status.SHOWN
    assert status["Cold starts at 128, 256 and 512 MB"] == Status.NOT_SHOWN
    assert re.findall(r" events, (\d+) spilled", page) == ["0"] * 7, "one update each, three of the key, and back"
