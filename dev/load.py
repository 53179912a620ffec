"""A sender that does not pause while something happens to the stack, so that nothing can be lost unnoticed."""

import json
import threading
import time
import uuid
from types import TracebackType
from typing import Self

import urllib3

from dev.samples import SECRET, sign
from dev.stack import Stack


class Load:
    """Sends events without a pause for as long as the block runs, and counts what became of them."""

    def __init__(self, stack: Stack, senders: int = 2) -> None:
        self._stack, self._stop, self._answered = stack, threading.Event(), threading.Condition()
        self._unique = uuid.uuid4().hex
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(senders)]
        self.answers: dict[str, int] = {}
        """The status of each event, by the event's id; 0 if there was no answer."""
        self.seconds: list[float] = []
        """How long each answer took."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        """Waits for so many more answers."""
        with self._answered:
            wanted = len(self.answers) + count
            assert self._answered.wait_for(lambda: len(self.answers) >= wanted, timeout=60)

    def _send(self, sender: int) -> None:
        number = 0
        while not self._stop.is_set():
            event = f"{self._unique}-{sender}-{number}"
            sent = json.dumps({"id": event, "updatedAt": "2021-03-17T13:51:59Z"}).encode()
            headers = [
                ("Content-Type", "application/json"),
                ("X-Hub-Signature", sign(sent, SECRET)),
                ("X-Labelbox-Event", "LABEL_CREATED"),
            ]
            started = time.monotonic()
            try:
                status = self._stack.send("POST", "/webhooks/labelbox", headers, sent).status
            except urllib3.exceptions.HTTPError:
                status = 0
            with self._answered:
                self.answers[event] = status
                self.seconds.append(time.monotonic() - started)
                self._answered.notify_all()
            number += 1


def received(stack: Stack, seconds: int) -> list[str]:
    """Takes the ids of all events that wait in the Label queue, until none comes for `seconds`."""
    found: list[str] = []
    while messages := stack.take("label", seconds):
        found += [json.loads(message.body)["id"] for message in messages]
    return found
