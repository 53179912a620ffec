"""The threads of the soak, how one learns that one of them failed, and how all sending is held for a moment."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stuck(Exception):
    """What was waited for did not come."""


class Crew:
    """Threads that work until they are told to stop. They end with the process, whatever they are waiting for."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def start(self, work: Callable[[threading.Event], None]) -> None:
        """Runs `work`, which has to return soon after the event that it is given was set."""
        thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Stops all, waits for them, and raises what one of them has failed with."""
        self.over.set()
        self.wait_until(lambda: not any(thread.is_alive() for thread in self._threads), 60, "threads did not end")

    def wait_until(self, true: Callable[[], bool], seconds: float, problem: str) -> None:
        """Waits until something is true, or raises: what a thread has failed with, or `Stuck` after `seconds`."""
        deadline = time.monotonic() + seconds
        while not true():
            self._raise_failure()
            if time.monotonic() > deadline:
                raise Stuck(f"{problem} within {seconds:.0f} s")
            time.sleep(0.1)
        self._raise_failure()

    def _run(self, work: Callable[[threading.Event], None]) -> None:
        try:
            work(self.over)
        except BaseException as failure:
            self._failures.append(failure)

    def _raise_failure(self) -> None:
        if self._failures:
            raise self._failures[0]


class Traffic:
    """All requests pass here, so that there can be a moment without any."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way = 0
        self._holds = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wraps one request; waits while traffic is held."""
        with self._changed:
            self._changed.wait_for(lambda: not self._holds)
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1

    @contextmanager
    def held(self, crew: Crew) -> Iterator[None]:
        """Lets no request start meanwhile, and begins when the last one has its answer."""
        with self._changed:
            self._holds += 1
        try:
            crew.wait_until(lambda: not self._under_way, 60, "requests did not end")
            yield
        finally:
            with self._changed:
                self._holds -= 1
                self._changed.notify_all()
