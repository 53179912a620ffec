"""A queue of events in the relay's format, with the bucket and the table of those who read it."""

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dev.emulator import Emulator

POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer"


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
        """Not computed as the relay does: any id that is unique to the event serves the consumers."""
        return hashlib.sha256(self.topic.encode() + b"\n" + self.payload).hexdigest()

    @property
    def group_id(self) -> str:
        return hashlib.sha256(self.entity_id.encode()).hexdigest() if self.entity_id else self.dedup_id

    def attributes(self) -> dict[str, str]:
        known = {
            "event": self.topic,
            "entity": self.entity,
            "entity_id": self.entity_id,
            "occurred_at": self.occurred_at,
            "received_at": self.received_at,
            "delivery_id": uuid.uuid4().hex,
            "dedup_id": self.dedup_id,
        }
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class Feed:
    """A queue, a bucket and a table that nobody else uses."""

    emulator: Emulator
    name: str
    queue: str

    @property
    def is_fifo(self) -> bool:
        return self.queue.endswith(".fifo")

    @property
    def arn(self) -> str:
        """The queue's."""
        answer = self.emulator.client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def deliver(self, event: Event, *, keep_payload: bool = True, wrong_bytes: int = 0) -> None:
        """Puts an event on the queue in the relay's format. A repetition is not swallowed: it counts as a late one."""
        group = {"MessageGroupId": event.group_id, "MessageDeduplicationId": uuid.uuid4().hex} if self.is_fifo else {}
        body, attributes = self._message(event, keep_payload, wrong_bytes)
        self.emulator.client("sqs").send_message(
            QueueUrl=self.queue, MessageBody=body, MessageAttributes=attributes, **group
        )

    def record(self, event: Event, message_id: str, *, keep_payload: bool = True) -> dict[str, Any]:
        """An event in the form in which Lambda hands it over."""
        body, attributes = self._message(event, keep_payload, 0)
        return {
            "messageId": message_id,
            "receiptHandle": f"handle of {message_id}",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                **({"MessageGroupId": event.group_id} if self.is_fifo else {}),
            },
            "messageAttributes": {
                name: {
                    "stringValue": value["StringValue"],
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value["DataType"],
                }
                for name, value in attributes.items()
            },
            "eventSource": "aws:sqs",
        }

    def items(self, table: str | None = None) -> dict[str, dict[str, Any]]:
        """What the table holds, by id, with plain values."""
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=table or self.name)
        items = [item for page in pages for item in page["Items"]]
        return {item["id"]["S"]: {name: next(iter(value.values())) for name, value in item.items()} for item in items}

    def left(self) -> int:
        """How many messages the queue holds, those included that a consumer has received and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.emulator.client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def _message(self, event: Event, keep_payload: bool, wrong_bytes: int) -> tuple[str, dict[str, dict[str, str]]]:
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in event.attributes().items()}
        if not event.by_pointer:
            return event.payload.decode(), attributes
        key = f"payloads/{event.dedup_id}/{uuid.uuid4()}"
        if keep_payload:
            self.emulator.client("s3").put_object(Bucket=self.name, Key=key, Body=event.payload)
        size = str(len(event.payload) + wrong_bytes)
        attributes["ExtendedPayloadSize"] = {"DataType": "Number", "StringValue": size}
        return json.dumps([POINTER, {"s3BucketName": self.name, "s3Key": key}], separators=(",", ":")), attributes


@contextmanager
def slow_bucket(payload: bytes, meanwhile: Callable[[], None]) -> Iterator[str]:
    """The address of an S3 in which every object is `payload`, and `meanwhile` happens while it is fetched."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            meanwhile()
            self.send_response(200)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def feed(emulator: Emulator, queue_type: str) -> Iterator[Feed]:
    """A new one for as long as the block runs."""
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
    try:
        yield Feed(emulator, name, queue)
    finally:
        sqs.delete_queue(QueueUrl=queue)
        for listed in s3.list_objects_v2(Bucket=name).get("Contents", []):
            s3.delete_object(Bucket=name, Key=listed["Key"])
        s3.delete_bucket(Bucket=name)
        dynamodb.delete_table(TableName=name)
