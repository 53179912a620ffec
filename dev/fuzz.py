"""Runs the fuzz targets in parallel with cargo-fuzz."""

import base64
import shutil
from collections.abc import Sequence
from pathlib import Path

from dev import environment, processes
from dev.output import step
from dev.paths import LOCAL, PROJECT, TOOLS, Instance

_VERSION = "0.13.2"
_CARGO_FUZZ = TOOLS.parent / "cargo"
_FUZZ = PROJECT / "fuzz"
# The crates have no unsafe code; without a sanitizer, fuzzing is twice as fast.
_OPTIONS = ["--sanitizer", "none"]
# Larger inputs are slower and reach nothing more: no limit of the relay is beyond 4 KB.
_LIMITS = ["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048"]


def targets() -> list[str]:
    return sorted(path.stem for path in (_FUZZ / "fuzz_targets").glob("*.rs"))


def run(minutes: float, names: Sequence[str], keep: bool) -> bool:
    """Fuzzes all targets for so long, and returns whether no input failed. `keep` adds new inputs to the corpus."""
    with Instance("fuzz").claim() as instance:
        settings = environment.for_building(instance) | {"RUSTUP_TOOLCHAIN": "nightly"}
        install = ["cargo", "install", "--locked", "--profile", "dev", "--root", str(_CARGO_FUZZ)]
        program = [str(_CARGO_FUZZ / "bin" / "cargo-fuzz"), "fuzz"]
        with step("Building cargo-fuzz and the instrumented targets"):
            building = instance.log("build")
            processes.run("cargo install", [*install, "--version", _VERSION, "cargo-fuzz"], settings, building)
            processes.run("cargo fuzz", [*program, "build", *_OPTIONS], settings, building)
        running: dict[str, processes.Process] = {}
        with step(f"Fuzzing {', '.join(names)} for {minutes:g} minutes; the logs are in {instance.log('').parent}"):
            try:
                for name in names:
                    (_FUZZ / "failures" / name).mkdir(parents=True, exist_ok=True)
                    options = [
                        *(*_LIMITS, f"-max_total_time={minutes * 60:.0f}"),
                        f"-dict={_FUZZ / 'dictionaries' / name}.dict",
                        f"-artifact_prefix={_FUZZ / 'failures' / name}/",
                    ]
                    fuzzing = [*program, "run", *_OPTIONS, name, *_folders(instance, name), "--", *options]
                    running[name] = processes.start(fuzzing, settings, instance.log(name))
                failed = [name for name, process in running.items() if process.wait() != 0]
            finally:
                for process in running.values():
                    processes.stop(process)
        for name in names:
            log = instance.log(name).read_text(errors="replace").splitlines()
            print(f"{name}:", *(line for line in log if line.startswith(("Done ", "SUMMARY", "artifact_prefix"))))
        for name in names if keep else ():
            with step(f"Minimizing the corpus of {name}"):
                _keep(instance, name, program, settings)
    if failed:
        print(f"Failed: {', '.join(failed)}. `cargo test --test fuzzed` now runs the failed inputs; commit them.")
    return not failed


def _keep(instance: Instance, name: str, program: list[str], settings: dict[str, str]) -> None:
    """Replaces the corpus by the fewest and smallest inputs that reach edges which no seed reaches."""
    merged = instance.folder / "merged" / name
    shutil.rmtree(merged, ignore_errors=True)
    shutil.copytree(_FUZZ / "seeds" / name, merged)
    options = ["-set_cover_merge=1", "-use_counters=0", *_LIMITS, "-max_len=1024"]
    arguments = ["run", *_OPTIONS, name, str(merged), *_folders(instance, name), "--", *options]
    processes.run("cargo fuzz", [*program, *arguments], settings, instance.log(f"{name}-merge"))
    seeds = {path.name for path in (_FUZZ / "seeds" / name).iterdir()}
    kept = sorted(path.read_bytes() for path in merged.iterdir() if path.name not in seeds)
    _corpus(name).write_text("".join(f"{base64.b64encode(content).decode()}\n" for content in kept))


def _folders(instance: Instance, name: str) -> list[str]:
    """Returns the folders with inputs. libFuzzer writes new ones into the first."""
    found = LOCAL / "fuzz" / "corpus" / name
    unpacked = instance.folder / "unpacked" / name
    for folder in (found, unpacked):
        folder.mkdir(parents=True, exist_ok=True)
    for number, line in enumerate(_corpus(name).read_text().splitlines()):
        (unpacked / str(number)).write_bytes(base64.b64decode(line))
    return [str(folder) for folder in (found, unpacked, _FUZZ / "seeds" / name, _FUZZ / "failures" / name)]


def _corpus(name: str) -> Path:
    """Returns the file with one input in each line, in base64."""
    return _FUZZ / "corpus" / f"{name}.base64"
