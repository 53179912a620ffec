"""Consumes a queue of the relay without losing events, and lets the newest event of each entity win.

Use it unchanged, as in `consumer.py`. It needs boto3. `docs/consuming.md` explains the rules.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event as StopEvent
from threading import Thread
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

log = logging.getLogger(__name__)

Record = dict[str, Any]
"""A message in the form of a Lambda event."""


@dataclass(frozen=True)
class Event:
    """An event as the attributes of its message describe it."""

    id: str
    """Key in the table: the entity, or the event itself if it has no entity or no time."""
    version: str
    """Of two events with the same id, the one with the greater version wins. Versions compare as strings."""
    attributes: dict[str, str]

    @classmethod
    def from_record(cls, record: Record) -> "Event":
        values = {name: value.get("stringValue") for name, value in record["messageAttributes"].items()}
        attributes = {name: value for name, value in values.items() if value is not None}
        if "dedup_id" not in attributes:
            raise ValueError("the message has no dedup_id, so it is not from the relay")
        dedup_id, occurred_at = attributes["dedup_id"], attributes.get("occurred_at", "")
        if occurred_at and {"entity", "entity_id"} <= attributes.keys():
            id = f"{attributes['entity']}#{attributes['entity_id']}"
        else:
            id = f"event#{dedup_id}"
        return cls(id, f"{occurred_at} {attributes.get('received_at', '')} {dedup_id}", attributes)


OnNewest = Callable[[Event, bytes], None]


def fetch_body(record: Record, s3: Any) -> bytes:
    """Returns the body that Labelbox signed: the message body, or the object that it points to."""
    size = record["messageAttributes"].get("ExtendedPayloadSize")
    if size is None:
        return str(record["body"]).encode()
    _, pointer = json.loads(record["body"])
    body: bytes = s3.get_object(Bucket=pointer["s3BucketName"], Key=pointer["s3Key"])["Body"].read()
    if len(body) != int(size["stringValue"]):
        raise ValueError(f"the payload has {len(body)} bytes, not {size['stringValue']}")
    return body


def process_batch(records: list[Record], process: Callable[[Record], None]) -> Iterator[tuple[Record, bool]]:
    """Processes a batch in order. Yields each message and whether it succeeded.

    After a failure, later messages of the same FIFO group fail too, so that they do not overtake the failed one.
    """
    failed_groups = set()
    for record in records:
        group = record["attributes"].get("MessageGroupId")
        succeeded = False
        try:
            if group in failed_groups:
                raise RuntimeError("an earlier message of the same group failed")
            process(record)
            succeeded = True
        except Exception:
            log.exception("message %s will be received again", record["messageId"])
            if group is not None:
                failed_groups.add(group)
        yield record, succeeded


class Consumer:
    """Calls `on_newest` for each event that is newer than the one in the table, then stores the event in the table.

    `table` is a DynamoDB table whose partition key is the string `id`. `client` creates the AWS clients.
    """

    def __init__(self, on_newest: OnNewest, table: str, client: Callable[[str], Any] = boto3.client) -> None:
        self._on_newest, self._table, self._client = on_newest, table, client
        self._dynamodb, self._s3 = client("dynamodb"), client("s3")

    def handler(self, event: dict[str, Any], context: object) -> dict[str, Any]:
        """Handles a batch in a Lambda function. The event source mapping must have `ReportBatchItemFailures`."""
        results = process_batch(event["Records"], self.process)
        failed = [record["messageId"] for record, succeeded in results if not succeeded]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def poll(self, queue_url: str, *, until_empty: bool = False) -> bool:
        """Receives messages forever, or until none arrive. Returns whether all were processed and deleted."""
        sqs, all_done = self._client("sqs"), True
        response = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["VisibilityTimeout"])
        visibility_timeout = int(response["Attributes"]["VisibilityTimeout"])
        while True:
            messages = sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=2 if until_empty else 20,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            ).get("Messages", [])
            if until_empty and not messages:
                return all_done
            records = [_record(message) for message in messages]
            with _Heartbeat(sqs, queue_url, records, visibility_timeout) as heartbeat:
                for record, succeeded in process_batch(records, self.process):
                    heartbeat.remove(record)
                    all_done &= succeeded and _delete(sqs, queue_url, record)

    def process(self, record: Record) -> None:
        """Processes one message. If this raises, the table is unchanged and the message must be received again."""
        event = Event.from_record(record)
        key = {"id": {"S": event.id}}
        item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        version = item.get("version", {}).get("S") if item else None
        if version is not None and version >= event.version:
            return
        if version is not None and item["dedup_id"]["S"] == event.attributes["dedup_id"]:
            # A duplicate is not processed again, but its later version decides ties with other events.
            digest = {name: item[name] for name in ("bytes", "sha256")}
            if not self._store(event, digest, "version = :version", version):
                self.process(record)  # another consumer has updated the item
            return
        body = fetch_body(record, self._s3)
        self._on_newest(event, body)
        digest = {"bytes": {"N": str(len(body))}, "sha256": {"S": hashlib.sha256(body).hexdigest()}}
        self._store(event, digest, "attribute_not_exists(version) OR version < :version", event.version)

    def forget(self, since: str, until: str) -> int:
        """Forgets the events that were received in this time, so that a replay of them is processed again.

        Both are times as in `received_at`. Returns how many items were deleted. An item that changes meanwhile is kept.
        """
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table,
            FilterExpression="received_at >= :since AND received_at < :until",
            ExpressionAttributeValues={":since": {"S": since}, ":until": {"S": until}},
            ConsistentRead=True,
        )
        count = 0
        for item in (item for page in pages for item in page["Items"]):
            try:
                self._dynamodb.delete_item(
                    TableName=self._table,
                    Key={"id": item["id"]},
                    ConditionExpression="version = :version",
                    ExpressionAttributeValues={":version": item["version"]},
                )
                count += 1
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
        return count

    def _store(self, event: Event, digest: dict[str, Any], condition: str, version: str) -> bool:
        """Stores the event. Returns whether the condition held. The body is omitted: an item cannot exceed 400 KB."""
        strings = {**event.attributes, "id": event.id, "version": event.version}
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item={name: {"S": value} for name, value in strings.items()} | digest,
                ConditionExpression=condition,
                ExpressionAttributeValues={":version": {"S": version}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


class _Heartbeat:
    """A thread that extends the visibility timeout of a batch's remaining messages until they are removed."""

    def __init__(self, sqs: Any, queue_url: str, records: list[Record], visibility_timeout: int) -> None:
        self._sqs, self._queue_url, self._visibility_timeout = sqs, queue_url, visibility_timeout
        self._remaining = {record["messageId"]: record["receiptHandle"] for record in records}
        self._stop = StopEvent()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> "_Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def remove(self, record: Record) -> None:
        self._remaining.pop(record["messageId"], None)

    def _run(self) -> None:
        # A third of the timeout, so that one call may fail. The timeout may be 0.
        while not self._stop.wait(max(self._visibility_timeout, 1) / 3):
            entries = [
                {"Id": message_id, "ReceiptHandle": handle, "VisibilityTimeout": self._visibility_timeout}
                for message_id, handle in self._remaining.copy().items()
            ]
            if not entries:
                continue
            try:
                response = self._sqs.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)
            except (BotoCoreError, ClientError):
                log.exception("the visibility timeout could not be extended")
                continue
            for failure in response.get("Failed", []):
                if failure["Id"] in self._remaining:
                    id, code = failure["Id"], failure["Code"]
                    log.error("the visibility timeout of message %s was not extended: %s", id, code)


def _delete(sqs: Any, queue_url: str, record: Record) -> bool:
    """Returns whether SQS deleted the message. If it did not, for instance because the receipt handle has expired, the
    message is received again.
    """
    try:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=record["receiptHandle"])
    except (BotoCoreError, ClientError):
        log.exception("message %s was processed but not deleted, and will be received again", record["messageId"])
        return False
    return True


def _record(message: dict[str, Any]) -> Record:
    """Converts a message from the form of `ReceiveMessage` to that of a Lambda event."""
    attributes = message.get("MessageAttributes", {})
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {name: {"stringValue": value.get("StringValue")} for name, value in attributes.items()},
    }
