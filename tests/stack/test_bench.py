"""The harness of `make bench`, with debug builds: that it measures, not how fast anything is."""

import re
import subprocess
from pathlib import Path

import pytest

from dev.build import WORKSPACE, cargo
from dev.paths import PROJECT, Instance

pytestmark = pytest.mark.extended

PAGE = "# A page\n\n<!-- figures: written by `make bench` -->\nold figures\n<!-- end of figures -->\n\nThe end\n"


@pytest.fixture(scope="module")
def folder(built: tuple[Instance, Path]) -> Path:
    """Where all programs are."""
    return cargo(built[0], ["build", "--quiet", *WORKSPACE, "--bins"]) / "debug"


def bench(folder: Path, relay: str, *options: str) -> "subprocess.CompletedProcess[str]":
    programs = f"--floor {folder}/floor --relay {folder}/{relay} --peer again={folder}/floor --project {PROJECT}"
    program = [str(folder / "bench"), *programs.split(), "--rounds", "2", *options]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def test_measures_everything_and_writes_the_figures(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    done = bench(folder, "labelbox-relay", "--tolerance", "1000", "--write", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("# A page\n") and text.endswith("<!-- end of figures -->\n\nThe end\n")
    assert "old figures" not in text
    rows = {cells[0].strip(): cells[1:] for line in text.splitlines() if (cells := line.strip("|").split("|"))[1:]}
    sizes = ("2 KB", "64 KB", "900 KB", "4.3 MB")
    for name in (
        "cold start to the first answer, names",
        *(f"CPU of a warm event, {size}, rested" for size in sizes),
        *(f"peak memory, {size}" for size in (sizes[0], sizes[-1])),
    ):
        assert [float(cell) > 0 for cell in rows[name]] == [True] * 3, (name, rows[name])
    assert len(re.findall("<circle", page.with_suffix(".svg").read_text())) == 3 * len(sizes)


def test_writes_nothing_if_the_halves_of_a_run_differ(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    done = bench(folder, "labelbox-relay", "--tolerance", "0", "--write", str(page))
    assert done.returncode != 0
    assert "this machine is too noisy" in done.stderr
    assert page.read_text() == PAGE and not page.with_suffix(".svg").exists()


def test_reports_a_program_that_queues_nothing(folder: Path) -> None:
    done = bench(folder, "noop")
    assert done.returncode != 0
    assert "0 secrets were fetched" in done.stderr
