"""Runs the fuzz targets in parallel and prints a table of the results."""

import base64
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from dev import cargo_tools, environment, processes
from dev.output import Row, Step, show, step
from dev.paths import LOCAL, PROJECT, Instance

_FUZZ = PROJECT / "fuzz"
# The crates have no unsafe code; without a sanitizer, fuzzing is twice as fast.
_OPTIONS = ["--sanitizer", "none"]
# Larger inputs are slower and reach nothing more: no limit of the relay is beyond 4 KB.
_LIMITS = ["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048"]
_FINISHED = (0, 1)
"""cargo-fuzz ends with 1 if an input failed."""


def targets() -> list[str]:
    return sorted(path.stem for path in (_FUZZ / "fuzz_targets").glob("*.rs"))


def run(minutes: float, names: Sequence[str], keep: bool) -> bool:
    """Fuzzes all targets for so long, and returns whether no input failed. `keep` adds new inputs to the corpus."""
    with Instance("fuzz").claim() as instance:
        with step("Building the instrumented targets") as this:
            _run(instance, "build", ["build", *_OPTIONS], this)
        with step(f"Fuzzing {', '.join(names)} for {minutes:g} minutes") as this:
            _fuzz(instance, names, minutes, this)
        rows = [_result(instance, name) for name in names]
        for name in names if keep else ():
            with step(f"Minimizing the corpus of {name}") as this:
                _keep(instance, name, this)
    show("Results", ("target", "executions", "edges", "features", "inputs"), rows)
    failed = any(row.errors for row in rows)
    if failed:
        print("`cargo test --test fuzzed` now runs the failed inputs. Commit them with the fix.")
    return not failed


def _fuzz(instance: Instance, names: Sequence[str], minutes: float, this: Step) -> None:
    running: dict[str, processes.Process] = {}
    try:
        for name in names:
            _failures(name).mkdir(parents=True, exist_ok=True)
            options = [
                *(*_LIMITS, f"-max_total_time={minutes * 60:.0f}", f"-dict={_FUZZ / 'dictionaries' / name}.dict"),
                *(f"-artifact_prefix={_failures(name)}/", "-print_final_stats=1"),
            ]
            program = _command("run", *_OPTIONS, name, *_folders(instance, name), "--", *options)
            running[name] = processes.start(program, _settings(instance), instance.log(name))
        while any(process.poll() is None for process in running.values()):
            for name in names:
                this.update(f"{name}: {processes.last_line(instance.log(name))}")
            time.sleep(1)
    finally:
        for process in running.values():
            processes.stop(process)
    for name, process in running.items():
        if process.returncode not in _FINISHED:
            raise processes.Failed(f"cargo fuzz ended with status {process.returncode}", instance.log(name))


def _result(instance: Instance, name: str) -> Row:
    """Reads libFuzzer's last lines."""
    log = instance.log(name).read_text(errors="replace")
    failed = [str(Path(path).relative_to(PROJECT)) for path in re.findall(r"Test unit written to (\S+)", log)]
    if not failed and not any(_failures(name).iterdir()):
        _failures(name).rmdir()
    status = re.findall(r"^#\d+\s.* cov: (\d+) ft: (\d+) corp: (\d+)/", log, re.MULTILINE)
    executions = re.search(r"^stat::number_of_executed_units:\s*(\d+)", log, re.MULTILINE)
    if status and executions:
        return Row((name, *(f"{int(number):,}" for number in (executions[1], *status[-1]))), failed)
    if not failed:
        raise processes.Failed(f"{name} did not run to its end", instance.log(name))
    return Row((name,), failed)


def _keep(instance: Instance, name: str, this: Step) -> None:
    """Replaces the corpus by the fewest and smallest inputs that reach edges which no seed reaches."""
    merged = instance.folder / "merged" / name
    shutil.rmtree(merged, ignore_errors=True)
    shutil.copytree(_FUZZ / "seeds" / name, merged)
    options = ["-set_cover_merge=1", "-use_counters=0", *_LIMITS, "-max_len=1024"]
    arguments = ["run", *_OPTIONS, name, str(merged), *_folders(instance, name), "--", *options]
    _run(instance, f"{name}-merge", arguments, this)
    seeds = {path.name for path in (_FUZZ / "seeds" / name).iterdir()}
    kept = sorted(path.read_bytes() for path in merged.iterdir() if path.name not in seeds)
    _corpus(name).write_text("".join(f"{base64.b64encode(content).decode()}\n" for content in kept))


def _run(instance: Instance, title: str, arguments: list[str], this: Step) -> None:
    log = instance.log(title)
    program = _command(*arguments)
    processes.run("cargo fuzz", program, _settings(instance), log, lambda: this.update(processes.last_line(log)))


def _folders(instance: Instance, name: str) -> list[str]:
    """Returns the folders with inputs. libFuzzer writes new ones into the first."""
    found = LOCAL / "fuzz" / "corpus" / name
    unpacked = instance.folder / "unpacked" / name
    for folder in (found, unpacked):
        folder.mkdir(parents=True, exist_ok=True)
    if _corpus(name).exists():
        for number, line in enumerate(_corpus(name).read_text().splitlines()):
            (unpacked / str(number)).write_bytes(base64.b64decode(line))
    return [str(folder) for folder in (found, unpacked, _FUZZ / "seeds" / name, _failures(name)) if folder.is_dir()]


def _corpus(name: str) -> Path:
    """Returns the file with one input in each line, in base64."""
    return _FUZZ / "corpus" / f"{name}.base64"


def _failures(name: str) -> Path:
    return _FUZZ / "failures" / name


def _command(*arguments: str) -> list[str]:
    return [str(cargo_tools.install("cargo-fuzz")), "fuzz", *arguments]


def _settings(instance: Instance) -> dict[str, str]:
    return environment.for_building(instance) | {"RUSTUP_TOOLCHAIN": "nightly"}
