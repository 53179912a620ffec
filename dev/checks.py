"""`make test` and `make test-all`: phases of commands, stopping at the first that fails, and a summary with times."""

import os
import subprocess
import time
from dataclasses import dataclass

from dev.build import WORKSPACE
from dev.output import console
from dev.paths import PROJECT, TOOLS

_PYTHON = str(TOOLS / "python")
_PYTEST = (_PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "--quiet")
_WORKERS = os.environ.get("WORKERS", "3")
_STACK = (*_PYTEST, "--numprocesses", _WORKERS, "--dist", "loadfile", "--no-loadscope-reorder", "tests/stack")
_DENY = ("cargo-deny", "--locked")
_DENY_WORKSPACE = (*_DENY, "--workspace", "--config", "deny-workspace.toml")
_CHECKOV = (
    *(str(TOOLS.parent / "checkov" / "bin" / "python"), "-m", "checkov.main", "--framework", "cloudformation"),
    *("--file", "template.yaml", "--skip-download", "--quiet", "--compact"),
)
_STRICT = ("--deny", "unmatched-skip", "--deny", "unnecessary-skip")

Command = tuple[str, ...]


@dataclass(frozen=True)
class Phase:
    title: str
    commands: tuple[Command, ...]
    all_only: bool = False
    """Left to `make test-all`."""


PHASES = (
    Phase(
        "Format, lints and types",
        (
            ("cargo", "fmt", "--all", "--check"),
            ("cargo", "fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"),
            ("ruff", "format", "--check", "--quiet", "."),
            ("ruff", "check", "--quiet", "."),
            ("mypy",),
            ("cargo", "clippy", "--quiet", *WORKSPACE, "--all-targets", "--", "-D", "warnings"),
        ),
    ),
    Phase(
        "Dependencies and workflows",
        (
            (*_DENY, "check", *_STRICT, "bans", "licenses", "sources"),
            (*_DENY_WORKSPACE, "check", "licenses", "sources"),
            (*_DENY_WORKSPACE, "--exclude", "usual", "check", *_STRICT, "bans"),
            ("zizmor", "--offline", "--persona=pedantic", "--quiet", ".github/workflows"),
        ),
    ),
    Phase(
        "Template",
        ((_PYTHON, str(TOOLS / "cfn-lint"), "template.yaml"),),
    ),
    Phase("Rust tests", (("cargo", "test", "--quiet", *WORKSPACE),)),
    Phase(
        "Examples and sample events",
        (
            (*_PYTEST, "examples/python"),
            ("npm", "install", "--prefix", "examples/node", "--no-audit", "--no-fund", "--silent"),
            ("node", "--test", "examples/node/labelbox-queue.test.js"),
            (_PYTHON, "events/regenerate.py", "--check"),
        ),
    ),
    Phase("Deployed stack", ((*_STACK, "-m", "not extended"),)),
    Phase("Policies of the template", (_CHECKOV,), all_only=True),
    Phase("Fault sequences", (("make", "--no-print-directory", "faults"),), all_only=True),
    Phase("Deployed stack, extended", ((*_STACK, "-m", "extended"),), all_only=True),
)


def run(everything: bool) -> bool:
    """Runs the phases; returns whether all passed."""
    phases = [phase for phase in PHASES if everything or not phase.all_only]
    environment = {
        **os.environ,
        "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
        "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true",
    }
    times, begun = list[str](), time.monotonic()
    failed: Command | None = None
    for number, phase in enumerate(phases, 1):
        console.print(f"\n[bold]{phase.title}[/bold] ({number} of {len(phases)})")
        started = time.monotonic()
        failed = next((it for it in phase.commands if not _passes(it, environment)), None)
        times.append(f"{time.monotonic() - started:5.0f} s  {phase.title}")
        if failed:
            break
    times.append(f"{time.monotonic() - begun:5.0f} s  in total")
    console.print("", *times, sep="\n")
    console.print(f"[red]Failed:[/red] {' '.join(failed)}" if failed else "[green]All passed.[/green]")
    return failed is None


def _passes(command: Command, environment: dict[str, str]) -> bool:
    return subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode == 0
