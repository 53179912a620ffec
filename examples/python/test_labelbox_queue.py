"""The module against fakes of AWS. Run it with `python -m pytest examples/python`."""

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
    """A table, with the two conditions that the module uses."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.before_put: Callable[[], None] = lambda: None

    def get_item(self, Key: dict[str, Any], **_: Any) -> dict[str, Any]:
        item = self.items.get(Key["id"]["S"])
        return {"Item": item} if item else {}

    def put_item(
        self, Item: dict[str, Any], ConditionExpression: str, ExpressionAttributeValues: dict[str, Any], **_: Any
    ) -> None:
        self.before_put()
        stored = self.items.get(Item["id"]["S"], {}).get("version", {}).get("S")
        version = ExpressionAttributeValues[":version"]["S"]
        holds = {
            "attribute_not_exists(version) OR version < :version": stored is None or stored < version,
            "version = :version": stored == version,
        }[ConditionExpression]
        if not holds:
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "PutItem")
        self.items[Item["id"]["S"]] = Item


class S3:
    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO({("b", "k"): b"\xffpayload"}[Bucket, Key])}


class Sqs:
    """A queue that gives out one batch, with a log of what was asked of it."""

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
    dynamodb, work = DynamoDb(), []
    dynamodb.items.update(case.get("stored", {}))
    tested = consumer(lambda event, _: work.append(event.attributes), dynamodb=dynamodb)
    for delivery in case["deliveries"]:
        tested.process(record(delivery))
    assert work == [case["deliveries"][n] for n in case["work"]]
    assert dynamodb.items.keys() == case["newest"].keys()
    for id, n in case["newest"].items():
        expected = case["deliveries"][n]
        assert {name: dynamodb.items[id][name]["S"] for name in expected} == expected


def test_a_repetition_during_which_another_event_was_stored_is_processed() -> None:
    first, repetition, between = (
        {"entity": "label", "entity_id": "1", "occurred_at": "5", "received_at": received_at, "dedup_id": dedup_id}
        for received_at, dedup_id in (("10", "a"), ("12", "a"), ("11", "b"))
    )
    dynamodb, work = DynamoDb(), []
    tested = consumer(lambda event, _: work.append(event.attributes), dynamodb=dynamodb)
    tested.process(record(first))

    def interrupt() -> None:
        dynamodb.before_put = lambda: None
        tested.process(record(between))

    dynamodb.before_put = interrupt
    tested.process(record(repetition))
    assert work == [first, between, repetition]
    assert dynamodb.items["label#1"]["received_at"]["S"] == "12"


def test_failed_work_is_not_stored() -> None:
    dynamodb = DynamoDb()

    def fail(event: Event, body: bytes) -> None:
        raise RuntimeError

    answer = consumer(fail, dynamodb=dynamodb).handler({"Records": [record({"dedup_id": "a"})]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert dynamodb.items == {}


def test_a_failure_stops_its_group_only() -> None:
    def process(each: Record) -> None:
        if each["messageId"] in ("2", "5"):
            raise RuntimeError

    groups = {"1": "x", "2": "x", "3": "y", "4": "x", "5": None, "6": None}
    batch = [record({}, message_id, group) for message_id, group in groups.items()]
    results = {each["messageId"]: succeeded for each, succeeded in process_batch(batch, process)}
    assert results == {"1": True, "2": False, "3": True, "4": False, "5": False, "6": True}


def test_the_attribute_makes_a_pointer() -> None:
    assert fetch_body(record({}, body=POINTER), S3()) == POINTER.encode()
    assert fetch_body(record({}, body="ü"), S3()) == b"\xc3\xbc"
    assert fetch_body(record({"ExtendedPayloadSize": "8"}, body=POINTER), S3()) == b"\xffpayload"
    with pytest.raises(ValueError, match="the payload has 8 bytes, not 9"):
        fetch_body(record({"ExtendedPayloadSize": "9"}, body=POINTER), S3())


def test_each_message_is_deleted_when_it_is_done_and_not_before() -> None:
    sqs = Sqs(message("1"), message("2", "other"), message("3"))

    def work(event: Event, body: bytes) -> None:
        sqs.calls.append(("work", [event.attributes["dedup_id"]]))
        if event.attributes["dedup_id"] == "1":
            raise RuntimeError

    assert not consumer(work, sqs=sqs).poll("url", until_empty=True)
    assert sqs.calls == [("work", ["1"]), ("work", ["2"]), ("delete", ["handle-2"])]


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "InvalidParameterValue"}}, "DeleteMessage"),  # it has expired
        ClientError({"Error": {"Code": "ReceiptHandleIsInvalid"}}, "DeleteMessage"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
    ],
    ids=lambda error: type(error).__name__ + str(error.response["Error"]["Code"] if hasattr(error, "response") else ""),
)
def test_a_message_that_cannot_be_deleted_does_not_stop_the_others(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    sqs, work = Sqs(message("1"), message("2")), []
    sqs.delete_error = error
    tested = consumer(lambda event, _: work.append(event.attributes["dedup_id"]), sqs=sqs)
    assert not tested.poll("url", until_empty=True)
    assert work == ["1", "2"]
    assert "message 1 was processed, not deleted" in caplog.text


def test_slow_work_extends_the_visibility_timeout_of_it_and_of_what_waits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sqs = Sqs(message("1"), message("2"), message("3"))
    sqs.extend_errors = [EndpointConnectionError(endpoint_url="http://127.0.0.1:9")]
    time_is_over, both_called, waits = threading.Semaphore(0), threading.Event(), []

    class Clock(threading.Event):
        """Time goes on when the test says so."""

        def wait(self, seconds: float | None = None) -> bool:
            waits.append(seconds)
            if len(waits) == 3:
                both_called.set()
            time_is_over.acquire()
            return self.is_set()

        def set(self) -> None:
            super().set()
            time_is_over.release()

    def work(event: Event, body: bytes) -> None:
        if event.attributes["dedup_id"] == "2":
            time_is_over.release(2)  # the first call fails
            assert both_called.wait(60)

    tested = consumer(work, sqs=sqs)
    monkeypatch.setattr("labelbox_queue.Signal", Clock)
    assert tested.poll("url", until_empty=True)
    assert sqs.calls == [
        ("delete", ["handle-1"]),
        ("extend", ["handle-2", "handle-3"]),
        ("delete", ["handle-2"]),
        ("delete", ["handle-3"]),
    ]
    assert set(waits) == {20}
    assert "the visibility timeout could not be extended" in caplog.text
    assert "the visibility timeout of message 3 was not extended: ReceiptHandleIsInvalid" in caplog.text


def test_a_visibility_timeout_of_zero_does_not_extend_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []

    class Clock(threading.Event):
        def wait(self, seconds: float | None = None) -> bool:
            waits.append(seconds)
            return super().wait()

    sqs = Sqs(message("1"))
    sqs.visibility_timeout = 0
    monkeypatch.setattr("labelbox_queue.Signal", Clock)
    assert consumer(lambda event, body: None, sqs=sqs).poll("url", until_empty=True)
    assert set(waits) == {1 / 3}
