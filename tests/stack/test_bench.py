"""The harness of `make bench`, with debug builds: that it measures, not how fast anything is."""

import re
import subprocess
from pathlib import Path

import pytest

from dev.paths import PROJECT

pytestmark = pytest.mark.extended

PAGE = "# A page\n\n<!-- figures: written by `make bench` -->\nold figures\n<!-- end of figures -->\n\nThe end\n"


def bench(relayctl: Path, relay: str, *options: str | Path) -> "subprocess.CompletedProcess[str]":
    folder = relayctl.parent
    program: list[str | Path] = [
        folder / "bench",
        "--noop",
        folder / "noop",
        "--relay",
        folder / relay,
        "--project",
        PROJECT,
    ]
    return subprocess.run([*program, "--rounds", "1", *options], capture_output=True, text=True, check=False)


def test_measures_everything_and_writes_the_figures(relayctl: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    done = bench(relayctl, "labelbox-relay", "--write", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("# A page\n") and text.endswith("<!-- end of figures -->\n\nThe end\n")
    assert "old figures" not in text
    rows = [[cell.strip() for cell in line.split("|")][1:-1] for line in text.splitlines()]
    figures = {cells[0]: cells[1:3] for cells in rows if len(cells) == 6}
    sizes = ("2 KB", "64 KB", "900 KB", "4.3 MB")
    for name in ("cold start to first answer, ms", *(f"{size}: peak memory, MB" for size in sizes)):
        assert all(float(figure) > 0 for figure in figures[name]), (name, figures[name])
    assert len(re.findall("<circle", page.with_suffix(".svg").read_text())) == 8  # two programs, four sizes


@pytest.mark.parametrize(
    ("relay", "error"), [("noop", "0 secrets were fetched"), ("no-such-program", "the relay is missing")]
)
def test_reports_a_program_that_is_not_the_relay(relayctl: Path, relay: str, error: str) -> None:
    done = bench(relayctl, relay)
    assert done.returncode != 0
    assert error in done.stderr
