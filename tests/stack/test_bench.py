"""The harness of `make bench`, with debug builds: that it measures, not how fast anything is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dev.paths import PROJECT

pytestmark = pytest.mark.extended

PAGE = "# A page\n\n<!-- figures: written by `make bench` -->\nold figures\n<!-- end of figures -->\n\nThe end\n"
SIZES = ("2 KB", "64 KB", "900 KB", "4.3 MB")

# Calls `receive` as Lambda does, in as little as that takes.
RUNTIME = f"""#!{sys.executable}
import http.client, json, os, sys
sys.path.insert(0, "{PROJECT / "bench" / "peers" / "python"}")
{{imports}}
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    return api.getresponse().read()
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


def bench(relayctl: Path, relay: Path | None, *options: str | Path) -> "subprocess.CompletedProcess[str]":
    folder = relayctl.parent
    programs = ["--floor", folder / "floor", "--relay", relay or folder / "labelbox-relay", "--project", PROJECT]
    program = [folder / "bench", *programs, "--rounds", "2", *options]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_measures_everything_and_writes_the_figures(relayctl: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    peer = script(tmp_path / "bootstrap", PEER)
    done = bench(relayctl, None, "--peer", f"Python={peer}", "--tolerance", "1000", "--write", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("# A page\n") and text.endswith("<!-- end of figures -->\n\nThe end\n")
    assert "old figures" not in text
    rows = [[cell.strip() for cell in line.split("|")][1:-1] for line in text.splitlines()]
    ratios = {cells[0]: cells[1:] for cells in rows if len(cells) == 3}
    medians = {cells[0]: cells[1:] for cells in rows if len(cells) == 4}  # the later table replaces that of the targets
    for name in (
        *(f"cold start to the first answer, {host}" for host in ("addresses", "names")),
        *(f"CPU of a warm event, {size}, {mode}" for size in SIZES for mode in ("rested", "hot")),
        *(f"peak memory, {size}" for size in SIZES),
    ):
        # SQS takes no message of 4.3 MB, and the peer has no bucket.
        programs = 2 if "4.3 MB" in name else 3
        for cell in ratios[name][: programs - 1]:
            median, lower, upper = map(float, re.findall(r"[\d.]+", cell))
            assert 0 < lower <= median <= upper, (name, cell)
        assert all(float(cell) > 0 for cell in medians[name][:programs]), (name, medians[name])
        assert ratios[name][programs - 1 :] == medians[name][programs:] == ["fails"] * (3 - programs), name
    assert len(re.findall("<circle", page.with_suffix(".svg").read_text())) == 11  # three times four sizes, but one


def test_writes_nothing_if_the_halves_of_a_run_differ(relayctl: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    done = bench(relayctl, None, "--tolerance", "0", "--write", page)
    assert done.returncode != 0
    assert "this machine is too noisy" in done.stderr
    assert page.read_text() == PAGE and not page.with_suffix(".svg").exists()


def test_reports_a_program_that_queues_nothing(relayctl: Path, tmp_path: Path) -> None:
    done = bench(relayctl, script(tmp_path / "bootstrap", IDLER))
    assert done.returncode != 0
    assert "0 secrets were fetched" in done.stderr


def test_reports_a_missing_program(relayctl: Path) -> None:
    done = bench(relayctl, Path("/nowhere/relay"))
    assert done.returncode != 0
    assert "relay is missing" in done.stderr
