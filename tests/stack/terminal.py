"""Runs a program at a pseudo-terminal, and answers its prompts."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SECONDS = 60
CTRL_C = "\x03"


@dataclass(frozen=True)
class Seen:
    """The exit status, and the output on the terminal and on standard output."""

    status: int
    screen: str
    out: str


def run(program: Sequence[str], variables: Mapping[str, str], dialogue: Sequence[tuple[str, str]]) -> Seen:
    """Waits for each question, and types the answer to it. Standard output goes elsewhere."""
    ours, theirs = pty.openpty()
    started = subprocess.Popen(
        program,
        env=dict(variables),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        preexec_fn=_take_terminal,
        text=True,
    )
    os.close(theirs)
    try:
        screen = ""
        for question, answer in dialogue:
            screen += _read(ours, question)
            os.write(ours, answer.encode())
        screen += _read(ours, None)
        out, _ = started.communicate(timeout=SECONDS)
    finally:
        started.kill()
        started.wait()
        os.close(ours)
    return Seen(started.returncode, screen, out)


def sized(program: Sequence[str], columns: int, variables: Mapping[str, str] | None = None) -> str:
    """What a program prints on a terminal with so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, env=variables) as started:
        os.close(theirs)
        try:
            return re.sub(r"\x1b\[[0-9;]*m", "", _read(ours, None)).replace("\r\n", "\n")
        finally:
            started.kill()
            os.close(ours)


def _take_terminal() -> None:
    """Makes standard input the terminal that Ctrl-C and /dev/tty are about."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read(terminal: int, until: str | None) -> str:
    """Reads the screen up to a text, or to the end."""
    seen = b""
    deadline = time.monotonic() + SECONDS
    while until is None or until.encode() not in seen:
        assert select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0], seen
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # what Linux says when nobody has the other end any more
            piece = b""
        if not piece:
            assert until is None, seen
            break
        seen += piece
    return seen.decode()
