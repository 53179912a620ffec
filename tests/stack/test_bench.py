"""The harness of `make bench`, with programs that are quickly built: not how fast they are, but that they are measured."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from dev import build
from dev.places import PROJECT

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target")) / "debug"
PAGE = "# A page\n\n<!-- figures: written by `make bench` -->\nfigures of before\n<!-- end of figures -->\n\nThe end\n"


@pytest.fixture(scope="module")
def harness() -> Path:
    programs = [word for name in ("bench", "noop", "labelbox-relay") for word in ("--bin", name)]
    subprocess.run(["cargo", "build", "--quiet", "--locked", *build.WORKSPACE, *programs], cwd=PROJECT, check=True)
    return TARGET / "bench"


def bench(harness: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    program = [harness, "--noop", TARGET / "noop", "--project", PROJECT, "--rounds", "1", *options]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def test_a_run_measures_everything_and_writes_it_down(harness: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    ended = bench(harness, "--relay", TARGET / "labelbox-relay", "--write", page)
    assert ended.returncode == 0, ended.stderr
    written = page.read_text()
    assert written.startswith("# A page\n") and written.endswith("<!-- end of figures -->\n\nThe end\n")
    assert "figures of before" not in written
    figures = {
        cells[0]: cells[1:3]
        for line in written.splitlines()
        if len(cells := [it.strip() for it in line.split("|")][1:-1]) == 6
    }
    for what in (
        "cold start to first answer, ms",
        *(f"{size}: peak memory, MB" for size in ("2 KB", "64 KB", "900 KB", "4.3 MB")),
    ):
        assert all(float(figure) > 0 for figure in figures[what]), (what, figures[what])
    svg = page.with_suffix(".svg").read_text()
    assert len(re.findall("<circle", svg)) == 8  # two programs, four sizes


def test_a_program_that_does_not_answer_right_is_no_result(harness: Path) -> None:
    # It queues nothing, so it is not a relay, however fast it is.
    ended = bench(harness, "--relay", TARGET / "noop")
    assert ended.returncode != 0
    assert "0 secrets were fetched" in ended.stderr


def test_a_missing_program_is_named(harness: Path) -> None:
    ended = bench(harness, "--relay", "/nowhere/relay")
    assert ended.returncode != 0
    assert "the relay is missing" in ended.stderr
