"""A shell as an operator has it, with `relayctl`, `aws` and `make`, that can reach the emulator and nothing else."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev import aws, build, environment
from dev.places import PROJECT
from dev.stack import Stack
from dev.standing import for_tools, install_tools

_MANY_DEFAULTS = "\n" * 60
"""What somebody types who takes every default that SAM offers."""


@dataclass(frozen=True)
class Shell:
    """A folder to work in, and what the shell knows."""

    folder: Path
    variables: dict[str, str]

    @classmethod
    def open(cls, folder: Path, stack: Stack, relayctl: Path, **variables: str) -> "Shell":
        programs = folder / "bin"
        install_tools(programs, relayctl)
        _write_make(programs / "make", stack)
        _clone(folder)
        emulator = stack.emulator
        known = environment.for_emulator(emulator.instance, emulator.endpoint) | for_tools(stack)
        path = f"{programs}{os.pathsep}{known['PATH']}"
        return cls(folder / "clone", {**known, "PATH": path, "AWS_PAGER": "", **variables})

    def run(self, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Runs a script that ends with the first command that fails."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.variables, **variables},
            input=_MANY_DEFAULTS,
            capture_output=True,
            text=True,
            timeout=300,
        )


def _write_make(path: Path, stack: Stack) -> None:
    """`make deploy` as the Makefile has it, but with the function as the tests have built it, not a release for AWS."""
    template = stack.emulator.instance.build / "template.yaml"
    words = [sys.executable, str(Path(__file__)), environment.host_architecture(), str(template)]
    path.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(PROJECT))} exec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)


def _clone(folder: Path) -> None:
    """Something to `git pull` from, and the clone that does."""
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    for command in (
        ["git", "init", "--quiet", "--initial-branch=main", "origin"],
        ["git", "-C", "origin", *identity, "commit", "--quiet", "--allow-empty", "--message=first"],
        ["git", "clone", "--quiet", "origin", "clone"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def main() -> None:
    """Stands in for make: the target has to be in the Makefile, and what it runs is what that runs."""
    architecture, template, target, *given = sys.argv[1:]
    variables: Mapping[str, str] = dict(word.split("=", 1) for word in given)
    assert target == "deploy" and variables["ARCH"] == "arm64", "this is all that the document says"
    makefile = (PROJECT / "Makefile").read_text()
    assert "dev deploy $(ARCH) $(if $(PARAMETERS),--set $(PARAMETERS))" in makefile
    parameters = dict(word.split("=", 1) for word in shlex.split(variables.get("PARAMETERS", "")))
    program = [*build.SAM, "deploy", "--template-file", template, *aws.arguments(architecture, parameters)]
    subprocess.run(program, check=True)
    aws.protect(os.environ["RELAY_STACK"], os.environ)


if __name__ == "__main__":
    main()
