"""The fuzz targets, one after the other: inputs go to the oracles of tests/fuzzed, and a table says what it came to."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from local import environment, processes, report
from local.places import LOCAL, PROJECT, TOOLS, Instance
from local.progress import Step, step
from local.report import Row

FUZZ = PROJECT / "fuzz"
# Our crates hold no unsafe code; without a sanitizer, inputs are played twice as fast.
_OPTIONS = ["--sanitizer", "none"]
# Larger ones are slower and find no more: no limit of the relay is beyond it. One that takes 10 s hangs.
_LIMITS = ["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048"]
# cargo-fuzz ends with 1 when an input failed.
_PLAYED = (0, 1)
_COLUMNS = ("target", "minutes", "executions", "edges", "features", "inputs kept")


def targets() -> list[str]:
    """Each file in fuzz/fuzz_targets is one."""
    return sorted(path.stem for path in (FUZZ / "fuzz_targets").glob("*.rs"))


def run(minutes: float, names: Iterable[str], keep: bool) -> bool:
    """Plays to each target for so long. Keeps what reached more than the seeds, if wanted. True if none failed."""
    with Instance("fuzz").claim() as instance:
        instance.prepare()
        with step("Building the targets, instrumented") as this:
            _cargo_fuzz(instance, "build", ["build", *_OPTIONS], this)
        rows = []
        for name in names:
            with step(f"Playing to {name} for {minutes:g} minutes") as this:
                rows.append(_play(instance, name, minutes, this))
            if keep:
                with step(f"Keeping what reaches more of {name}") as this:
                    _keep(instance, name, this)
        report.show("What was played", _COLUMNS, rows)
        failed = any(row.wrong for row in rows)
        if failed:
            report.tell("`cargo test --test fuzzed` now plays what failed, and says how. Commit it with what mends it.")
        return not failed


def _play(instance: Instance, name: str, minutes: float, this: Step) -> Row:
    failures = FUZZ / "failures" / name
    failures.mkdir(parents=True, exist_ok=True)
    arguments = [
        *_LIMITS,
        f"-max_total_time={minutes * 60:.0f}",
        f"-dict={FUZZ / 'dictionaries' / name}.dict",
        f"-artifact_prefix={failures}/",
        "-print_final_stats=1",
    ]
    _cargo_fuzz(instance, name, ["run", *_OPTIONS, name, *_folders(name), "--", *arguments], this)
    log = instance.log(name).read_text(errors="replace")
    wrong = [str(Path(path).relative_to(PROJECT)) for path in re.findall(r"Test unit written to (\S+)", log)]
    if not wrong and not any(failures.iterdir()):
        failures.rmdir()
    cells = _cells(name, minutes, log)
    if cells is None and not wrong:
        raise processes.Failed(f"{name} did not run to its end", instance.log(name))
    return Row(cells or (name,), wrong)


def _cells(name: str, minutes: float, log: str) -> tuple[str, ...] | None:
    """What the last lines of libFuzzer say; nothing, when it ended without them."""
    status = re.findall(r"^#\d+\s.* cov: (\d+) ft: (\d+) corp: (\d+)/", log, re.MULTILINE)
    executions = re.search(r"^stat::number_of_executed_units:\s*(\d+)", log, re.MULTILINE)
    if not status or executions is None:
        return None
    edges, features, inputs = (f"{int(number):,}" for number in status[-1])
    return name, f"{minutes:g}", f"{int(executions[1]):,}", edges, features, inputs


def _keep(instance: Instance, name: str, this: Step) -> None:
    """What reaches an edge that no seed reaches becomes the corpus of the target, as few and small as that can be."""
    merged, corpus = instance.folder / "merged" / name, FUZZ / "corpus" / name
    shutil.rmtree(merged, ignore_errors=True)
    shutil.copytree(FUZZ / "seeds" / name, merged)
    arguments = ["-set_cover_merge=1", "-use_counters=0", *_LIMITS, "-max_len=1024"]
    folders = [str(merged), *_folders(name)]
    _cargo_fuzz(instance, f"{name}-merge", ["run", *_OPTIONS, name, *folders, "--", *arguments], this)
    seeds = {path.name for path in (FUZZ / "seeds" / name).iterdir()}
    kept = [path for path in merged.iterdir() if path.name not in seeds]
    shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True)
    for path in kept:
        shutil.copy(path, corpus)


def _folders(name: str) -> list[str]:
    """Where inputs are; the first folder gets the new ones, and is nobody's business."""
    found = LOCAL / "fuzz" / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    stored = [FUZZ / kind / name for kind in ("corpus", "seeds", "failures")]
    return [str(found), *(str(folder) for folder in stored if folder.is_dir())]


def _cargo_fuzz(instance: Instance, log: str, arguments: list[str], this: Step) -> None:
    program = [str(TOOLS.parent / "cargo" / "bin" / "cargo-fuzz"), "fuzz", *arguments]
    settings = environment.for_building(instance, quick=False) | {"RUSTUP_TOOLCHAIN": "nightly"}
    path = instance.log(log)
    good = (0,) if arguments[0] == "build" else _PLAYED
    processes.run("cargo fuzz", program, settings, path, lambda: this.say(_last_line(path)), good)


def _last_line(log: Path) -> str:
    """How far it is."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "")[:100]
