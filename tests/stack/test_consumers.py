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
from dataclasses import replace

import pytest
from consumers import EXAMPLES, PYTHON, Consumer, Event, Feed, feed, node, wait

from dev import environment
from dev.deploy import sam_deploy
from dev.emulator import Emulator
from dev.stack import Stack

NOT_UTF8 = b'{"id":"\xff\xfe\x00"}'
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
    done = wait(consumer.start(events))
    assert done.is_success
    assert kept(events) == expected(deliveries)
    assert events.count() == 0
    assert len(set(done.lines)) == len(done.lines) >= len(expected(deliveries)), "processes no event twice"


def test_consumers_in_parallel_keep_the_same(consumer: Consumer, events: Feed, rng: random.Random) -> None:
    deliveries = shuffled_stream(rng)
    for delivery in deliveries:
        events.deliver(delivery)
    for program in [consumer.start(events), PYTHON.start(events)]:
        assert wait(program).is_success
    assert kept(events) == expected(deliveries)


def test_failed_events_stay_in_the_queue(consumer: Consumer, events: Feed) -> None:
    events.deliver(label(1, NOT_UTF8, "without its payload"), keep_payload=False)
    events.deliver(label(1))
    done = wait(consumer.start(events))
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
    if changes:
        node(running.instance)
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
    parameters = {"QueueArn": queue["Attributes"]["QueueArn"], "PayloadBucketName": name}
    settings, log = environment.for_emulator(emulator.instance, emulator.endpoint), emulator.instance.log(name)
    sam_deploy(folder, name, parameters, settings, log, "--s3-bucket", name)
    shutil.rmtree(folder)
    stack = Stack(emulator, name, {})
    return {logical: physical for physical, logical in stack.resources().items()}["Newest"]
