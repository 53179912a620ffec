"""Queues with events in the relay's format, and the example consumers that receive them."""

import fcntl
import hashlib
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from repair import POINTER, attributes

from dev import environment, processes
from dev.build import WORKSPACE
from dev.emulator import Emulator
from dev.paths import LOCAL, PROJECT, TOOLS, Instance
from dev.stack import Stack

_SECONDS = 120
EXAMPLES = PROJECT / "examples"


@dataclass(frozen=True)
class Event:
    """One delivery of an event."""

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
        values, body = event.attributes(), event.payload.decode("latin-1")
        if event.by_pointer:
            key = f"payloads/{event.dedup_id}/{uuid.uuid4()}"
            if keep_payload:
                self.emulator.client("s3").put_object(Bucket=self.name, Key=key, Body=event.payload)
            values["ExtendedPayloadSize"] = {"DataType": "Number", "StringValue": str(len(event.payload))}
            body = json.dumps([POINTER, {"s3BucketName": self.name, "s3Key": key}], separators=(",", ":"))
        self.emulator.client("sqs").send_message(
            QueueUrl=self.queue,
            MessageBody=body,
            MessageAttributes=values,
            **(group if self.queue.endswith(".fifo") else {}),
        )

    def items(self, table: str | None = None) -> dict[str, dict[str, Any]]:
        """Returns what the table contains, by id, with plain values."""
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=table or self.name)
        items = [item for page in pages for item in page["Items"]]
        return {item["id"]["S"]: {name: next(iter(value.values())) for name, value in item.items()} for item in items}

    def count(self) -> int:
        """Counts the messages in the queue, including those that were received and not deleted."""
        return Stack(self.emulator, self.name, {}).count_in(self.queue)


@contextmanager
def feed(emulator: Emulator, queue_type: str) -> Iterator[Feed]:
    """Creates a feed for as long as the block runs."""
    name = f"feed-{uuid.uuid4()}"
    sqs, s3, dynamodb = (emulator.client(service) for service in ("sqs", "s3", "dynamodb"))
    is_fifo = queue_type == "fifo"
    # What failed must not be received again during a test.
    attributes = {"VisibilityTimeout": "600", **({"FifoQueue": "true"} if is_fifo else {})}
    queue = sqs.create_queue(QueueName=name + ".fifo" * is_fifo, Attributes=attributes)["QueueUrl"]
    s3.create_bucket(Bucket=name)
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield Feed(emulator, name, queue)
    sqs.delete_queue(QueueUrl=queue)
    dynamodb.delete_table(TableName=name)


@dataclass(frozen=True)
class Ended:
    """How a consumer exited, and what it wrote."""

    is_success: bool
    lines: list[str]
    """One for each event that it processed."""
    log: str


@dataclass(frozen=True)
class Consumer:
    """One of the example programs."""

    program: tuple[str, ...]

    def start(self, feed: Feed) -> "subprocess.Popen[str]":
        """Starts polling until the queue is empty."""
        program = [*self.program, feed.queue, feed.name, "--until-empty"]
        variables = environment.for_emulator(feed.emulator.instance, feed.emulator.endpoint)
        return subprocess.Popen(program, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


PYTHON = Consumer((sys.executable, str(EXAMPLES / "python" / "consumer.py")))


def node(instance: Instance) -> Consumer:
    """Installs the dependencies of `examples/node`."""
    with (LOCAL / "node.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install = [str(TOOLS / "npm"), "install", "--prefix", str(EXAMPLES / "node"), "--no-audit", "--no-fund"]
        processes.run("npm install", install, environment.for_building(instance), instance.log("npm"))
    return Consumer((str(TOOLS / "node"), str(EXAMPLES / "node" / "consumer.js")))


def rust(instance: Instance) -> Consumer:
    """Builds `examples/rust`."""
    build = ["cargo", "build", *WORKSPACE, "--example", "consumer", "--message-format", "json"]
    variables = environment.for_building(instance)
    built = subprocess.run(build, env=variables, cwd=PROJECT, capture_output=True, text=True, check=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    [program] = [each["executable"] for each in messages if each.get("target", {}).get("kind") == ["example"]]
    return Consumer((program,))


def wait(program: "subprocess.Popen[str]") -> Ended:
    """Waits until a consumer exits."""
    try:
        lines, log = program.communicate(timeout=_SECONDS)
    finally:
        program.kill()
    assert program.returncode in (0, 1), log
    assert "will be received again" in log if program.returncode else not log, log
    return Ended(program.returncode == 0, lines.splitlines(), log)
