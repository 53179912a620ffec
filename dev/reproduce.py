"""Building one commit twice, as two people would who share nothing but the commit, and comparing the bytes.

The second has another folder, another home, cargo's sources elsewhere, another umask, time zone and language. What both
have is this machine with its Rust toolchain, the pinned tools, and what cargo has downloaded.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from dev import build, package, processes
from dev.places import LOCAL, PROGRAM, PROJECT, Instance
from dev.progress import console, step

_FOLDER = LOCAL / "reproduce"
_BUILT = build.FOR_AWS.relative_to(PROJECT)
_SHOWN = 10


def run(architecture: str) -> bool:
    """Whether both zips are the same. The clones stay only if they are not."""
    with Instance("reproduce").claim() as instance:
        commit = _git("rev-parse", "HEAD")
        if _git("status", "--porcelain"):
            console.print("[yellow]What is not committed is not in these builds.[/yellow]")
        first, second = _FOLDER / "a", _FOLDER / "somebody else"
        packages = []
        for number, (folder, others) in enumerate([(first, {}), (second, _somebody_else(second))], 1):
            with step(f"Building {commit[:12]} for {architecture}, {number} of 2") as this:
                packages.append(_build(instance, folder, commit, architecture, others, this.say))
        return _judge(packages, [first, second])


def _somebody_else(folder: Path) -> dict[str, str]:
    """Another home, with the toolchain that there is, and cargo's sources unpacked anew from what it has downloaded."""
    home = Path.home()
    cargo, mine = folder / "cargo", Path(os.environ.get("CARGO_HOME", home / ".cargo"))
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "home").mkdir(parents=True)
    (cargo / "registry").mkdir(parents=True)
    for name in ("config.toml", "registry/index", "registry/cache"):
        if (mine / name).exists():
            (cargo / name).symlink_to(mine / name)
    return {
        "HOME": str(folder / "home"),
        "CARGO_HOME": str(cargo),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(home / ".rustup")),
        "TZ": "Asia/Tokyo",
        "LANG": "de_DE.UTF-8",
    }


def _build(
    instance: Instance, folder: Path, commit: str, architecture: str, others: dict[str, str], say: Callable[[str], None]
) -> Path:
    clone = folder / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    _git("clone", "--quiet", str(PROJECT), str(clone))
    _git("-C", str(clone), "checkout", "--quiet", "--detach", commit)
    mask = "077" if others else "022"
    program = ["sh", "-c", f'umask {mask}; cd "$0"; exec "$@"', str(clone), sys.executable, "-m", "dev", "build"]
    log = instance.log(f"build-{folder.name}")
    # Without the seconds that the other build says: ours are shown, too.
    processes.run(
        "the build",
        [*program, architecture],
        {**os.environ, **others},
        log,
        lambda: say(processes.last_line(log).rpartition(" s ")[2]),
    )
    return package.packed(clone / _BUILT, folder / "function")


def _judge(packages: list[Path], folders: list[Path]) -> bool:
    programs = [folder / "clone" / _BUILT / PROGRAM for folder in folders]
    for program, zipped in zip(programs, packages, strict=True):
        print(f"{_sha256(zipped)}  zip, CodeSha256 {package.code_sha256(zipped)}")
        print(f"{_sha256(program)}  program, {program.stat().st_size:,} bytes")
    if _sha256(packages[0]) == _sha256(packages[1]):
        console.print("[green]Both zips are the same, byte for byte.[/green]")
        for folder in folders:
            shutil.rmtree(folder)
        return True
    ones, others = (program.read_bytes() for program in programs)
    console.print(f"[red]The zips are not the same.[/red] They and all that they are made of are in {_FOLDER}")
    for place in islice(_differences(ones, others), _SHOWN):
        around = slice(max(place - 30, 0), place + 30)
        console.print(f"  at {place:#x}: {ones[around]!r} and {others[around]!r}", markup=False)
    return False


def _differences(ones: bytes, others: bytes) -> Iterator[int]:
    return (place for place, (one, other) in enumerate(zip(ones, others, strict=False)) if one != other)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=PROJECT, check=True, capture_output=True, text=True).stdout.strip()
