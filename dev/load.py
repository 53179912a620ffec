"""A sender that does not pause while something happens to the stack, so that nothing can be lost unnoticed."""

import itertools
import json
import threading
import time
import uuid
from collections import Counter
from typing import Self

import urllib3

from dev import samples
from dev.stack import Stack

SPILLED = "spilled"
DURABLE = ("queued", SPILLED)


class Load:
    """Sends labels without a pause for as long as the block runs, and records what became of them."""

    def __init__(self, stack: Stack, senders: int = 2, sizes: tuple[int, ...] = (0,), pause: float = 0) -> None:
        self._stack, self._stop, self._answered = stack, threading.Event(), threading.Condition()
        self._unique, self._sizes, self._pause = uuid.uuid4().hex, sizes, pause
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(senders)]
        self.answers: dict[str, str] = {}
        """What was answered to each event, by the event's id: the status in the body of a 200, else the HTTP status."""
        self.seconds: list[float] = []

    def __enter__(self) -> Self:
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:  # Ctrl-C: nobody calls __exit__
            self._stop.set()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def count(self) -> Counter[str]:
        with self._answered:
            return Counter(self.answers.values())

    def wait_for(self, count: int, *answers: str) -> None:
        """Waits for so many more answers, of these or of any."""

        def number() -> int:
            return sum(not answers or answer in answers for answer in self.answers.values())

        with self._answered:
            wanted = number() + count
            assert self._answered.wait_for(lambda: number() >= wanted, timeout=60), f"no {answers or 'answers'}"

    def _send(self, sender: int) -> None:
        for number, size in enumerate(itertools.cycle(self._sizes)):
            if self._stop.wait(self._pause):
                return
            event = f"{self._unique}-{sender}-{number}"
            sent = json.dumps({"id": event, "updatedAt": "2021-03-17T13:51:59Z", "x": " " * size}).encode()
            started = time.monotonic()
            try:
                response = self._stack.send(*samples.event(sent))
                answer = json.loads(response.data)["status"] if response.status == 200 else str(response.status)
            except urllib3.exceptions.HTTPError:
                answer = "no response"
            with self._answered:
                self.answers[event] = answer
                self.seconds.append(time.monotonic() - started)
                self._answered.notify_all()


def received(stack: Stack, seconds: int) -> list[str]:
    """Takes the ids of all events that wait in the Label queue, until none comes for `seconds`."""
    found: list[str] = []
    while messages := stack.take("label", seconds):
        found += [json.loads(stack.payload(message) or message.body)["id"] for message in messages]
    return found
