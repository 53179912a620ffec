"""The fuzz targets, side by side: inputs go to the oracles of tests/fuzzed, and a table says what it came to."""

import base64
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from dev import cargo_tools, environment, processes, report
from dev.places import LOCAL, PROJECT, Instance
from dev.progress import Step, step
from dev.report import Row

FUZZ = PROJECT / "fuzz"
# Our crates hold no unsafe code; without a sanitizer, inputs are played twice as fast.
_OPTIONS = ["--sanitizer", "none"]
# Larger ones are slower and find no more: no limit of the relay is beyond it. One that takes 10 s hangs.
_LIMITS = ["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048"]
# cargo-fuzz ends with 1 when an input failed.
_PLAYED = (0, 1)
_COLUMNS = ("target", "minutes of CPU", "executions", "edges", "features", "inputs kept")
_LOOK_EVERY_SECONDS = 1


def targets() -> list[str]:
    """Each file in fuzz/fuzz_targets is one."""
    return sorted(path.stem for path in (FUZZ / "fuzz_targets").glob("*.rs"))


def run(minutes: float, names: Sequence[str], keep: bool) -> bool:
    """Plays to all targets at once for so long by the clock. Keeps what reached more than the seeds, if wanted.

    They share the machine's cores, so the table has the time that each really had. True if no input failed.
    """
    with Instance("fuzz").claim() as instance:
        instance.prepare()
        with step("Building the targets, instrumented") as this:
            build = _command("build", *_OPTIONS)
            log = instance.log("build")
            processes.run("cargo fuzz", build, _settings(instance), log, lambda: this.say(processes.last_line(log)))
        with step(f"Playing to {', '.join(names)} for {minutes:g} minutes") as this:
            seconds = _play(instance, names, minutes, this)
        rows = [_judge(instance, name, seconds[name]) for name in names]
        for name in names if keep else ():
            with step(f"Keeping what reaches more of {name}") as this:
                _keep(instance, name, this)
        report.show("What was played", _COLUMNS, rows)
        failed = any(row.wrong for row in rows)
        if failed:
            report.tell("`cargo test --test fuzzed` now plays what failed, and says how. Commit it with the fix.")
        return not failed


def _play(instance: Instance, names: Sequence[str], minutes: float, this: Step) -> Mapping[str, float]:
    """Returns the seconds of CPU that each target had."""
    seconds = dict.fromkeys(names, 0.0)
    keepers: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in names:
            _failures(name).mkdir(parents=True, exist_ok=True)
            arguments = [
                *_LIMITS,
                f"-max_total_time={minutes * 60:.0f}",
                f"-dict={FUZZ / 'dictionaries' / name}.dict",
                f"-artifact_prefix={_failures(name)}/",
                "-print_final_stats=1",
            ]
            program = _command("run", *_OPTIONS, name, *_folders(instance, name), "--", *arguments)
            keepers[name] = processes.start(program, _settings(instance), instance.log(name))
        while any(keeper.poll() is None for keeper in keepers.values()):
            for name, keeper in keepers.items():
                seconds[name] = max(seconds[name], _seconds_of_cpu(name, keeper))
                this.say(f"{name}: {processes.last_line(instance.log(name))}")
            time.sleep(_LOOK_EVERY_SECONDS)
    finally:
        for keeper in keepers.values():
            processes.stop(keeper)
    for name, keeper in keepers.items():
        if keeper.returncode not in _PLAYED:
            raise processes.Failed(f"cargo fuzz ended with status {keeper.returncode}", instance.log(name))
    return seconds


def _seconds_of_cpu(name: str, keeper: subprocess.Popen[bytes]) -> float:
    """What the program of a target has used up to now; nothing, when it is not running."""
    try:
        below = psutil.Process(keeper.pid).children(recursive=True)
        times = [process.cpu_times() for process in below if process.name() == name]
    except psutil.Error:
        return 0  # it has just ended
    return sum(used.user + used.system for used in times)


def _judge(instance: Instance, name: str, seconds: float) -> Row:
    log = instance.log(name).read_text(errors="replace")
    wrong = [str(Path(path).relative_to(PROJECT)) for path in re.findall(r"Test unit written to (\S+)", log)]
    failures = _failures(name)
    if not wrong and not any(failures.iterdir()):
        failures.rmdir()
    cells = _cells(name, seconds, log)
    if cells is None and not wrong:
        raise processes.Failed(f"{name} did not run to its end", instance.log(name))
    return Row(cells or (name,), wrong)


def _cells(name: str, seconds: float, log: str) -> tuple[str, ...] | None:
    """What the last lines of libFuzzer say; nothing, when it ended without them."""
    status = re.findall(r"^#\d+\s.* cov: (\d+) ft: (\d+) corp: (\d+)/", log, re.MULTILINE)
    executions = re.search(r"^stat::number_of_executed_units:\s*(\d+)", log, re.MULTILINE)
    if not status or executions is None:
        return None
    edges, features, inputs = (f"{int(number):,}" for number in status[-1])
    return (name, f"{seconds / 60:.1f}", f"{int(executions[1]):,}", edges, features, inputs)


def _keep(instance: Instance, name: str, this: Step) -> None:
    """What reaches an edge that no seed reaches becomes the corpus of the target, as few and small as that can be."""
    merged = instance.folder / "merged" / name
    shutil.rmtree(merged, ignore_errors=True)
    shutil.copytree(FUZZ / "seeds" / name, merged)
    arguments = ["-set_cover_merge=1", "-use_counters=0", *_LIMITS, "-max_len=1024"]
    program = _command("run", *_OPTIONS, name, str(merged), *_folders(instance, name), "--", *arguments)
    log = instance.log(f"{name}-merge")
    processes.run("cargo fuzz", program, _settings(instance), log, lambda: this.say(processes.last_line(log)))
    seeds = {path.name for path in (FUZZ / "seeds" / name).iterdir()}
    kept = sorted(path.read_bytes() for path in merged.iterdir() if path.name not in seeds)
    _corpus(name).write_text("".join(f"{base64.b64encode(content).decode()}\n" for content in kept))


def _folders(instance: Instance, name: str) -> list[str]:
    """Where inputs are; the first folder gets the new ones, and is nobody's business."""
    found = LOCAL / "fuzz" / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    unpacked = instance.folder / "unpacked" / name
    unpacked.mkdir(parents=True, exist_ok=True)
    if _corpus(name).exists():
        for number, line in enumerate(_corpus(name).read_text().splitlines()):
            (unpacked / str(number)).write_bytes(base64.b64decode(line))
    stored = [unpacked, FUZZ / "seeds" / name, _failures(name)]
    return [str(found), *(str(folder) for folder in stored if folder.is_dir())]


def _corpus(name: str) -> Path:
    """An input in each line, in base64."""
    return FUZZ / "corpus" / f"{name}.base64"


def _failures(name: str) -> Path:
    return FUZZ / "failures" / name


def _command(*arguments: str) -> list[str]:
    return [str(cargo_tools.install("cargo-fuzz")), "fuzz", *arguments]


def _settings(instance: Instance) -> dict[str, str]:
    return environment.for_building(instance, quick=False) | {"RUSTUP_TOOLCHAIN": "nightly"}
