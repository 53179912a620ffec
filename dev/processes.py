"""Starting programs so that none outlives us, and ending those of an instance."""

import signal
import subprocess
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from dev.places import PROJECT, Instance

_KEEPER = Path(__file__).with_name("keeper.py")
_LOOK_EVERY_SECONDS = 0.5


class Failed(Exception):
    """A program did not do its work; its log says why."""

    def __init__(self, what: str, log: Path) -> None:
        super().__init__(f"{what}; the whole log is in {log}")
        self.log = log


def start(program: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Starts a program that ends when we do, and writes what it says to `log`."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, str(_KEEPER), *program],
            env=environment,
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def run(
    what: str,
    program: list[str],
    environment: dict[str, str],
    log: Path,
    meanwhile: Callable[[], None] = lambda: None,
    good: Container[int] = (0,),
) -> None:
    """Runs a program, called `what`, to its end, and calls `meanwhile` every now and then.

    Raises `Failed` when it ends with a status that is not among the `good` ones.
    """
    keeper = start(program, environment, log)
    try:
        while True:
            try:
                status = keeper.wait(_LOOK_EVERY_SECONDS)
                break
            except subprocess.TimeoutExpired:
                meanwhile()
    finally:
        stop(keeper)
    if status not in good:
        raise Failed(f"{what} ended with status {status}", log)


def last_line(log: Path) -> str:
    """How far a program says it is."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "")[:100]


def release(keeper: subprocess.Popen[bytes]) -> None:
    """Lets the program outlive us."""
    assert keeper.stdin is not None
    keeper.stdin.write(b"keep")
    keeper.stdin.close()


def stop(keeper: subprocess.Popen[bytes]) -> None:
    """Ends a program and all that it started; does nothing when it has ended."""
    with uninterrupted():
        if keeper.stdin is not None and not keeper.stdin.closed:
            keeper.stdin.close()
        keeper.wait()


def end_all(instance: Instance) -> bool:
    """Ends whatever runs for `instance`, whoever started it. Returns whether anything did."""
    with uninterrupted():
        found = [process for process in psutil.process_iter() if _belongs_to(process, instance)]
        for process in found:
            process.terminate()
        _, left = psutil.wait_procs(found, timeout=10)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=5)
        return bool(found)


def kill(instance: Instance, program: str) -> int:
    """Kills every process of `instance` that runs the file called `program`, without warning. Returns how many."""
    killed = 0
    for process in psutil.process_iter():
        try:
            if _belongs_to(process, instance) and Path(process.exe()).name == program:
                process.kill()
                killed += 1
        except (psutil.Error, OSError):
            continue  # it has just ended by itself
    return killed


def _belongs_to(process: psutil.Process, instance: Instance) -> bool:
    try:
        return process.environ().get("TMPDIR") == str(instance.temporary)
    except (psutil.Error, OSError):
        return False


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds a second Ctrl-C off while the first one is being obeyed."""
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
