"""Pictures of what the commands really print, for the README."""

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

from rich.console import CONSOLE_SVG_FORMAT, Console
from rich.text import Text

from dev import build, deploy, emulator
from dev.places import PROJECT, Instance
from dev.progress import step
from dev.samples import SECRET
from dev.stack import Stack
from dev.standing import for_tools

FOLDER = PROJECT / "docs" / "screens"
_COLUMNS, _ROWS = 128, 40
_HEAD, _TAIL = 22, 12
"""What is shown of something long."""
# Without the fonts that Rich would have the reader's browser fetch from elsewhere.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def draw() -> None:
    """Deploys to a fresh emulator, types some commands there, and draws what they print."""
    FOLDER.mkdir(exist_ok=True)
    with step("Drawing `make run`"):
        _draw("run", {"make run": _print_of([sys.executable, "-m", "dev", "run"], os.environ)})
    with Instance("screens").claim() as instance:
        with step("Building the function"):
            build.build_quickly(instance)
        with step("Building relayctl"):
            tool = build.build_tool(instance)
        with emulator.run(instance) as running:
            stack = deploy.deploy(running, "labelbox-relay")
            stack.put_secret({"labelbox": SECRET, "training": SECRET})
            with step("Drawing `relayctl`"):
                _draw_tool(tool, stack)


def _draw_tool(tool: Path, stack: Stack) -> None:
    variables = {**os.environ, **for_tools(stack)}

    def typed(*lines: str) -> dict[str, str]:
        words = {line: shlex.split(line)[1:] for line in lines}
        return {line: _print_of([str(tool), *arguments], variables) for line, arguments in words.items()}

    _draw("tail", typed("relayctl trigger LABEL_CREATED --count 6", "relayctl tail --since 1m --count 6"))
    _draw("doctor", typed("relayctl doctor"))


def _draw(name: str, typed: Mapping[str, str]) -> None:
    """Draws commands and their output as an SVG."""
    console = Console(
        record=True, width=_COLUMNS, file=open(os.devnull, "w"), force_terminal=True, color_system="truecolor"
    )
    for command, printed in typed.items():
        console.print(Text(f"$ {command}", style="bold"))
        lines = printed.strip("\n").split("\n")
        if len(lines) > _ROWS:
            lines = [*lines[:_HEAD], "…", *lines[-_TAIL:]]
        console.print(Text.from_ansi("\n".join(lines)))
    console.save_svg(str(FOLDER / f"{name}.svg"), title="", unique_id=name, code_format=_FORMAT)


def _print_of(program: list[str], variables: Mapping[str, str]) -> str:
    """What a program prints on a terminal of the size that the README has room for. Its progress goes elsewhere."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    settings = {**variables, "TERM": "xterm-256color", "COLUMNS": str(_COLUMNS)}
    running = subprocess.Popen(
        program, stdout=theirs, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=settings
    )
    os.close(theirs)
    printed = b""
    try:
        while piece := os.read(ours, 65536):
            printed += piece
    except OSError:
        pass  # Linux says so when the other end is closed
    finally:
        os.close(ours)
    if status := running.wait():
        raise RuntimeError(f"{program} ended with {status}: {printed.decode()}")
    return printed.decode().replace("\r\n", "\n")
