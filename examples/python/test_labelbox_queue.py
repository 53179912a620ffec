"""Tests of the module with fake AWS clients. Run them with `python -m pytest examples/python`."""

import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from labelbox_queue import Consumer, Event, Record, fetch_body, process_batch

CASES = json.loads(Path(__file__).parents[1].joinpath("newest-wins.json").read_text())
POINTER = json.dumps(["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "b", "s3Key": "k"}])


class DynamoDb:
    """A fake table that knows the conditions of the module."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.meanwhile: list[Callable[[], None]] = []
        """What others do before the next change."""

    def _let_others_act(self) -> None:
        while self.meanwhile:
            self.meanwhile.pop()()

    def get_item(self, Key: dict[str, Any], **_: Any) -> dict[str, Any]:
        item = self.items.get(Key["id"]["S"])
        return {"Item": item} if item else {}

    def put_item(self, Item: Any, ConditionExpression: str, ExpressionAttributeValues: Any, **_: Any) -> None:
        self._let_others_act()
        stored = self.items.get(Item["id"]["S"], {}).get("version", {}).get("S")
        version = ExpressionAttributeValues[":version"]["S"]
        holds = {
            "attribute_not_exists(version) OR version < :version": stored is None or stored < version,
            "version = :version": stored == version,
        }[ConditionExpression]
        if not holds:
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "PutItem")
        self.items[Item["id"]["S"]] = Item

    def get_paginator(self, operation: str) -> "DynamoDb":
        assert operation == "scan"
        return self

    def paginate(self, FilterExpression: str, ExpressionAttributeValues: Any, **_: Any) -> list[dict[str, Any]]:
        assert FilterExpression == "received_at >= :since AND received_at < :until"
        since, until = (ExpressionAttributeValues[name]["S"] for name in (":since", ":until"))
        items = [item for item in self.items.values() if since <= item["received_at"]["S"] < until]
        self._let_others_act()
        return [{"Items": [item]} for item in items]

    def delete_item(self, Key: Any, ConditionExpression: str, ExpressionAttributeValues: Any, **_: Any) -> None:
        assert ConditionExpression == "version = :version"
        if self.items[Key["id"]["S"]]["version"] != ExpressionAttributeValues[":version"]:
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "DeleteItem")
        del self.items[Key["id"]["S"]]


class S3:
    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO({("b", "k"): b"\xffpayload"}[Bucket, Key])}


class Sqs:
    """A fake queue that returns one batch and records calls."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.batches = [list(messages), []]
        self.calls: list[tuple[str, list[str]]] = []
        self.visibility_timeout = 60
        self.delete_error: Exception | None = None
        self.extend_errors: list[Exception] = []

    def get_queue_attributes(self, AttributeNames: list[str], **_: Any) -> dict[str, Any]:
        return {"Attributes": dict.fromkeys(AttributeNames, str(self.visibility_timeout))}

    def receive_message(self, **_: Any) -> dict[str, Any]:
        return {"Messages": self.batches.pop(0)}

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> None:
        self.calls.append(("delete", [ReceiptHandle]))
        if self.delete_error:
            raise self.delete_error

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        assert {entry["VisibilityTimeout"] for entry in Entries} == {60}
        if self.extend_errors:
            raise self.extend_errors.pop()
        self.calls.append(("extend", [entry["ReceiptHandle"] for entry in Entries]))
        return {"Failed": [{"Id": entry["Id"], "Code": "ReceiptHandleIsInvalid"} for entry in Entries[1:]]}


def record(attributes: dict[str, str], message_id: str = "1", group: str | None = None, body: str = "{}") -> Record:
    return {
        "messageId": message_id,
        "body": body,
        "attributes": {"MessageGroupId": group} if group else {},
        "messageAttributes": {name: {"stringValue": value} for name, value in attributes.items()},
    }


def message(message_id: str, group: str = "g") -> dict[str, Any]:
    return {
        "MessageId": message_id,
        "ReceiptHandle": f"handle-{message_id}",
        "Body": "{}",
        "Attributes": {"MessageGroupId": group},
        "MessageAttributes": {"dedup_id": {"DataType": "String", "StringValue": message_id}},
    }


def consumer(on_newest: Callable[[Event, bytes], None], **clients: Any) -> Consumer:
    return Consumer(on_newest, "newest", client={"dynamodb": DynamoDb(), "s3": S3(), **clients}.__getitem__)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_newest_wins(case: dict[str, Any]) -> None:
    dynamodb, calls = DynamoDb(), []
    dynamodb.items.update(case.get("stored", {}))
    subject = consumer(lambda event, _: calls.append(event.attributes), dynamodb=dynamodb)
    forget = case.get("forget", {})
    for n, delivery in enumerate(case["deliveries"]):
        if n == forget.get("before"):
            assert subject.forget(forget["since"], forget["until"]) == forget["forgotten"]
        subject.process(record(delivery))
    assert calls == [case["deliveries"][n] for n in case["processed"]]
    assert dynamodb.items.keys() == case["newest"].keys()
    for id, n in case["newest"].items():
        expected = case["deliveries"][n]
        assert {name: dynamodb.items[id][name]["S"] for name in expected} == expected


def test_processes_a_duplicate_if_another_event_was_stored_in_the_meantime() -> None:
    first, duplicate, between = (
        {"entity": "label", "entity_id": "1", "occurred_at": "5", "received_at": received_at, "dedup_id": dedup_id}
        for received_at, dedup_id in (("10", "a"), ("12", "a"), ("11", "b"))
    )
    dynamodb, calls = DynamoDb(), []
    subject = consumer(lambda event, _: calls.append(event.attributes), dynamodb=dynamodb)
    subject.process(record(first))
    dynamodb.meanwhile.append(lambda: subject.process(record(between)))
    subject.process(record(duplicate))
    assert calls == [first, between, duplicate]
    assert dynamodb.items["label#1"]["received_at"]["S"] == "12"


def test_does_not_forget_what_changes_meanwhile() -> None:
    older, newer = (
        {"entity": "label", "entity_id": "1", "occurred_at": at, "received_at": at, "dedup_id": at} for at in ("5", "6")
    )
    dynamodb = DynamoDb()
    subject = consumer(lambda *_: None, dynamodb=dynamodb)
    subject.process(record(older))
    dynamodb.meanwhile.append(lambda: subject.process(record(newer)))
    assert subject.forget("5", "6") == 0
    assert dynamodb.items["label#1"]["dedup_id"]["S"] == "6"


def test_does_not_store_an_event_that_failed() -> None:
    dynamodb = DynamoDb()

    def fail(event: Event, body: bytes) -> None:
        raise RuntimeError

    response = consumer(fail, dynamodb=dynamodb).handler({"Records": [record({"dedup_id": "a"})]}, None)
    assert response == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert dynamodb.items == {}


def test_a_failure_fails_the_rest_of_its_group_only() -> None:
    def process(each: Record) -> None:
        if each["messageId"] in ("2", "5"):
            raise RuntimeError

    groups = {"1": "x", "2": "x", "3": "y", "4": "x", "5": None, "6": None}
    batch = [record({}, message_id, group) for message_id, group in groups.items()]
    results = {each["messageId"]: succeeded for each, succeeded in process_batch(batch, process)}
    assert results == {"1": True, "2": False, "3": True, "4": False, "5": False, "6": True}


def test_only_extended_payload_size_makes_a_body_a_pointer() -> None:
    assert fetch_body(record({}, body=POINTER), S3()) == POINTER.encode()
    assert fetch_body(record({}, body="ü"), S3()) == b"\xc3\xbc"
    assert fetch_body(record({"ExtendedPayloadSize": "8"}, body=POINTER), S3()) == b"\xffpayload"
    with pytest.raises(ValueError, match="the payload has 8 bytes, not 9"):
        fetch_body(record({"ExtendedPayloadSize": "9"}, body=POINTER), S3())


def test_deletes_each_message_as_soon_as_it_is_processed() -> None:
    sqs = Sqs(message("1"), message("2", "other"), message("3"))

    def on_newest(event: Event, body: bytes) -> None:
        sqs.calls.append(("process", [event.attributes["dedup_id"]]))
        if event.attributes["dedup_id"] == "1":
            raise RuntimeError

    assert not consumer(on_newest, sqs=sqs).poll("url", until_empty=True)
    assert sqs.calls == [("process", ["1"]), ("process", ["2"]), ("delete", ["handle-2"])]


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "InvalidParameterValue"}}, "DeleteMessage"),  # an expired receipt handle
        EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_continues_after_a_failed_delete(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    sqs, calls = Sqs(message("1"), message("2")), []
    sqs.delete_error = error
    subject = consumer(lambda event, _: calls.append(event.attributes["dedup_id"]), sqs=sqs)
    assert not subject.poll("url", until_empty=True)
    assert calls == ["1", "2"]
    assert "message 1 was processed but not deleted" in caplog.text


def test_extends_the_visibility_timeout_of_the_current_and_the_remaining_messages(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sqs = Sqs(message("1"), message("2"), message("3"))
    sqs.extend_errors = [EndpointConnectionError(endpoint_url="http://127.0.0.1:9")]
    elapsed, both_called, waits = threading.Semaphore(0), threading.Event(), []

    class Clock(threading.Event):
        """A wait ends when the test releases it."""

        def wait(self, seconds: float | None = None) -> bool:
            waits.append(seconds)
            if len(waits) == 3:
                both_called.set()
            elapsed.acquire()
            return self.is_set()

        def set(self) -> None:
            super().set()
            elapsed.release()

    def on_newest(event: Event, body: bytes) -> None:
        if event.attributes["dedup_id"] == "2":
            elapsed.release(2)  # the first call fails
            assert both_called.wait(60)

    subject = consumer(on_newest, sqs=sqs)
    monkeypatch.setattr("labelbox_queue.StopEvent", Clock)
    assert subject.poll("url", until_empty=True)
    assert sqs.calls == [
        ("delete", ["handle-1"]),
        ("extend", ["handle-2", "handle-3"]),
        ("delete", ["handle-2"]),
        ("delete", ["handle-3"]),
    ]
    assert set(waits) == {20}
    assert "the visibility timeout could not be extended" in caplog.text
    assert "the visibility timeout of message 3 was not extended: ReceiptHandleIsInvalid" in caplog.text


def test_waits_between_extensions_if_the_visibility_timeout_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []

    class Clock(threading.Event):
        def wait(self, seconds: float | None = None) -> bool:
            waits.append(seconds)
            return super().wait()

    sqs = Sqs(message("1"))
    sqs.visibility_timeout = 0
    monkeypatch.setattr("labelbox_queue.StopEvent", Clock)
    assert consumer(lambda event, body: None, sqs=sqs).poll("url", until_empty=True)
    assert set(waits) == {1 / 3}
