"""Measuring the function beside one that does nothing and a usual one."""

import subprocess
from pathlib import Path

from dev import build, environment
from dev.output import step
from dev.paths import PROJECT, Instance

PAGE = PROJECT / "docs" / "performance.md"


def run(rounds: int, write: bool) -> bool:
    """Builds all three, measures them, and prints the figures; `write` puts them into their page, too.

    Returns whether they could be measured.
    """
    with Instance("bench").claim() as instance:
        with step("Building three functions as they would be deployed, which takes some minutes") as this:
            programs = build.build_contestants(instance, this.update)
        harness = ["cargo", "run", "--quiet", "--locked", "--profile", "bench", "--package", "bench", "--"]
        options = ["--rounds", str(rounds), "--project", str(PROJECT)]
        for name, path in programs.items():
            options += [f"--{name}", str(Path(path).resolve())]
        if write:
            options += ["--write", str(PAGE)]
        settings = environment.for_building(instance)
        return subprocess.run([*harness, *options], cwd=PROJECT, env=settings, check=False).returncode == 0
