"""Runs a program at a pseudo-terminal, and answers its prompts."""

import fcntl
import os
import pty
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
class TerminalOutput:
    """The exit status, and the output."""

    status: int
    screen: str


def run(
    program: Sequence[str], variables: Mapping[str, str], dialogue: Sequence[tuple[str, str]], columns: int
) -> TerminalOutput:
    """Waits for each question, and types the answer to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen(program, env=dict(variables), preexec_fn=lambda: os.login_tty(theirs)) as started:
        os.close(theirs)
        try:
            screen = ""
            for question, answer in dialogue:
                screen += _read(ours, question)
                os.write(ours, answer.encode())
            screen += _read(ours, None)
            return TerminalOutput(started.wait(SECONDS), screen.replace("\r\n", "\n"))
        finally:
            started.kill()
            os.close(ours)


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
