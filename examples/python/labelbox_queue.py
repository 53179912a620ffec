"""Reads a queue of the relay so that no event is lost and the newest one of each entity wins.

Import it as it is; it needs boto3. `consumer.py` beside it shows how, `docs/consuming.md` explains the rules.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event as Signal
from threading import Thread
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

log = logging.getLogger(__name__)

Record = dict[str, Any]
"""A message as Lambda passes it to a function."""


@dataclass(frozen=True)
class Event:
    """What the attributes of a message say about its event."""

    id: str
    """The entity that it competes for; without an entity or a time, the event itself."""
    version: str
    """Of two events with the same id, the one with the greater version wins. Compare versions as text."""
    attributes: dict[str, str]

    @classmethod
    def from_record(cls, record: Record) -> "Event":
        values = {name: value.get("stringValue") for name, value in record["messageAttributes"].items()}
        attributes = {name: value for name, value in values.items() if value is not None}
        dedup_id, occurred_at = attributes["dedup_id"], attributes.get("occurred_at", "")
        if occurred_at and {"entity", "entity_id"} <= attributes.keys():
            id = f"{attributes['entity']}#{attributes['entity_id']}"
        else:
            id = f"event#{dedup_id}"
        return cls(id, f"{occurred_at} {attributes.get('received_at', '')} {dedup_id}", attributes)


OnNewest = Callable[[Event, bytes], None]


def fetch_body(record: Record, s3: Any) -> bytes:
    """Returns the body that Labelbox signed: the message's own, or the object that the message points to."""
    size = record["messageAttributes"].get("ExtendedPayloadSize")
    if size is None:
        return str(record["body"]).encode()
    _, pointer = json.loads(record["body"])
    body: bytes = s3.get_object(Bucket=pointer["s3BucketName"], Key=pointer["s3Key"])["Body"].read()
    if len(body) != int(size["stringValue"]):
        raise ValueError(f"the payload has {len(body)} bytes, not {size['stringValue']}")
    return body


def process_batch(records: list[Record], process: Callable[[Record], None]) -> Iterator[tuple[Record, bool]]:
    """Processes a batch in order. Yields each message with whether it succeeded.

    After a failure, the other messages of the same FIFO group fail too: processed now, they would overtake it.
    """
    failed_groups = set()
    for record in records:
        group = record["attributes"].get("MessageGroupId")
        succeeded = False
        try:
            if group in failed_groups:
                raise RuntimeError("an earlier message of its group failed")
            process(record)
            succeeded = True
        except Exception:
            log.exception("message %s will be received again", record["messageId"])
            if group is not None:
                failed_groups.add(group)
        yield record, succeeded


class Consumer:
    """Calls `on_newest` for each event that is newer than the one in the table, then stores it there.

    `table` is a DynamoDB table with the text `id` as its key. `client` makes the AWS clients, such as `session.client`.
    """

    def __init__(self, on_newest: OnNewest, table: str, client: Callable[[str], Any] = boto3.client) -> None:
        self._on_newest, self._table, self._client = on_newest, table, client
        self._dynamodb, self._s3 = client("dynamodb"), client("s3")

    def handler(self, event: dict[str, Any], context: object) -> dict[str, Any]:
        """The handler of a Lambda function. Its event source mapping needs `ReportBatchItemFailures`."""
        results = process_batch(event["Records"], self.process)
        failed = [record["messageId"] for record, succeeded in results if not succeeded]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def poll(self, queue_url: str, *, until_empty: bool = False) -> bool:
        """Receives messages for ever, or until there are none. Returns whether each was processed and deleted."""
        sqs, all_done = self._client("sqs"), True
        answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["VisibilityTimeout"])
        visibility_timeout = int(answer["Attributes"]["VisibilityTimeout"])
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
                    heartbeat.forget(record)
                    all_done &= succeeded and _delete(sqs, queue_url, record)

    def process(self, record: Record) -> None:
        """Processes one message. If this raises, the table is as before and the message has to be received again."""
        event = Event.from_record(record)
        key = {"id": {"S": event.id}}
        known = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        version = known.get("version", {}).get("S") if known else None
        if version is not None and version >= event.version:
            return
        if version is not None and known["dedup_id"]["S"] == event.attributes["dedup_id"]:
            # Received again later: no work, but its version counts against other events of the same time.
            facts = {name: known[name] for name in ("bytes", "sha256")}
            if not self._store(event, facts, "version = :version", version):
                self.process(record)  # another consumer has stored something since
            return
        body = fetch_body(record, self._s3)
        self._on_newest(event, body)
        facts = {"bytes": {"N": str(len(body))}, "sha256": {"S": hashlib.sha256(body).hexdigest()}}
        self._store(event, facts, "attribute_not_exists(version) OR version < :version", event.version)

    def _store(self, event: Event, facts: dict[str, Any], condition: str, version: str) -> bool:
        """Returns whether the condition held. The body is not stored: an item cannot exceed 400 KB."""
        texts = {**event.attributes, "id": event.id, "version": event.version}
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item={name: {"S": value} for name, value in texts.items()} | facts,
                ConditionExpression=condition,
                ExpressionAttributeValues={":version": {"S": version}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True


class _Heartbeat:
    """A thread that extends the visibility timeout of a batch's remaining messages, so that nobody else gets them."""

    def __init__(self, sqs: Any, queue_url: str, records: list[Record], visibility_timeout: int) -> None:
        self._sqs, self._queue_url, self._visibility_timeout = sqs, queue_url, visibility_timeout
        self._remaining = {record["messageId"]: record["receiptHandle"] for record in records}
        self._stop = Signal()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> "_Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def forget(self, record: Record) -> None:
        self._remaining.pop(record["messageId"], None)

    def _run(self) -> None:
        # A third, so that one call may fail. The timeout may be 0.
        while not self._stop.wait(max(self._visibility_timeout, 1) / 3):
            entries = [
                {"Id": message_id, "ReceiptHandle": handle, "VisibilityTimeout": self._visibility_timeout}
                for message_id, handle in self._remaining.copy().items()
            ]
            if not entries:
                continue
            try:
                answer = self._sqs.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)
            except (BotoCoreError, ClientError):
                log.exception("the visibility timeout could not be extended")
                continue
            for failure in answer.get("Failed", []):
                if failure["Id"] in self._remaining:
                    id, code = failure["Id"], failure["Code"]
                    log.error("the visibility timeout of message %s was not extended: %s", id, code)


def _delete(sqs: Any, queue_url: str, record: Record) -> bool:
    """Returns whether SQS deleted it. If not, as when its receipt handle has expired, it is received again."""
    try:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=record["receiptHandle"])
    except (BotoCoreError, ClientError):
        log.exception("message %s was processed, not deleted, and will be received again", record["messageId"])
        return False
    return True


def _record(message: dict[str, Any]) -> Record:
    """Converts a message from the form of SQS to that of Lambda."""
    attributes = message.get("MessageAttributes", {})
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {name: {"stringValue": value.get("StringValue")} for name, value in attributes.items()},
    }
