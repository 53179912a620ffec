"""A consumer of the relay's queues to start from: your work for each event that counts, the newest in a table.

    as a program           python examples/consumer.py QUEUE_URL TABLE [--until-empty]
    as a Lambda function   handler `consumer.handler`, variable `TABLE`, `ReportBatchItemFailures` switched on

It needs boto3 and nothing else. `docs/consuming.md` says which events count and why, and how to make the table.
"""

import argparse
import hashlib
import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

log = logging.getLogger("consumer")

Record = dict[str, Any]
"""A message in the form in which Lambda hands it over."""


@dataclass(frozen=True)
class Event:
    """What a message says of its event."""

    id: str
    """Whose newest event it may be: its entity's, or, without an entity or a time, only its own."""
    version: str
    """Of two events with the same id, the newer has the larger one, as texts compare; repetitions have the same."""
    attributes: dict[str, str]

    @classmethod
    def read(cls, record: Record) -> "Event":
        given = {name: value.get("stringValue") for name, value in record["messageAttributes"].items()}
        attributes = {name: value for name, value in given.items() if value is not None}
        dedup_id, occurred_at = attributes["dedup_id"], attributes.get("occurred_at", "")
        if occurred_at and {"entity", "entity_id"} <= attributes.keys():
            id = f"{attributes['entity']}#{attributes['entity_id']}"
        else:
            id = f"event#{dedup_id}"
        # Labelbox may write whole seconds, so a deletion can have the time of the change before it.
        rank = {"CREATED": 0, "DELETED": 2}.get(attributes.get("event", "").rpartition("_")[2], 1)
        return cls(id, f"{occurred_at} {rank} {dedup_id}", attributes)


def on_newest(event: Event, body: bytes) -> None:
    """Your work goes here. It may be called again for the same event, so let it come to the same end then.

    If it raises, the message comes again. With a standard queue, compare `version` where the order matters.
    """
    print(f"{event.id} {event.attributes.get('event', '-')} {event.version}: {len(body)} bytes", flush=True)


def handle(records: list[Record], process: Callable[[Record], None]) -> list[str]:
    """Processes a batch in its order. Returns the ids of the messages that have to come again.

    A message that fails takes along those of its group behind it; otherwise they would overtake it.
    """
    failed, stuck = [], set()
    for record in records:
        group = record["attributes"].get("MessageGroupId")
        try:
            if group in stuck:
                raise RuntimeError("one of its group has failed")
            process(record)
        except Exception:
            log.exception("message %s has to come again", record["messageId"])
            failed.append(record["messageId"])
            if group is not None:
                stuck.add(group)
    return failed


class Consumer:
    """Does the work for events newer than those in its table, and then writes them down there."""

    def __init__(self, table: str) -> None:
        self._table = boto3.resource("dynamodb").Table(table)
        self._s3 = boto3.client("s3")

    def process(self, record: Record) -> None:
        """Raises what went wrong, which leaves the event as new as it was."""
        event = Event.read(record)
        known = self._table.get_item(Key={"id": event.id}, ConsistentRead=True).get("Item")
        if known and known["version"] >= event.version:
            return
        body = self._payload(record["body"], event.attributes.get("ExtendedPayloadSize"))
        on_newest(event, body)
        self._remember(event, body)

    def _payload(self, body: str, size: str | None) -> bytes:
        """What Labelbox has signed: the message's body, or what it points to."""
        if size is None:
            return body.encode()
        _, place = json.loads(body)
        payload = self._s3.get_object(Bucket=place["s3BucketName"], Key=place["s3Key"])["Body"].read()
        if len(payload) != int(size):
            raise ValueError(f"its payload has {len(payload)} bytes, not {size}")
        return payload

    def _remember(self, event: Event, body: bytes) -> None:
        """Not the body: an item holds 400 KB. Of several consumers at once, the one with the newest event prevails."""
        facts = {"version": event.version, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        try:
            self._table.put_item(
                Item={**event.attributes, **facts, "id": event.id},
                ConditionExpression="attribute_not_exists(id) OR version < :version",
                ExpressionAttributeValues={":version": event.version},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


@cache
def _consumer(table: str) -> Consumer:
    return Consumer(table)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """What Lambda calls with a batch; it deletes the messages that are not in what it gets back."""
    failed = handle(event["Records"], _consumer(os.environ["TABLE"]).process)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def poll(queue: str, consumer: Consumer, until_empty: bool) -> bool:
    """Takes messages off a queue, for ever or until there are none. Returns whether none has failed."""
    sqs, all_done = boto3.client("sqs"), True
    while True:
        messages = sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=2 if until_empty else 20,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])
        if until_empty and not messages:
            return all_done
        failed = handle([_record(message) for message in messages], consumer.process)
        all_done = all_done and not failed
        for message in messages:
            if message["MessageId"] not in failed:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def _record(message: dict[str, Any]) -> Record:
    """SQS's own form of a message in Lambda's."""
    given = message.get("MessageAttributes", {})
    return {
        "messageId": message["MessageId"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {name: {"stringValue": value.get("StringValue")} for name, value in given.items()},
    }


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("queue_url")
    arguments.add_argument("table")
    arguments.add_argument("--until-empty", action="store_true", help="end when the queue has nothing to receive")
    given = arguments.parse_args()
    logging.basicConfig()
    sys.exit(0 if poll(given.queue_url, Consumer(given.table), given.until_empty) else 1)
