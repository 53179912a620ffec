"""Starts programs in sessions of their own, and ends them with everything that they started."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from dev.paths import PROJECT, Instance

_GRACE_SECONDS = 8
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Process = subprocess.Popen[bytes]


class Failed(Exception):
    """A program failed; its log says why."""

    def __init__(self, what: str, log: Path) -> None:
        super().__init__(f"{what}; the whole log is in {log}")
        self.log = log


def start(program: list[str], environment: dict[str, str], log: Path) -> Process:
    """Starts a program that writes to `log`. Ctrl-C reaches only us, and we stop it."""
    with log.open("wb") as output:
        return subprocess.Popen(
            program,
            env=environment,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def run(what: str, program: list[str], environment: dict[str, str], log: Path) -> None:
    """Runs a program to its end. Raises `Failed` if it fails."""
    process = start(program, environment, log)
    try:
        process.wait()
    finally:
        stop(process)
    if process.returncode != 0:
        raise Failed(f"{what} ended with status {process.returncode}", log)


def stop(process: Process) -> None:
    """Ends a program and its session."""
    with uninterrupted():
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + _GRACE_SECONDS
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
                while time.monotonic() < deadline:
                    process.poll()
                    os.killpg(process.pid, 0)
                    time.sleep(0.05)
        process.wait()


def end_all(instance: Instance) -> bool:
    """Ends every process of an instance, whoever started it. Returns whether there was one."""
    with uninterrupted():
        found = [process for process in psutil.process_iter() if _belongs_to(process, instance)]
        alive = found
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in alive:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            deadline = time.monotonic() + _GRACE_SECONDS
            while time.monotonic() < deadline and (alive := [process for process in alive if _is_alive(process)]):
                time.sleep(0.05)
        return bool(found)


def kill(instance: Instance, program: str) -> int:
    """Sends SIGKILL to every process of an instance that runs a file of this name. Returns how many."""
    killed = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if _belongs_to(process, instance) and Path(process.exe()).name == program:
                process.kill()
                killed += 1
    return killed


def _belongs_to(process: psutil.Process, instance: Instance) -> bool:
    try:
        return process.environ().get("TMPDIR") == str(instance.temporary)
    except (psutil.Error, OSError):
        return False


def _is_alive(process: psutil.Process) -> bool:
    """A zombie has ended, even if its parent does not notice."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignores a second Ctrl-C while the first is being handled."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
