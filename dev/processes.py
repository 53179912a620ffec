"""Starts programs in sessions of their own, and ends them with everything that they started."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
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
    _end(lambda: [each for each in _running() if _session(each) == process.pid])
    process.wait()


def end_all(instance: Instance) -> bool:
    """Ends every process of an instance, whoever started it. Returns whether there was one."""
    return _end(lambda: _of(instance))


def kill(instance: Instance, program: str) -> None:
    """Sends SIGKILL to every process of an instance that runs a program of this name."""
    for process in _of(instance):
        if process.info["name"] == program:
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _end(find: Callable[[], list[psutil.Process]]) -> bool:
    with uninterrupted():
        found = bool(find())
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in find():
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            deadline = time.monotonic() + _GRACE_SECONDS
            while time.monotonic() < deadline and find():
                time.sleep(0.05)
        return found


def _of(instance: Instance) -> list[psutil.Process]:
    return [each for each in _running() if (each.info["environ"] or {}).get("TMPDIR") == str(instance.temporary)]


def _running() -> list[psutil.Process]:
    """A zombie has ended, even if its parent does not notice."""
    processes = psutil.process_iter(["environ", "name", "status"])
    return [each for each in processes if each.info["status"] != psutil.STATUS_ZOMBIE]


def _session(process: psutil.Process) -> int:
    with suppress(ProcessLookupError):
        return os.getsid(process.pid)
    return 0


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignores a second Ctrl-C while the first is being handled."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
