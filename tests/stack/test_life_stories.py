"""Life stories of rows and labels, through relay, queues and example consumers: what is left is the last state.

The relay says which entity an event is about and when it happened; a consumer keeps the newest. Neither is right unless
both are, so these tests know nothing of attributes or ids: they compare the last body that Labelbox would have sent.
"""

import hashlib
import json
import os
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import SECRETS
from consumers import Consumer, consumer  # noqa: F401 (a fixture)
from feed import Feed, feed

from dev.samples import SECRET, sign
from dev.stack import Stack

WEBHOOKS = {"labelbox": SECRET, "project-x": SECRETS["project-x"][0]}
"""A global webhook and a project's one: each sends every event."""


@dataclass(frozen=True)
class State:
    """What Labelbox sends of an entity at one moment."""

    topic: str
    entity_id: str
    body: bytes

    @property
    def queue(self) -> str:
        return "label" if self.topic.startswith("LABEL_") else "workflow"


class Row:
    """A data row in the shape of Labelbox's export (v2): each of its events is a snapshot of all that it has."""

    def __init__(self, rng: random.Random, has_activity_time: bool = True) -> None:
        self._rng, self._has_activity_time = rng, has_activity_time
        self.id, self._project = cuid(rng), cuid(rng)
        self._imported = self._now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=rng.randrange(24))
        self._labels: list[dict[str, Any]] = []
        self._history: list[dict[str, str]] = []
        self._queue = "Initial labeling task"

    def life(self, steps: int) -> Iterator[State]:
        yield self._add()
        for _ in range(steps):
            steps_of_a_row = [self._add, self._edit, self._move, self._move]
            # What is deleted leaves no time of its own in a row that does not say when it was last active.
            step = self._rng.choice([*steps_of_a_row, self._delete] if self._has_activity_time else steps_of_a_row)
            yield step() if self._labels or step == self._move else self._add()

    def _add(self) -> State:
        self._pass_time()
        created = self._time(0)
        details = {"created_at": created, "updated_at": created, "content_last_updated_at": self._time(-300)}
        self._labels.append({"id": cuid(self._rng), "label_kind": "Default", "label_details": details, "n": 0})
        # Labelbox sets this on all labels of a row when another one comes: it is no sign of an edit.
        for label in self._labels:
            label["label_details"]["updated_at"] = created
        return self._snapshot("LABEL_CREATED")

    def _edit(self) -> State:
        self._pass_time()
        label = self._rng.choice(self._labels)
        label["label_details"] |= {"updated_at": self._time(0), "content_last_updated_at": self._time(-300)}
        label["n"] += 1
        return self._snapshot("LABEL_UPDATED")

    def _delete(self) -> State:
        self._pass_time()
        self._labels.remove(self._rng.choice(self._labels))
        return self._snapshot("LABEL_DELETED")

    def _move(self) -> State:
        """From one queue to the other, and back with the next move."""
        self._pass_time()
        there = "Initial review task" if self._queue == "Initial labeling task" else "Initial labeling task"
        step = {"created_at": self._time(-7), "previous_task_name": self._queue, "next_task_name": there}
        self._history.insert(0, {"action": "Move", **step})
        self._queue = there
        return self._snapshot(self._rng.choice(["WORKFLOW_ACTION", "MOVE"]))

    def _pass_time(self) -> None:
        self._now += timedelta(milliseconds=self._rng.choice([1001, 5040, 3_600_000]))

    def _time(self, milliseconds: int) -> str:
        return iso(self._now + timedelta(milliseconds=milliseconds))

    def _snapshot(self, topic: str) -> State:
        imported = iso(self._imported)
        times = {"created_at": imported, "updated_at": imported}
        if self._has_activity_time:
            times["last_activity_at"] = self._time(13)
        project = {
            "labels": self._labels,
            "project_details": {"task_name": self._queue, "workflow_history": self._history},
        }
        body = {"data_row": {"id": self.id, "details": times}, "projects": {self._project: project}}
        return State(topic, self.id, json.dumps(body).encode())


def label_v1(rng: random.Random, edits: int) -> Iterator[State]:
    """A label in the shape of webhooks that are made with the SDK (v1): created, changed, deleted."""
    id, now = cuid(rng), datetime(2026, 2, 1, tzinfo=UTC)
    times = {"createdAt": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
    for n, topic in enumerate(["LABEL_CREATED", *["LABEL_UPDATED"] * edits, "LABEL_DELETED"]):
        times["updatedAt"] = (now + timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {"id": id, **times, "deleted": topic == "LABEL_DELETED", "dataRow": {"id": cuid(rng)}}
        yield State(topic, id, json.dumps(body).encode())


def cuid(rng: random.Random) -> str:
    return "c" + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24))


def iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")


Delivery = tuple[State, str, str, str]
"""A state, the webhook, its secret and the delivery id."""


def deliveries_of(rng: random.Random, states: list[State]) -> list[Delivery]:
    """Each state by both webhooks, some of them twice, in any order."""
    deliveries = []
    for state in states:
        for webhook, secret in WEBHOOKS.items():
            again = rng.random() < 0.3
            ids = [cuid(rng)] * 2 if again and rng.random() < 0.5 else [cuid(rng) for _ in range(1 + again)]
            deliveries += [(state, webhook, secret, id) for id in ids]
    rng.shuffle(deliveries)
    return deliveries


def deliver(stack: Stack, deliveries: list[Delivery]) -> None:
    for state, webhook, secret, id in deliveries:
        signature = ("X-Hub-Signature", sign(state.body, secret))
        headers = [signature, ("X-Labelbox-Event", state.topic), ("X-Labelbox-Id", id)]
        headers.append(("Content-Type", "application/json"))
        assert stack.send("POST", f"/webhooks/{webhook}", headers, state.body).status == 200


def table_of(stack: Stack, consumer: Consumer, fed: Feed) -> dict[str, str]:
    """What a consumer leaves of both queues: of each entity, the digest of the body that it kept."""
    for queue in ("label", "workflow"):
        # The SDK for JavaScript warns if a queue's host is not that of the endpoint.
        url = stack.queue_url(queue).replace("localhost", "127.0.0.1")
        assert consumer.drain(replace(fed, queue=url)).all_done
    return {id: item["sha256"] for id, item in fed.items().items()}


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get("SEED", random.randrange(10**9)))
    print(f"SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def fed(empty: Stack) -> Iterator[Feed]:
    with feed(empty.emulator, "standard") as new:
        yield new


def test_the_last_state_of_every_entity_is_left(
    empty: Stack, consumer: Consumer, fed: Feed, rng: random.Random
) -> None:
    lives = [list(Row(rng).life(steps)) for steps in (0, 3, 8, 12)]
    lives += [list(Row(rng, has_activity_time=False).life(steps)) for steps in (0, 8)]
    lives += [list(label_v1(rng, edits)) for edits in (0, 4)]
    last: dict[str, State] = {}
    for life in lives:
        last |= {f"{state.queue}#{state.entity_id}": state for state in life}
    deliveries = deliveries_of(rng, [state for life in lives for state in life])
    half = len(deliveries) // 2
    deliver(empty, deliveries[:half])
    table_of(empty, consumer, fed)  # the other half meets what the consumer has kept of this one
    deliver(empty, deliveries[half:])
    expected = {id: hashlib.sha256(state.body).hexdigest() for id, state in last.items()}
    assert table_of(empty, consumer, fed) == expected


def test_moves_that_do_not_say_when_are_facts_of_their_own(
    empty: Stack, consumer: Consumer, fed: Feed, rng: random.Random
) -> None:
    row = cuid(rng)
    there, back = (json.dumps({"dataRow": {"id": row}, "to": to}).encode() for to in ("review", "labeling"))
    deliver(empty, deliveries_of(rng, [State("MOVE", row, body) for body in (there, back, there)]))
    kept = defaultdict(set)
    for id, digest in table_of(empty, consumer, fed).items():
        assert id.startswith("event#")
        kept[digest].add(id)
    # By two webhooks each, so six; a delivery that came again is the same one.
    found = {digest: len(ids) for digest, ids in kept.items()}
    digests = (hashlib.sha256(body).hexdigest() for body in (there, back))
    assert all(found.pop(digest) >= least for digest, least in zip(digests, (4, 2), strict=True))
    assert not found
