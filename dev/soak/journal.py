"""Records what the soak sends, the responses and the messages, and finds what is wrong with them."""

import threading
from collections import Counter
from dataclasses import asdict, dataclass, field

from dev.output import Row
from dev.soak.events import Event

DURABLE = ("queued", "unrouted", "spilled")
_SLOWEST_SECONDS = 10.0
_SHOWN = 10


@dataclass(frozen=True)
class Response:
    """`outcome` is the status in the body of a 200, else the HTTP status, or `no response`."""

    outcome: str
    seconds: float


@dataclass(frozen=True)
class Found:
    """A message as a consumer received it."""

    message_id: str
    dedup_id: str
    queue: str
    topic: str | None
    digest: str
    """Of the event's body, which may have been behind a pointer."""
    is_pointer: bool = False


@dataclass
class Entry:
    """Everything about one event, or about all requests for one training run."""

    event: Event
    sent: int = 0
    responses: list[Response] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def count(self, *outcomes: str) -> int:
        return sum(response.outcome in outcomes for response in self.responses)

    @property
    def due(self) -> int:
        """How many events the relay has promised to deliver."""
        durable = self.count(*DURABLE)
        return durable if self.event.dedup_id is None else min(durable, 1)

    def __str__(self) -> str:
        responses = ", ".join(response.outcome for response in self.responses)
        return f"{self.event.kind} {self.event.key}: sent {self.sent}, found {len(self.found)}, responses: {responses}"


@dataclass(frozen=True)
class FaultRecord:
    """A fault that was injected."""

    name: str
    seconds: float
    had_effect: bool
    responses: dict[str, int]
    killed: int
    replayed: int
    kept: tuple[str, ...] = ()
    """Spilled messages that could not be replayed, with reasons."""

    def row(self) -> Row:
        responses = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.responses.items()))
        cells = (self.name, f"{self.seconds:.1f} s", responses, str(self.killed), str(self.replayed))
        return Row(cells, [*([] if self.had_effect else ["no effect on any response"]), *self.kept[:_SHOWN]])


@dataclass
class Report:
    """The figures, and the violations by invariant."""

    figures: dict[str, int | float]
    violations: dict[str, list[str]]
    faults: list[FaultRecord]

    def rows(self) -> list[Row]:
        rows = [Row((name, f"{value:,}")) for name, value in self.figures.items()]
        return rows + [Row((name, str(len(each))), each[:_SHOWN]) for name, each in self.violations.items()]

    @property
    def is_valid(self) -> bool:
        return not any(self.violations.values())

    def to_json(self) -> dict[str, object]:
        return asdict(self)


class Journal:
    """One entry for each event. All threads write here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._message_ids: set[tuple[str, str]] = set()
        self._outcomes: Counter[str] = Counter()
        self.unknown: list[Found] = []
        """Messages of events that were not sent."""

    def send(self, event: Event) -> None:
        """Records a request before it is sent: the event may arrive without a response."""
        with self._lock:
            self._entries.setdefault(event.key, Entry(event)).sent += 1

    def respond(self, event: Event, response: Response) -> None:
        with self._lock:
            self._entries[event.key].responses.append(response)
            self._outcomes[response.outcome] += 1

    def find(self, found: Found) -> None:
        """Records a message once: one that could not be deleted comes again with the same id."""
        with self._lock:
            if (found.queue, found.message_id) not in self._message_ids:
                self._message_ids.add((found.queue, found.message_id))
                entry = self._entries.get(found.dedup_id) or self._entries.get(found.digest)
                (entry.found if entry else self.unknown).append(found)

    @property
    def outcomes(self) -> Counter[str]:
        with self._lock:
            return Counter(self._outcomes)

    def report(self, faults: list[FaultRecord], left_in_spill: list[str], *, is_fifo: bool) -> Report:
        """Evaluates the journal after all threads have ended."""
        entries = list(self._entries.values())
        genuine = [entry for entry in entries if not entry.event.is_forged]
        forged = [entry for entry in entries if entry.event.is_forged]
        found = [(entry, message) for entry in genuine for message in entry.found]
        all_responses = [(entry, response) for entry in entries for response in entry.responses]
        excess = [entry for entry in genuine if _copies(entry) > _allowed_copies(entry)]
        figures: dict[str, int | float] = {
            "events": len(genuine),
            "requests": sum(entry.sent for entry in entries),
            **{f"responses: {outcome}": count for outcome, count in sorted(self._outcomes.items())},
            "slowest response, s": round(max((response.seconds for _, response in all_responses), default=0), 2),
            "messages": len(found),
            "messages with a pointer": sum(message.is_pointer for _, message in found),
            "replayed": sum(fault.replayed for fault in faults),
            **({} if is_fifo else {"duplicates of retries": len(excess)}),
        }
        return Report(
            figures,
            {
                "lost": [str(entry) for entry in genuine if _intact(entry) < entry.due],
                "duplicated": [str(entry) for entry in excess if is_fifo],
                "altered": [
                    str(entry)
                    for entry, it in found
                    if (it.digest, it.topic) != (entry.event.digest, entry.event.topic)
                ],
                "in a wrong queue": [str(entry) for entry, message in found if message.queue != entry.event.queue],
                "never sent": [f"{message.message_id} in {message.queue}" for message in self.unknown],
                "forged, but accepted": [
                    str(it) for it in forged if it.found or any(not _is_rejection(r) for r in it.responses)
                ],
                "genuine, but rejected": [
                    str(entry)
                    for entry, it in all_responses
                    if not (entry.event.is_forged or it.outcome in DURABLE or _is_server_error(it))
                ],
                "slower than 10 s": [str(entry) for entry, it in all_responses if it.seconds > _SLOWEST_SECONDS],
                "left in spill/": left_in_spill,
                "not replayed": [kept for fault in faults for kept in fault.kept],
                "faults without effect": [fault.name for fault in faults if not fault.had_effect],
            },
            faults,
        )


def _intact(entry: Entry) -> int:
    """Counts the events that were found with the bytes that were sent."""
    return len({message.dedup_id for message in entry.found if message.digest == entry.event.digest})


def _copies(entry: Entry) -> int:
    """Counts messages beyond one per event. Each request for a training run may be an event."""
    events = entry.sent if entry.event.dedup_id is None else 1
    return len(entry.found) - min(events, len({message.dedup_id for message in entry.found}))


def _allowed_copies(entry: Entry) -> int:
    """A FIFO queue drops retries, but a spilled message may have reached its queue and is replayed with another id."""
    return entry.count("spilled")


def _is_server_error(response: Response) -> bool:
    return response.outcome.startswith("5") or response.outcome == "no response"


def _is_rejection(response: Response) -> bool:
    return response.outcome == "401" or _is_server_error(response)
