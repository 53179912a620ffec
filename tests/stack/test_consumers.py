"""The example consumers keep the newest event of each entity, in whatever order and however often events arrive.

`examples/newest-wins.json` has the cases of the rule, and each example's own tests run them.
"""

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from repair import attributes, pointer

from dev import environment, processes
from dev.deploy import sam_deploy
from dev.emulator import Emulator
from dev.paths import PROJECT, TOOLS, Instance
from dev.stack import Stack

SECONDS = 120
EXAMPLES = PROJECT / "examples"
NOT_UTF8 = b'{"id":"\xff\xfe\x00"}'
Program = tuple[str, ...]
EXTENDED = pytest.mark.extended
PYTHON = (sys.executable, str(EXAMPLES / "python" / "consumer.py"))
Kept = dict[str, tuple[str, str, str]]


@dataclass(frozen=True)
class Event:
    topic: str
    entity: str
    payload: bytes
    entity_id: str | None = None
    occurred_at: str | None = None
    by_pointer: bool = False
    received_at: str = "2026-01-01T00:00:00.000Z"

    @property
    def dedup_id(self) -> str:
        """Any id that is unique for the event serves the consumers."""
        return hashlib.sha256(self.topic.encode() + b"\n" + self.payload).hexdigest()

    @property
    def group_id(self) -> str:
        return hashlib.sha256(self.entity_id.encode()).hexdigest() if self.entity_id else self.dedup_id

    def attributes(self) -> dict[str, dict[str, Any]]:
        optional = {"entity_id": self.entity_id, "occurred_at": self.occurred_at}
        return attributes(
            **{name: value for name, value in optional.items() if value is not None},
            event=self.topic,
            entity=self.entity,
            received_at=self.received_at,
            delivery_id=uuid.uuid4().hex,
            dedup_id=self.dedup_id,
        )


@dataclass(frozen=True)
class Feed:
    """A queue, a bucket and a table of one test."""

    emulator: Emulator
    name: str
    queue: str

    def deliver(self, event: Event, *, keep_payload: bool = True) -> None:
        """Sends an event in the relay's format. FIFO queues do not drop repetitions: they count as late ones."""
        group = {"MessageGroupId": event.group_id, "MessageDeduplicationId": uuid.uuid4().hex}
        message = {"MessageBody": event.payload.decode("latin-1"), "MessageAttributes": event.attributes()}
        if event.by_pointer:
            key = f"payloads/{event.dedup_id}/{uuid.uuid4()}"
            if keep_payload:
                self.emulator.client("s3").put_object(Bucket=self.name, Key=key, Body=event.payload)
            message = pointer(self.name, key, len(event.payload), event.attributes())
        message |= group if self.queue.endswith(".fifo") else {}
        self.emulator.client("sqs").send_message(QueueUrl=self.queue, **message)

    def items(self, table: str | None = None) -> dict[str, dict[str, Any]]:
        """Returns what the table contains, by id, with plain values."""
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=table or self.name)
        items = [item for page in pages for item in page["Items"]]
        return {item["id"]["S"]: {name: next(iter(value.values())) for name, value in item.items()} for item in items}

    def count(self) -> int:
        """Counts the messages in the queue, including those that were received and not deleted."""
        return Stack(self.emulator, self.name, {}).count_in(self.queue)


@dataclass(frozen=True)
class Ended:
    """How a consumer exited, and what it wrote."""

    is_success: bool
    lines: list[str]
    """One for each event that it processed."""
    log: str


def start(program: Program, feed: Feed) -> "subprocess.Popen[str]":
    """Starts a consumer, which polls until the queue is empty."""
    words = [*program, feed.queue, feed.name, "--until-empty"]
    variables = environment.for_emulator(feed.emulator.instance, feed.emulator.endpoint)
    return subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait(program: "subprocess.Popen[str]") -> Ended:
    try:
        lines, log = program.communicate(timeout=SECONDS)
    finally:
        program.kill()
    assert program.returncode in (0, 1), log
    assert "will be received again" in log if program.returncode else not log, log
    return Ended(program.returncode == 0, lines.splitlines(), log)


def install_node(instance: Instance) -> None:
    install = [str(TOOLS / "npm"), "install", "--prefix", str(EXAMPLES / "node"), "--no-audit", "--no-fund"]
    processes.run("npm install", install, environment.for_building(instance), instance.log("npm"))


@pytest.fixture(scope="module", params=["python", *(pytest.param(it, marks=EXTENDED) for it in ("rust", "node"))])
def consumer(request: pytest.FixtureRequest, built: tuple[Instance, Path]) -> Program:
    """Each of the example programs."""
    if request.param == "node":
        install_node(built[0])
    rust = (str(built[1].parent / "examples" / "consumer"),)
    node = (str(TOOLS / "node"), str(EXAMPLES / "node" / "consumer.js"))
    return {"python": PYTHON, "rust": rust, "node": node}[str(request.param)]


@pytest.fixture
def events(running: Emulator, queue_type: str) -> Feed:
    name, is_fifo = f"feed-{uuid.uuid4()}", queue_type == "fifo"
    # What failed must not be received again during a test.
    settings = {"VisibilityTimeout": "600", **({"FifoQueue": "true"} if is_fifo else {})}
    queue = running.client("sqs").create_queue(QueueName=name + ".fifo" * is_fifo, Attributes=settings)["QueueUrl"]
    running.client("s3").create_bucket(Bucket=name)
    running.client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return Feed(running, name, queue)


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
    consumer: Program, events: Feed, rng: random.Random
) -> None:
    deliveries = shuffled_stream(rng)
    for delivery in deliveries:
        events.deliver(delivery)
    done = wait(start(consumer, events))
    assert done.is_success
    assert kept(events) == expected(deliveries)
    assert events.count() == 0
    assert len(set(done.lines)) == len(done.lines) >= len(expected(deliveries)), "processes no event twice"


def test_consumers_in_parallel_keep_the_same(consumer: Program, events: Feed, rng: random.Random) -> None:
    deliveries = shuffled_stream(rng)
    for delivery in deliveries:
        events.deliver(delivery)
    for program in [start(consumer, events), start(PYTHON, events)]:
        assert wait(program).is_success
    assert kept(events) == expected(deliveries)


def test_failed_events_stay_in_the_queue(consumer: Program, events: Feed) -> None:
    events.deliver(label(1, NOT_UTF8, "without its payload"), keep_payload=False)
    events.deliver(label(1))
    done = wait(start(consumer, events))
    assert not done.is_success and "NoSuchKey" in done.log
    assert events.items().keys() == {"label#a label"}
    assert events.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="python"),
        pytest.param({"CodeUri": "node/", "Runtime": "nodejs22.x"}, id="node", marks=EXTENDED),
    ],
)
def test_example_function_leaves_failed_events_in_the_queue(
    changes: dict[str, str], events: Feed, running: Emulator
) -> None:
    if changes:
        install_node(running.instance)
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
