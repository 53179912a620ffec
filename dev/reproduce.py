"""Builds one commit twice and compares the zips.

The second build has another folder, home, copy of cargo's sources, umask, time zone and language. Both use this
machine's Rust toolchain, the pinned tools, and what cargo has downloaded.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dev import build, processes
from dev.output import console, step
from dev.paths import LOCAL, PROGRAM, PROJECT, Instance

_FOLDER = LOCAL / "reproduce"
_BUILT = build.FOR_AWS.relative_to(PROJECT)


def run(architecture: str) -> bool:
    """Returns whether both zips are equal. The clones are kept if they are not."""
    with Instance("reproduce").claim() as instance:
        commit = _git("rev-parse", "HEAD")
        if _git("status", "--porcelain"):
            console.print("[yellow]Changes that are not committed are not in these builds.[/yellow]")
        folders = [_FOLDER / "a", _FOLDER / "another user"]
        packages = []
        for number, folder in enumerate(folders, 1):
            shutil.rmtree(folder, ignore_errors=True)
            with step(f"Building {commit[:12]} for {architecture}, {number} of 2") as this:
                environment = _another_user(folder) if number == 2 else {}
                packages.append(_build(instance, folder, commit, architecture, environment, this.update))
    for folder, package in zip(folders, packages, strict=True):
        size = (folder / "clone" / _BUILT / PROGRAM).stat().st_size
        print(f"{build.code_sha256(package)}  CodeSha256 of the zip; the program has {size:,} bytes")
    if packages[0].read_bytes() != packages[1].read_bytes():
        console.print(f"[red]The zips differ.[/red] They are in {_FOLDER}; diffoscope shows how.")
        return False
    console.print("[green]Both zips are equal, byte for byte.[/green]")
    shutil.rmtree(_FOLDER)
    return True


def _another_user(folder: Path) -> dict[str, str]:
    """Returns the environment of a user with the same toolchain, who unpacks cargo's downloads again."""
    home = Path.home()
    cargo, existing = folder / "cargo", Path(os.environ.get("CARGO_HOME", home / ".cargo"))
    (folder / "home").mkdir(parents=True)
    (cargo / "registry").mkdir(parents=True)
    for name in ("config.toml", "registry/index", "registry/cache"):
        if (existing / name).exists():
            (cargo / name).symlink_to(existing / name)
    return {
        "HOME": str(folder / "home"),
        "CARGO_HOME": str(cargo),
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(home / ".rustup")),
        "TZ": "Asia/Tokyo",
        "LANG": "de_DE.UTF-8",
    }


def _build(
    instance: Instance,
    folder: Path,
    commit: str,
    architecture: str,
    environment: dict[str, str],
    say: Callable[[str], None],
) -> Path:
    clone = folder / "clone"
    _git("clone", "--quiet", str(PROJECT), str(clone))
    _git("-C", str(clone), "checkout", "--quiet", "--detach", commit)
    script = f'umask {"077" if environment else "022"}; cd "$0"; exec "$@"'
    program = ["sh", "-c", script, str(clone), sys.executable, "-m", "dev", "build", architecture]
    log = instance.log(f"build-{folder.name}")
    variables = {**os.environ, **environment}
    processes.run("the build", program, variables, log, lambda: say(processes.last_line(log).rpartition(" s ")[2]))
    return build.pack(clone / _BUILT, folder / "function")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=PROJECT, check=True, capture_output=True, text=True).stdout.strip()
