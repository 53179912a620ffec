"""The events of the soak: random ones of every kind, from a seed."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from dev import samples
from dev.samples import SECRET, Request, dedup_id, sign

WEBHOOKS = ("labelbox", "project-x")
_ALPHABET = [*'abcdefghijklmnopqrstuvwxyz0123456789 "\\/\n{}[]:,', "ä", "ß", "漢", "\u2028", "😀"]
_TOPICS: dict[str, tuple[str | None, ...]] = {
    "label": ("LABEL_CREATED", "LABEL_UPDATED", "label_deleted"),
    "review": ("REVIEW_CREATED", "review_updated"),
    "workflow": ("MOVE", "WORKFLOW_ACTION"),
    "unrouted": ("PROJECT_ARCHIVED", None),
}
_SIZES = {"100 KB": 100_000, "above 1 MiB": 1_050_000, "4.3 MB": 4_300_000}
_KINDS = {
    "label": 40,
    "review": 15,
    "workflow": 15,
    "unrouted": 10,
    "model run": 10,
    "forged": 5,
    "empty": 2,
    "not UTF-8": 2,
    "character that SQS rejects": 2,
    "100 KB": 5,
    "above 1 MiB": 1,
    "4.3 MB": 0.2,
}
"""Each kind with its weight."""


@dataclass(frozen=True)
class Event:
    """An event, and what its message must be. Its body is only in the request, as it may have megabytes."""

    kind: str
    request: Request
    dedup_id: str | None
    """`None` for a training run: each request is an event, and the invocation's id is part of the id."""
    queue: str
    topic: str | None
    digest: str
    """SHA-256 of the body."""

    @property
    def key(self) -> str:
        return self.dedup_id or self.digest

    @property
    def is_forged(self) -> bool:
        return self.kind == "forged"


def stream(seed: str) -> Iterator[Event]:
    """Yields one event of each kind, and then random ones."""
    random = Random(seed)
    for kind in _KINDS:
        yield _event(random, kind)
    while True:
        [kind] = random.choices(list(_KINDS), list(_KINDS.values()))
        yield _event(random, kind)


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _event(random: Random, kind: str) -> Event:
    if kind in ("model run", "not UTF-8"):
        # Only without a content type of text does the emulator's gateway encode a body in base64.
        is_run = kind == "model run"
        body = _json(random, modelRunId=_id(random)) if is_run else b"\xff\xfe" + random.randbytes(700)
        binary = (("X-Hub-Signature", sign(body)), ("Content-Type", "application/octet-stream"))
        request = Request("POST", "/training/model_run", binary, body)
        return Event(kind, request, None, "model_run" if is_run else "unrouted", "MODEL_RUN_CREATED", digest(body))
    queue = kind if kind in _TOPICS else "unrouted" if kind == "empty" else "label"
    topic = random.choice(_TOPICS[kind if kind in _TOPICS else "label"])
    webhook, delivery_id = random.choice(WEBHOOKS), _id(random)
    body = _body(random, kind)
    headers = (
        ("Content-Type", "application/json"),
        ("X-Hub-Signature", sign(body, "another secret" if kind == "forged" else SECRET)),
        ("X-Labelbox-Id", delivery_id),
        *([("X-Labelbox-Event", topic)] if topic else []),
    )
    id = dedup_id(body, topic, webhook, delivery_id, is_timed=queue == "label")
    request = Request("POST", f"/webhooks/{webhook}", headers, body)
    return Event(kind, request, id, queue, topic and topic.upper(), digest(body))


def _body(random: Random, kind: str) -> bytes:
    if kind in _SIZES:
        body = _sized_label(_SIZES[kind])
        return body.replace(json.loads(body)["id"].encode(), _id(random).encode(), 1)
    if kind == "empty":
        return b""
    if kind == "workflow":
        return _json(random, dataRow={"id": _id(random)})
    fields: dict[str, object] = {"x": "\uffff"} if kind == "character that SQS rejects" else {}
    if random.random() < 0.5:
        details = {"last_activity_at": "2026-01-01T00:00:00.000+00:00"}
        return _json(random, data_row={"id": _id(random), "details": details}, projects={"project": {}}, **fields)
    return _json(random, id=_id(random), updatedAt="2026-01-01T00:00:00.000Z", project={"id": "project"}, **fields)


_sized_label = cache(samples.label)


def _json(random: Random, **fields: object) -> bytes:
    text = "".join(random.choices(_ALPHABET, k=random.randint(500, 2500)))
    return json.dumps({**fields, "label": text}, ensure_ascii=False).encode()


def _id(random: Random) -> str:
    return "c" + "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24))
