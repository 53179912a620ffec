"""Draws the output of commands as SVG pictures for the README."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from io import StringIO

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from dev import build, deploy, emulator
from dev.lifecycle import tool_variables
from dev.output import step
from dev.paths import PROJECT, Instance
from dev.samples import SECRET

_COLUMNS, _ROWS, _HEAD, _TAIL = 128, 40, 22, 12
"""The size of a picture, and the lines that are shown of longer output."""
# Without the fonts that a browser would load from another host.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def draw() -> None:
    """Runs the commands on a new deployment, and draws their output."""
    with step("Drawing `make run`"):
        _draw("run", {"make run": [sys.executable, "-m", "dev", "run"]}, os.environ)
    with Instance("screens").claim() as instance:
        with step("Building"):
            relayctl = build.build_locally(instance)
        with emulator.run(instance) as running, step("Drawing `relayctl`"):
            stack = deploy.deploy(running, "labelbox-relay")
            stack.put_secret({"labelbox": SECRET, "training": SECRET})
            for name, lines in {
                "tail": ["relayctl trigger LABEL_CREATED --count 6", "relayctl tail --since 1m --count 6"],
                "doctor": ["relayctl doctor"],
            }.items():
                commands = {line: [str(relayctl), *shlex.split(line)[1:]] for line in lines}
                _draw(name, commands, {**os.environ, **tool_variables(stack)})


def _draw(name: str, commands: Mapping[str, list[str]], variables: Mapping[str, str]) -> None:
    terminal = {"force_terminal": True, "color_system": "truecolor"}
    console = Console(record=True, width=_COLUMNS, file=StringIO(), **terminal)  # type: ignore[arg-type]
    for line, program in commands.items():
        console.print(Text(f"$ {line}", style="bold"))
        lines = _output(program, variables).strip("\n").split("\n")
        if len(lines) > _ROWS:
            lines = [*lines[:_HEAD], "…", *lines[-_TAIL:]]
        console.print(Text.from_ansi("\n".join(lines)))
    console.save_svg(str(PROJECT / "docs" / "screens" / f"{name}.svg"), title="", unique_id=name, code_format=_FORMAT)


def _output(program: list[str], variables: Mapping[str, str]) -> str:
    """Returns what a program prints on a terminal of this size: `script` runs it in one."""
    command = f"stty rows {_ROWS} columns {_COLUMNS}; exec {shlex.join(program)} 2>/dev/null"
    typed = ["script", "--quiet", "--return", "--command", command, "/dev/null"]
    environment = {**variables, "TERM": "xterm-256color", "COLUMNS": str(_COLUMNS)}
    done = subprocess.run(typed, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True)
    return done.stdout.replace("\r\n", "\n")
