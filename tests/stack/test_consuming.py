"""docs/consuming.md, typed in: every command, in the order of the document."""

import contextlib
import io
import os
import re
import shlex
from pathlib import Path

import pytest
from conftest import Deploy
from consumers import DOCUMENT, Node
from operator_shell import Shell

from dev import environment, processes, standing
from dev.places import PROJECT, TOOLS
from dev.samples import load
from dev.stack import Stack

pytestmark = pytest.mark.long

MADE = "label#cm8d4iojw07ap0y6ob7zgj685 LABEL_CREATED 2025-03-17T13:51:59.000Z "
"""What the document says that the first consumer prints."""


def blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def stack(deployed: Deploy) -> Stack:
    return deployed("consumed")


@pytest.fixture
def shell(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The project's folder, with a `make` that prints what `make` prints of the local deployment, for this stack."""
    emulator = stack.emulator
    Node.build(emulator.instance)
    machine = environment.for_building(emulator.instance, quick=False)
    build = ["cargo", "build", "--example", "consumer"]  # what `cargo run` builds, for as long as it takes
    processes.run("cargo build", build, machine, emulator.instance.log("build-consumer"))
    monkeypatch.setattr(standing, "_stack", lambda: stack)
    monkeypatch.setattr(standing, "_INSTANCE", emulator.instance)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        standing.settings()
    (tmp_path / "environment").write_text(printed.getvalue())
    curl = standing._curl(stack, load()[0])
    make = f"""#!/bin/sh -e
        grep -q "^$1: " Makefile
        case $1 in
            up) {curl} ;;
            environment) cat {shlex.quote(str(tmp_path / "environment"))} ;;
            *) exit 1 ;;
        esac"""
    (tmp_path / "make").write_text(make)
    (tmp_path / "make").chmod(0o755)
    standing.install_tools(tmp_path, Path("/nonexistent"))
    for program in ("node", "npm"):
        (tmp_path / program).symlink_to(TOOLS / program)
    path = machine["PATH"].removeprefix(f"{TOOLS}{os.pathsep}")
    return Shell(PROJECT, {**machine, "PATH": f"{tmp_path}{os.pathsep}{path}"})


def test_what_is_written_can_be_typed(shell: Shell, stack: Stack) -> None:
    assert len(blocks()) == 2, "the commands to try it, and the one to find the queue's ARN"
    done = shell.run("".join(blocks()))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert MADE in DOCUMENT.read_text()
    lines = [line for line in done.stdout.splitlines() if line.startswith("label#")]
    assert len(lines) == 1, "one consumer prints the event, the others find nothing more"
    assert lines[0].startswith(MADE) and lines[0].endswith(": 2612 bytes")
    assert stack.count()["label"] == 0
    [arn] = re.findall(r'"QueueArn": "(.*)"', done.stdout)
    assert arn.endswith(":" + stack.queue_url("label").rpartition("/")[2])
