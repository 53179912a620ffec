"""What each sender does: takes a delivery, sends it, notes the answer, and sends some again that were not taken."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from random import Random

import urllib3

from dev.soak.crew import Traffic
from dev.soak.deliveries import Delivery
from dev.soak.ledger import DURABLE, Answer, Ledger
from dev.stack import Stack

_SENDS_AGAIN = 0.6
"""How often a sender that was not told that all is well tries again. Labelbox documents no retry at all."""
_LONGEST_PAUSE_SECONDS = 0.3


class Mail:
    """What is to be sent, for all senders together: what has to go again, and the stream."""

    def __init__(self, stream: Iterator[Delivery]) -> None:
        self._stream = stream
        self._again: deque[Delivery] = deque()
        self._lock = threading.Lock()

    def next(self, random: Random) -> Delivery:
        with self._lock:
            if self._again and random.random() < 0.3:
                return self._again.popleft()
            return next(self._stream)

    def put_back(self, delivery: Delivery) -> None:
        """Has it sent again, sooner or later."""
        with self._lock:
            self._again.append(delivery)


class Sender:
    """One sender with an HTTP client of its own."""

    def __init__(self, stack: Stack, mail: Mail, ledger: Ledger, traffic: Traffic, random: Random) -> None:
        self._stack = Stack(stack.emulator, stack.name, stack.outputs)
        self._mail, self._ledger, self._traffic, self._random = mail, ledger, traffic, random

    def work(self, over: threading.Event) -> None:
        while not over.is_set():
            delivery = self._mail.next(self._random)
            answer = self._send(delivery)
            was_taken = answer.word in DURABLE or not delivery.event.is_genuine
            if not was_taken and self._random.random() < _SENDS_AGAIN:
                self._mail.put_back(delivery)
            over.wait(self._random.uniform(0, _LONGEST_PAUSE_SECONDS))

    def _send(self, delivery: Delivery) -> Answer:
        with self._traffic.request():
            self._ledger.send(delivery.event)
            started = time.monotonic()
            word = self._post(delivery)
            answer = Answer(word, time.monotonic() - started)
            self._ledger.answer(delivery.event, answer)
        return answer

    def _post(self, delivery: Delivery) -> str:
        request = delivery.request
        try:
            answer = self._stack.send(request.method, request.path, request.headers, request.body)
        except urllib3.exceptions.HTTPError:
            return "no answer"
        if answer.status != 200:
            return str(answer.status)
        try:
            return str(json.loads(answer.data)["status"])
        except (ValueError, KeyError, TypeError):
            return "200 without a status"
