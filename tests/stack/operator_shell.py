"""A shell with `relayctl`, `aws` and `make` that can reach the emulator and nothing else."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dev import aws, build, emulator_patches, environment
from dev.emulator import Emulator
from dev.lifecycle import install_tools, tool_variables
from dev.paths import PROJECT, Instance
from dev.stack import Stack

_DEFAULTS = "\n" * 60
"""Accepts every default that SAM offers."""


@dataclass(frozen=True)
class Shell:
    """The working folder and the environment."""

    folder: Path
    variables: dict[str, str]

    @classmethod
    def open(cls, folder: Path, stack: Stack, relayctl: Path, **variables: str) -> "Shell":
        programs = folder / "bin"
        install_tools(programs, relayctl)
        _write_make(programs / "make", stack)
        # Something to `git pull` from, and the clone that does.
        identity = "-c user.name=somebody -c user.email=somebody@example.com"
        script = f"""git init --quiet --initial-branch=main origin
            git -C origin {identity} commit --quiet --allow-empty --message=first
            git clone --quiet origin clone"""
        subprocess.run(["sh", "-ec", script], cwd=folder, check=True, capture_output=True)
        (folder / "clone" / "examples").symlink_to(PROJECT / "examples")
        settings = environment.for_emulator(stack.emulator.instance, stack.emulator.endpoint) | tool_variables(stack)
        path = f"{programs}{os.pathsep}{settings['PATH']}"
        return cls(folder / "clone", {**settings, "PATH": path, "AWS_PAGER": "", **variables})

    def run(self, script: str) -> "subprocess.CompletedProcess[str]":
        """Runs a script until a command fails."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.variables,
            input=_DEFAULTS,
            capture_output=True,
            text=True,
            timeout=300,
        )


def _write_make(path: Path, stack: Stack) -> None:
    """Writes a `make` that knows `make deploy`, and deploys the tests' build instead of a release for AWS."""
    template = stack.emulator.instance.build / "template.yaml"
    words = [sys.executable, str(Path(__file__)), environment.host_architecture(), str(template)]
    path.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(PROJECT))} exec {shlex.join(words)} "$@"\n')
    path.chmod(0o755)


def main() -> None:
    architecture, template, target, *words = sys.argv[1:]
    variables = dict(word.split("=", 1) for word in words)
    assert target == "deploy" and variables["ARCH"] == "arm64"
    parameters = dict(word.split("=", 1) for word in shlex.split(variables.get("PARAMETERS", "")))
    program = [*build.SAM, "deploy", "--template-file", template, *aws.arguments(architecture, parameters)]
    subprocess.run(program, check=True)
    emulator = Emulator(Instance("guide"), os.environ["AWS_ENDPOINT_URL"])
    emulator_patches.patch_stack(Stack.find(emulator, os.environ["RELAY_STACK"]))
    aws.protect(os.environ["RELAY_STACK"], os.environ)


if __name__ == "__main__":
    main()
