"""The example consumers keep the newest event of each entity, in whatever order and however often events arrive.

`examples/newest-wins.json` has the cases of the rule, and each example's own tests run them.
"""

import hashlib
import json
import os
import random
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import SECRETS
from consumers import EXAMPLES, Consumer, Event, Feed, Node, Python, feed, wait

from dev import environment, processes
from dev.build import SAM, SAM_CONFIG
from dev.emulator import Emulator
from dev.paths import Instance
from dev.samples import SECRET, sign
from dev.stack import Stack

NOT_UTF8 = b'{"id":"\xff\xfe\x00"}'
WEBHOOKS = {"labelbox": SECRET, "project-x": SECRETS["project-x"][0]}
Kept = dict[str, tuple[str, str, str]]


@pytest.fixture
def events(running: Emulator, queue_type: str) -> Iterator[Feed]:
    with feed(running, queue_type) as new:
        yield new


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get("SEED", random.randrange(10**9)))
    print(f"SEED={seed}")
    return random.Random(seed)


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}.000Z"


def label(second: int, payload: bytes | None = None, entity_id: str = "a label") -> Event:
    by_pointer = payload is not None
    payload = payload if payload is not None else json.dumps([entity_id, second]).encode()
    return Event("LABEL_UPDATED", "label", payload, entity_id, at(second), by_pointer)


def shuffled_stream(rng: random.Random) -> list[Event]:
    """Returns events of many entities at few times, so that many are equal, each one to three times."""
    events = [
        Event("MODEL_RUN_CREATED", "model_run", b'{"modelRunId":"run"}', "run"),
        Event("MOVE", "workflow", b'{"dataRow":{"id":"1"}}', "1"),
        Event("FUTURE_TOPIC", "unrouted", b"[]", occurred_at=at(1)),
        Event("LABEL_UPDATED", "unrouted", b"", by_pointer=True),
        Event("LABEL_UPDATED", "label", rng.randbytes(4_300_000), "large", at(9), by_pointer=True),
    ]
    for entity, prefix in (("label", "LABEL"), ("review", "REVIEW"), ("workflow", "WORKFLOW")):
        for entity_id in ("1", "2", "größer als 3", "event#5"):
            for n in range(rng.randint(2, 5)):
                topic = f"{prefix}_{rng.choice(['CREATED', 'UPDATED', 'UPDATED', 'DELETED'])}"
                payload = json.dumps(
                    {"of": [entity, entity_id, n], "text": "u" * rng.choice([0, 100, 20_000])}
                ).encode()
                is_text = rng.random() < 0.9
                payload = payload if is_text else payload + b"\xff"
                occurred_at = at(rng.randint(0, 3))
                events.append(Event(topic, entity, payload, entity_id, occurred_at, not is_text or rng.random() < 0.2))
    copies = [event for event in events for _ in range(rng.choice([1, 1, 2, 3]))]
    deliveries = [replace(event, received_at=at(10 + rng.randint(0, 9))) for event in copies]
    rng.shuffle(deliveries)
    return deliveries


def expected(deliveries: list[Event]) -> Kept:
    """The rule: the newest of each entity, and of two with the same time the one that was received later."""
    kept = {}
    for event in sorted(deliveries, key=lambda each: (each.occurred_at or "", each.received_at, each.dedup_id)):
        is_ordered = event.entity_id is not None and event.occurred_at is not None
        id = f"{event.entity}#{event.entity_id}" if is_ordered else f"event#{event.dedup_id}"
        kept[id] = (event.dedup_id, event.received_at, hashlib.sha256(event.payload).hexdigest())
    return kept


def kept(events: Feed, table: str | None = None) -> Kept:
    items = events.items(table)
    return {id: (item["dedup_id"], item["received_at"], item["sha256"]) for id, item in items.items()}


def test_keeps_the_newest_of_a_shuffled_and_repeated_stream(
    consumer: Consumer, events: Feed, rng: random.Random
) -> None:
    deliveries = shuffled_stream(rng)
    for delivery in deliveries:
        events.deliver(delivery)
    done = consumer.drain(events)
    assert done.is_success
    assert kept(events) == expected(deliveries)
    assert events.count() == 0
    assert len(set(done.lines)) == len(done.lines) >= len(expected(deliveries)), "processes no event twice"


def test_consumers_in_parallel_keep_the_same(consumer: Consumer, events: Feed, rng: random.Random) -> None:
    deliveries = shuffled_stream(rng)
    for delivery in deliveries:
        events.deliver(delivery)
    for program in [consumer.start(events), Python().start(events)]:
        assert wait(program).is_success
    assert kept(events) == expected(deliveries)


@pytest.mark.parametrize("kind", [Python, Node])
def test_events_of_a_forgotten_window_are_processed_again(
    kind: type[Python | Node], events: Feed, built: tuple[Instance, Path]
) -> None:
    consumer = kind.prepare(built[0])
    # More than one page of a scan, which has up to 1 MB.
    stream = [replace(label(1, entity_id=f"{n} {'x' * 2000}"), received_at=at(n % 3)) for n in range(600)]
    for event in stream:
        events.deliver(event)
    assert consumer.drain(events).is_success
    assert consumer.forget(events, (at(1), at(2))) == 200
    for event in stream[:30]:
        events.deliver(event)
    done = consumer.drain(events)
    assert (done.is_success, len(done.lines)) == (True, 10), "those received at another time are known"
    assert kept(events) == expected([event for n, event in enumerate(stream) if n % 3 != 1 or n < 30])


def test_failed_events_stay_in_the_queue(consumer: Consumer, events: Feed) -> None:
    events.deliver(label(1, NOT_UTF8, "without its payload"), keep_payload=False)
    events.deliver(label(1))
    done = consumer.drain(events)
    assert not done.is_success and "NoSuchKey" in done.log
    assert events.items().keys() == {"label#a label"}
    assert events.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="python"),
        pytest.param({"CodeUri": "node/", "Runtime": "nodejs22.x"}, id="node", marks=pytest.mark.extended),
    ],
)
def test_example_function_leaves_failed_events_in_the_queue(
    changes: dict[str, str], events: Feed, running: Emulator
) -> None:
    Node.prepare(running.instance)
    deliveries = [label(1), label(3), label(2)]
    events.deliver(label(1, b"", "without its payload"), keep_payload=False)
    for event in deliveries:
        events.deliver(event)
    table = deploy_example_function(events, **changes)
    deadline = time.monotonic() + 60
    while events.count() > 1:
        assert time.monotonic() < deadline, events.count()
        time.sleep(0.1)
    assert kept(events, table) == expected(deliveries)


def deploy_example_function(events: Feed, **changes: str) -> str:
    """Deploys examples/template.yaml with changed lines. Returns the name of its table."""
    template = (EXAMPLES / "template.yaml").read_text()
    for name, value in changes.items():
        template, replaced = re.subn(rf"(?<= {name}: ).*", value, template)
        assert replaced == 1, name
    emulator, name = events.emulator, events.name
    folder = emulator.instance.temporary / name
    folder.mkdir()
    for language in ("python", "node"):
        (folder / language).symlink_to(EXAMPLES / language)
    (folder / "template.yaml").write_text(template)
    queue = emulator.client("sqs").get_queue_attributes(QueueUrl=events.queue, AttributeNames=["QueueArn"])
    deploy = [
        *(*SAM, "deploy", *SAM_CONFIG, "--template-file", str(folder / "template.yaml"), "--stack-name", name),
        *("--s3-bucket", name, "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"),
        *("--parameter-overrides", f"QueueArn={queue['Attributes']['QueueArn']} PayloadBucketName={name}"),
    ]
    settings = environment.for_emulator(emulator.instance, emulator.endpoint)
    processes.run("sam deploy", deploy, settings, emulator.instance.log(f"deploy-{name}"))
    shutil.rmtree(folder)
    stack = Stack(emulator, name, {})
    return {logical: physical for physical, logical in stack.resources().items()}["Newest"]


@dataclass(frozen=True)
class State:
    """What Labelbox sends about an entity at one moment."""

    topic: str
    id: str
    body: bytes


def data_row(rng: random.Random, steps: int) -> Iterator[State]:
    """Yields snapshots (v2) of a row whose labels are created, edited, deleted and moved."""
    row, now, labels = cuid(rng), datetime(2026, 1, 1, tzinfo=UTC), [cuid(rng)]
    for step in range(steps + 1):
        now += timedelta(milliseconds=rng.choice([1001, 5040, 3_600_000]))
        topic = rng.choice(["LABEL_CREATED", "LABEL_UPDATED", "LABEL_DELETED", "WORKFLOW_ACTION", "MOVE"])
        labels = labels[1:] if topic == "LABEL_DELETED" else [*labels, cuid(rng)]
        # Labelbox leaves the row's other times at those of the import.
        details = {
            "updated_at": "2025-12-01T00:00:00.000+00:00",
            "last_activity_at": now.isoformat(timespec="milliseconds"),
        }
        project = {"labels": [{"id": id, "label_details": {}} for id in labels], "project_details": {"step": step}}
        body = {"data_row": {"id": row, "details": details}, "projects": {"project": project}}
        yield State(topic, f"{'label' if topic.startswith('LABEL') else 'workflow'}#{row}", json.dumps(body).encode())


def label_v1(rng: random.Random, edits: int) -> Iterator[State]:
    """Yields a label (v1) that is created, changed and deleted."""
    id = cuid(rng)
    for n, topic in enumerate(["LABEL_CREATED", *["LABEL_UPDATED"] * edits, "LABEL_DELETED"]):
        times = {"createdAt": "2026-02-01T00:00:00Z", "updatedAt": f"2026-02-01T00:00:{n:02}Z"}
        yield State(topic, f"label#{id}", json.dumps({"id": id, **times, "dataRow": {"id": cuid(rng)}}).encode())


def cuid(rng: random.Random) -> str:
    return "c" + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24))


def test_the_last_state_of_each_entity_remains_behind_relay_and_consumer(
    empty: Stack, consumer: Consumer, rng: random.Random
) -> None:
    histories = [list(data_row(rng, steps)) for steps in (0, 3, 12)] + [list(label_v1(rng, edits)) for edits in (0, 4)]
    last = {state.id: state.body for history in histories for state in history}
    deliveries: list[tuple[State, str, str]] = []
    for state in (state for history in histories for state in history):
        for webhook in WEBHOOKS:
            ids = [cuid(rng) for _ in range(rng.choice([1, 1, 2]))]
            deliveries += [(state, webhook, id) for id in rng.choice([ids, ids[:1] * 2])]
    rng.shuffle(deliveries)
    with feed(empty.emulator, "standard") as new:
        for half in (deliveries[::2], deliveries[1::2]):
            for state, webhook, id in half:
                headers = [
                    ("Content-Type", "application/json"),
                    ("X-Hub-Signature", sign(state.body, WEBHOOKS[webhook])),
                    *(("X-Labelbox-Event", state.topic), ("X-Labelbox-Id", id)),
                ]
                assert empty.send("POST", f"/webhooks/{webhook}", headers, state.body).status == 200
            # The SDK for JavaScript warns if a queue's host is not that of the endpoint.
            queues = [empty.queue_url(entity).replace("localhost", "127.0.0.1") for entity in ("label", "workflow")]
            for program in [consumer.start(new, queue) for queue in queues]:
                assert wait(program).is_success
        found: dict[str, Any] = {id: item["sha256"] for id, item in new.items().items()}
    assert found == {id: hashlib.sha256(body).hexdigest() for id, body in last.items()}
