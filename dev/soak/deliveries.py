"""What the soak sends: an endless stream of deliveries of every kind, from a seed, some repeated, all shuffled."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from dev import large
from dev.samples import SECRET, Request, dedup_id, sign

WEBHOOKS = ("labelbox", "project-x")
"""Two webhooks that send the same events: to Labelbox, one may be global and the other of a project."""

_TRAINING = "/training/model_run"
_ALPHABET = [*'abcdefghijklmnopqrstuvwxyz0123456789 "\\/\n{}[]:,', "ä", "ß", "漢", "\u2028", "😀"]


@dataclass(frozen=True)
class Event:
    """What there is to know of an event once it is sent: its body only by its digest, as bodies have megabytes."""

    kind: str
    dedup_id: str | None
    """`None` for a training run, of which each request is an event: its invocation's id is part of the id."""
    queue: str
    topic: str | None
    """What the message's attribute `event` has to say."""
    digest: str
    size: int
    is_genuine: bool = True
    """Whether it has a right signature."""

    @property
    def key(self) -> str:
        """What it is known by: without a dedup id, its body."""
        return self.dedup_id or self.digest


@dataclass(frozen=True)
class Delivery:
    """An event on its way."""

    event: Event
    request: Request


def stream(seed: str) -> Iterator[Delivery]:
    """Batch after batch, shuffled; half of each batch comes with the next one, so that repetitions are near and far."""
    random = Random(seed)
    batch: list[Delivery] = []
    for number in itertools.count():
        for make, times, every in _KINDS:
            for _ in range(times if number % every == 0 else 0):
                batch += make(random)
        random.shuffle(batch)
        # The first batch has one of every kind, and all of it goes out before the second, however short the soak is.
        half = len(batch) // 2 if number else 0
        yield from batch[half:]
        del batch[half:]


def digest(body: bytes) -> str:
    """What bodies are compared by."""
    return hashlib.sha256(body).hexdigest()


def _label(random: Random) -> list[Delivery]:
    """The life of a label: made, changed some times, mostly deleted. Some are v1, others snapshots of their row."""
    make, label = random.choice((_timed, _snapshot)), _id(random)
    topics = ["LABEL_CREATED", *["LABEL_UPDATED"] * random.randint(0, 4), *["LABEL_DELETED"] * random.randint(0, 1)]
    return [
        delivery
        for second, topic in enumerate(topics)
        for delivery in _repeated(random, topic, "label", topic, make(random, label, second))
    ]


def _review(random: Random) -> list[Delivery]:
    topic = random.choice(["REVIEW_CREATED", "review_updated"])
    return _repeated(random, "review", "review", topic, _timed(random, _id(random)))


def _workflow(random: Random) -> list[Delivery]:
    topic = random.choice(["MOVE", "WORKFLOW_ACTION"])
    return _repeated(random, "move", "workflow", topic, _json(random, dataRow={"id": _id(random)}))


def _model_run(random: Random) -> list[Delivery]:
    return _training_run(random, "model run", "model_run", _json(random, modelRunId=_id(random), modelType="ner"))


def _unknown_topic(random: Random) -> list[Delivery]:
    return _repeated(random, "unknown topic", "unrouted", "PROJECT_ARCHIVED", _timed(random, _id(random)))


def _no_topic(random: Random) -> list[Delivery]:
    return _repeated(random, "no topic", "unrouted", None, _timed(random, _id(random)))


def _forged(random: Random) -> list[Delivery]:
    """Signed with another secret: it must never be stored."""
    body = _timed(random, _id(random))
    return [_delivery(random, "forged", "label", "LABEL_UPDATED", body, secret="another secret")]


def _empty(random: Random) -> list[Delivery]:
    return _repeated(random, "empty", "unrouted", "LABEL_UPDATED", b"")


def _no_text(random: Random) -> list[Delivery]:
    """By the training route, where no content type makes the emulator's gateway take a body for text."""
    return _training_run(random, "not UTF-8", "unrouted", b"\xff\xfe" + random.randbytes(700))


def _forbidden(random: Random) -> list[Delivery]:
    body = _timed(random, _id(random), x="\uffff")
    return _repeated(random, "forbidden character", "label", "LABEL_UPDATED", body)


def _of_size(kind: str, smallest: int, largest: int) -> Callable[[Random], list[Delivery]]:
    def make(random: Random) -> list[Delivery]:
        body = _own(random, _sized(random.choice((smallest, (smallest + largest) // 2, largest))))
        return [_delivery(random, kind, "label", "LABEL_UPDATED", body)]

    return make


def _largest(random: Random) -> list[Delivery]:
    """With a few bytes to spare for the headers that this client and this gateway add."""
    body = _own(random, _largest_body())
    return [_delivery(random, "near Lambda's limit", "label", "LABEL_UPDATED", body)]


# Each kind, how often it is in a batch, and in every how many batches.
_KINDS: tuple[tuple[Callable[[Random], list[Delivery]], int, int], ...] = (
    (_label, 10, 1),
    (_review, 5, 1),
    (_workflow, 5, 1),
    (_model_run, 4, 1),
    (_unknown_topic, 2, 1),
    (_no_topic, 2, 1),
    (_forged, 2, 1),
    (_empty, 1, 1),
    (_no_text, 1, 1),
    (_forbidden, 1, 1),
    (_of_size("100 KB", 100_000, 200_000), 3, 1),
    (_of_size("above 1 MiB", 1_048_577, 2_000_000), 2, 1),
    (_of_size("4.3 MB", 4_300_000, 4_300_000), 1, 2),
    (_largest, 1, 6),
)


def _repeated(random: Random, kind: str, queue: str, topic: str | None, body: bytes) -> list[Delivery]:
    """One to three deliveries of an event. Only a label's is the same event whatever the delivery id."""
    times = random.choices((1, 2, 3), (16, 3, 1))[0]
    first = _delivery(random, kind, queue, topic, body)
    again = [_delivery(random, kind, queue, topic, body) if queue == "label" else first for _ in range(times - 1)]
    return [first, *again]


def _training_run(random: Random, kind: str, queue: str, body: bytes) -> list[Delivery]:
    headers = (("X-Hub-Signature", sign(body)), ("Content-Type", "application/octet-stream"))
    event = Event(kind, None, queue, "MODEL_RUN_CREATED", digest(body), len(body))
    return [Delivery(event, Request("POST", _TRAINING, headers, body))] * random.choice((1, 1, 1, 2))


def _delivery(random: Random, kind: str, queue: str, topic: str | None, body: bytes, secret: str = SECRET) -> Delivery:
    webhook, delivery_id = random.choice(WEBHOOKS), _id(random)
    event_id = dedup_id(body, topic, webhook, delivery_id, is_timed=queue == "label")
    headers = [
        ("Content-Type", "application/json"),
        ("X-Hub-Signature", sign(body, secret)),
        ("X-Labelbox-Id", delivery_id),
        *([("X-Labelbox-Event", topic)] if topic else []),
    ]
    event = Event(kind, event_id, queue, topic and topic.upper(), digest(body), len(body), secret == SECRET)
    return Delivery(event, Request("POST", f"/webhooks/{webhook}", tuple(headers), body))


def _id(random: Random) -> str:
    return "c" + "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24))


def _timed(random: Random, id: str, second: int = 0, **fields: object) -> bytes:
    updated_at = f"2026-01-01T00:00:{second:02}.000Z"
    return _json(random, id=id, updatedAt=updated_at, project={"id": "project"}, **fields)


def _snapshot(random: Random, id: str, second: int) -> bytes:
    """A v2 body."""
    details = {"last_activity_at": f"2026-01-01T00:00:{second:02}.000+00:00"}
    return _json(random, data_row={"id": id, "details": details}, projects={"project": {}})


def _json(random: Random, **fields: object) -> bytes:
    """Mostly 1 to 3 KB, with characters that JSON has to escape and UTF-8 has to encode."""
    label = "".join(random.choices(_ALPHABET, k=random.randint(500, 2500)))
    return json.dumps({**fields, "label": label}, ensure_ascii=False).encode()


_sized = cache(large.label)


@cache
def _largest_body() -> bytes:
    return large.largest_label()[:-2048]


def _own(random: Random, body: bytes) -> bytes:
    """The same body with an id of its own, of the same length."""
    body_id = json.loads(body)["id"].encode()
    return body.replace(body_id, _id(random).encode(), 1)
