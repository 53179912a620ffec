"""What the consumers do: take every message out of every queue for good, read what it points to, and note it."""

import itertools
import threading

from botocore.exceptions import BotoCoreError, ClientError

from dev.soak.deliveries import digest
from dev.soak.ledger import Found, Ledger
from dev.stack import QUEUES, Message, Stack

_PAUSE_SECONDS = 0.2
_ONE_IN = 32
"""So many events meet a consumer that always fails, so that their messages become dead letters."""


class Collector:
    """Consumer of all queues, or of all dead-letter queues."""

    def __init__(self, stack: Stack, ledger: Ledger, dead_letters: bool) -> None:
        self._stack, self._ledger, self._dead_letters = stack, ledger, dead_letters
        self._payloads: dict[str, str] = {}
        """The digests of the payloads read so far, by their keys: on a standard queue a pointer may come twice."""
        self._kept: set[str] = set()

    def work(self, over: threading.Event) -> None:
        for entity in itertools.cycle(QUEUES):
            if over.is_set():
                return
            try:
                self._collect(entity)
            except (ClientError, BotoCoreError):
                over.wait(_PAUSE_SECONDS)  # a queue may be away for a while
            if entity == list(QUEUES)[-1]:
                over.wait(_PAUSE_SECONDS)

    def forget_payloads(self) -> None:
        """Deletes the payloads that were read, once nothing can point to them any more: they fill the memory."""
        while self._kept:
            self._stack.delete_object(self._kept.pop())

    def _collect(self, entity: str) -> None:
        queue = self._stack.dead_letter_queue_url(entity) if self._dead_letters else self._stack.queue_url(entity)
        while messages := self._stack.receive(queue, seconds=0):
            for message in messages:
                if not self._dead_letters and _meets_a_failing_consumer(message):
                    self._stack.put_back(queue, message)
                    continue
                # Noted first: deleting can fail, and the message is not noted twice.
                self._ledger.find(self._read(entity, message))
                self._stack.delete(queue, message)

    def _read(self, entity: str, message: Message) -> Found:
        key = self._stack.payload_key(message)
        if key is not None and key not in self._payloads:
            self._payloads[key] = self._read_payload(message)
            self._kept.add(key)
        return Found(
            message.id,
            message.attributes.get("dedup_id", ""),
            entity,
            message.attributes.get("event"),
            digest(message.body) if key is None else self._payloads[key],
            key is not None,
            self._dead_letters,
        )

    def _read_payload(self, message: Message) -> str:
        try:
            return digest(self._stack.payload(message) or b"")
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return "nothing is where the message points to"


def _meets_a_failing_consumer(message: Message) -> bool:
    return int(message.attributes.get("dedup_id", "f")[-4:], 16) % _ONE_IN == 0
