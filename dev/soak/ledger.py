"""What is noted while the soak runs: every sending of an event, every answer, and every message that was found."""

import threading
from collections import Counter
from dataclasses import dataclass, field

from dev.soak.deliveries import Event

DURABLE = ("queued", "unrouted", "spilled")
"""The answers that promise that the event is not lost."""


@dataclass(frozen=True)
class Answer:
    """What a sender got: `word` is the relay's own for 200, the status for others, or `no answer`."""

    word: str
    seconds: float


@dataclass(frozen=True)
class Found:
    """A message as a consumer got it."""

    message_id: str
    dedup_id: str
    queue: str
    topic: str | None
    digest: str
    """Of the event's own bytes, which may have been behind a pointer."""
    by_pointer: bool
    is_dead_letter: bool


@dataclass
class Page:
    """All about one event, or about all requests for one training run."""

    event: Event
    sent: int = 0
    answers: list[Answer] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    @property
    def is_durable(self) -> bool:
        """Whether the relay has answered that it is."""
        return self.due > 0

    @property
    def due(self) -> int:
        """How many events the relay has answered for: each training run that was asked for is one."""
        answered = sum(answer.word in DURABLE for answer in self.answers)
        return answered if self.event.dedup_id is None else min(answered, 1)


class Ledger:
    """One page for each event. All threads write here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: dict[str, Page] = {}
        self._words: Counter[str] = Counter()
        self._found: set[tuple[str, str]] = set()
        self.strangers: list[Found] = []
        """Messages of events that nobody has sent."""

    def send(self, event: Event) -> None:
        """Notes that an event goes out now: it may arrive even if there never is an answer."""
        with self._lock:
            self._pages.setdefault(event.key, Page(event)).sent += 1

    def answer(self, event: Event, answer: Answer) -> None:
        with self._lock:
            self._pages[event.key].answers.append(answer)
            self._words[answer.word] += 1

    def find(self, found: Found) -> None:
        """Notes a message; once only, as one that could not be deleted comes again with the same id."""
        with self._lock:
            if (found.queue, found.message_id) in self._found:
                return
            self._found.add((found.queue, found.message_id))
            page = self._pages.get(found.dedup_id) or self._pages.get(found.digest)
            (page.found if page else self.strangers).append(found)

    @property
    def words(self) -> Counter[str]:
        """How often there was each answer so far."""
        with self._lock:
            return Counter(self._words)

    @property
    def pages(self) -> list[Page]:
        """All pages; to be read when nobody writes any more."""
        with self._lock:
            return list(self._pages.values())
