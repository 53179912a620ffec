"""Runs one program for an owner, and ends it with everything it started when it is told to, or when the owner is gone.

`python keeper.py PROGRAM ARGUMENT…`, as the leader of its own session. Standard input is the leash: when the owner
closes it, or dies in whatever way, the whole process group ends; when it has written `keep` before, the program stays,
without an owner, until SIGTERM.
"""

import os
import signal
import subprocess
import sys
import threading

import psutil

GRACE_SECONDS = 8


class _Told(BaseException):
    """It is time to end."""


def main(program: list[str]) -> int:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        child = subprocess.Popen(program, stdin=subprocess.DEVNULL)
        threading.Thread(target=_watch_owner, daemon=True).start()
        return child.wait()
    except _Told:
        return 128 + signal.SIGTERM
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _end_the_others()


def _end(*_: object) -> None:
    raise _Told


def _watch_owner() -> None:
    said = b""
    while more := os.read(0, 16):
        said += more
    if said != b"keep":
        os.kill(os.getpid(), signal.SIGTERM)


def _end_the_others() -> None:
    if others := _others():
        os.killpg(os.getpgrp(), signal.SIGTERM)
        psutil.wait_procs(others, timeout=GRACE_SECONDS)
    while others := _others():
        for process in others:
            process.kill()
        psutil.wait_procs(others, timeout=1)


def _others() -> list[psutil.Process]:
    """The rest of our process group, less what is dead and only waits for its parent to notice."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = os.getpgid(process.pid) == os.getpgrp() and process.pid != os.getpid()
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
