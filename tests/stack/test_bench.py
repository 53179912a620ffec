"""The harness of `make bench`, with programs that are quickly built: not how fast they are, but that they are measured."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dev import build
from dev.places import PROJECT

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target")) / "debug"
PAGE = "# A page\n\n<!-- figures: written by `make bench` -->\nfigures of before\n<!-- end of figures -->\n\nThe end\n"
SIZES = ("2 KB", "64 KB", "900 KB", "4.3 MB")
# Calls `receive` as Lambda does, in as little as that takes.
RUNTIME = f"""#!{sys.executable}
import http.client, json, os, sys
sys.path.insert(0, "{PROJECT / "bench" / "peers" / "python"}")
{{imports}}
lambda_ = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    lambda_.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    return lambda_.getresponse().read()
while True:
    event = json.loads(call("GET", "next"))
    try:
        answer = json.dumps(receive(event, None))
    except Exception as error:
        call("POST", "1/error", json.dumps({{{{"errorMessage": str(error)}}}}))
    else:
        call("POST", "1/response", answer)
"""
PEER = RUNTIME.format(imports="from handler import receive")
IDLER = RUNTIME.format(imports="def receive(event, context): return {'statusCode': 200, 'body': ''}")


@pytest.fixture(scope="module")
def harness() -> Path:
    programs = [word for name in ("bench", "floor", "labelbox-relay") for word in ("--bin", name)]
    subprocess.run(["cargo", "build", "--quiet", "--locked", *build.WORKSPACE, *programs], cwd=PROJECT, check=True)
    return TARGET / "bench"


def bench(harness: Path, *options: str | Path, relay: Path | None = None) -> subprocess.CompletedProcess[str]:
    programs = ["--floor", TARGET / "floor", "--relay", relay or TARGET / "labelbox-relay"]
    program = [harness, *programs, "--project", PROJECT, "--rounds", "2", *options]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def rows(page: str) -> dict[str, list[list[str]]]:
    """The rows of all tables, by their first cell."""
    found: dict[str, list[list[str]]] = {}
    for line in page.splitlines():
        first, *cells = [cell.strip() for cell in line.split("|")[1:-1]] or [""]
        found.setdefault(first, []).append(cells)
    return found


def test_a_run_measures_everything_and_writes_it_down(harness: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    peer = script(tmp_path / "bootstrap", PEER)
    ended = bench(harness, "--peer", f"Python={peer}", "--tolerance", "1000", "--write", page)
    assert ended.returncode == 0, ended.stderr
    written = page.read_text()
    assert written.startswith("# A page\n") and written.endswith("<!-- end of figures -->\n\nThe end\n")
    assert "figures of before" not in written
    figures = rows(written)
    for what in (
        *(f"cold start to the first answer, {host}" for host in ("addresses", "names")),
        *(f"CPU of a warm event, {size}, {mode}" for size in SIZES for mode in ("rested", "hot")),
        *(f"peak memory, {size}" for size in SIZES),
    ):
        ratios, medians = figures[what][-2:]
        for cell in ratios[: 1 if "4.3 MB" in what else 2]:
            median, lower, upper = map(float, re.findall(r"[\d.]+", cell))
            assert 0 < lower <= median <= upper, (what, cell)
        assert all(float(cell) > 0 for cell in medians[: 2 if "4.3 MB" in what else 3]), (what, medians)
        # SQS takes no message of this size, and the peer has no bucket.
        assert (ratios[1] == medians[2] == "fails") == ("4.3 MB" in what), (what, ratios, medians)
    svg = page.with_suffix(".svg").read_text()
    assert len(re.findall("<circle", svg)) == 11  # three programs, four sizes, but one that fails


def test_a_run_whose_halves_disagree_writes_nothing(harness: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    ended = bench(harness, "--tolerance", "0", "--write", page)
    assert ended.returncode != 0
    assert "this machine is too noisy" in ended.stderr
    assert page.read_text() == PAGE and not page.with_suffix(".svg").exists()


def test_a_program_that_does_not_answer_right_is_no_result(harness: Path, tmp_path: Path) -> None:
    # It queues nothing, so it is not a relay, however fast it is.
    ended = bench(harness, relay=script(tmp_path / "bootstrap", IDLER))
    assert ended.returncode != 0
    assert "0 secrets were fetched" in ended.stderr


def test_a_missing_program_is_named(harness: Path) -> None:
    ended = bench(harness, relay=Path("/nowhere/relay"))
    assert ended.returncode != 0
    assert "relay is missing" in ended.stderr
