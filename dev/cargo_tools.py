"""Tools that are crates: `cargo install` builds each into .tools/cargo when it is first needed."""

import subprocess
from pathlib import Path

from dev.output import console
from dev.paths import CARGO_TOOLS

VERSIONS = {"cargo-cyclonedx": "0.5.9", "cargo-fuzz": "0.13.2", "cargo-llvm-cov": "0.9.1", "cargo-mutants": "27.1.0"}


def install(name: str) -> Path:
    """Returns the path of the program, at the version above."""
    version, root = VERSIONS[name], CARGO_TOOLS.parent
    if not (root / f"{name}-{version}").exists():
        console.print(f"Building {name} {version} into {root}: once, some minutes")
        command = ["cargo", "install", "--quiet", "--locked", "--profile", "dev"]
        command += ["--root", str(root), "--version", version]
        subprocess.run([*command, name], check=True)
        (root / f"{name}-{version}").touch()
    return CARGO_TOOLS / name
