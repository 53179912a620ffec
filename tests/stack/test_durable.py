"""Nothing is lost: what queues cannot carry, at the very boundary, and what happens without a bucket or a queue."""

import json
from pathlib import Path

import pytest
from conftest import Deploy
from repair import Site
from sqs_extended_client.client import SQSExtendedClientSession

from dev.demonstration import check_pointer
from dev.samples import Offloaded, Request, dedup_id, event, offloaded
from dev.stack import Stack

LARGEST_MESSAGE = 1024 * 1024
SETTINGS = ("FifoQueue", "DeduplicationScope", "FifoThroughputLimit", "MaximumMessageSize", "RedrivePolicy")
"""What makes a queue the one that it was."""


def label(size: int, number: int = 0) -> Request:
    """A signed label of exactly this many bytes."""
    return event((b'{"id":"label%d","updatedAt":"2021-03-17T13:51:59Z"}' % number).ljust(size))


@pytest.mark.parametrize("kind", offloaded(), ids=lambda kind: kind.name)
def test_what_a_queue_cannot_carry_goes_by_pointer(empty: Stack, kind: Offloaded) -> None:
    assert not check_pointer(empty, kind).errors
    assert not any(empty.count().values())


@pytest.mark.parametrize("kind", offloaded(), ids=lambda kind: kind.name)
def test_aws_s_own_client_reads_the_pointers_of_the_relay(
    empty: Stack, kind: Offloaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", empty.emulator.endpoint)
    # Another event than in other tests: a FIFO queue takes each only once in five minutes.
    body = kind.body + b" " if kind.body else b"\x01"
    assert empty.answer(event(body))[0] == 200
    client = SQSExtendedClientSession().client("sqs")  # type: ignore[no-untyped-call]
    queue = empty.queue_url(kind.queue)
    [message] = client.receive_message(QueueUrl=queue, MessageAttributeNames=["All"], WaitTimeSeconds=2)["Messages"]
    assert message["Body"].encode() == body


def test_the_largest_message_goes_inline_and_a_byte_more_by_pointer(empty: Stack) -> None:
    assert empty.answer(label(1000))[0] == 200
    [message] = empty.take("label")
    # SQS counts the name, the type and the value of each attribute.
    attributes = sum(len(name) + len("String") + len(value) for name, value in message.attributes.items())
    for size, is_inline in ((LARGEST_MESSAGE - attributes, True), (LARGEST_MESSAGE - attributes + 1, False)):
        request = label(size)
        assert empty.answer(request)[0] == 200
        [message] = empty.take("label")
        assert (empty.payload(message) is None) == is_inline
        assert (message.body if is_inline else empty.payload(message)) == request.body
        expected = dedup_id(request.body or b"", "LABEL_UPDATED", "labelbox", None, is_timed=True)
        assert message.attributes["dedup_id"] == expected
        [line] = [json.loads(line) for line in empty.logs() if expected in line]
        assert line.get("payload_reason") == (None if is_inline else "too_large")


def test_events_outlast_the_loss_of_their_queue(deployed: Deploy, queue_type: str, relayctl: Path) -> None:
    stack = deployed(f"relay-no-queue-{queue_type}", QueueType=queue_type)
    sqs, queue = stack.emulator.client("sqs"), stack.queue_url("label")
    # Deleted with the queue are its attributes, which the template gave it.
    given = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    settings = {name: given[name] for name in SETTINGS if name in given}
    sqs.delete_queue(QueueUrl=queue)
    requests = [label(1000, number) for number in range(20)]
    answers = [stack.answer(request) for request in requests]
    assert [(status, said["status"]) for status, said in answers] == [(200, "spilled")] * 20
    assert sorted(said["message_id"] for _, said in answers) == stack.objects("spill/label/")
    assert stack.counted("Spilled") == 20, "the alarm's metric"
    sqs.create_queue(QueueName=queue.rpartition("/")[2], Attributes=settings)
    done = Site(stack, relayctl).run("replay-spill", "--json")
    assert done.status == 0, done
    assert {"found": 20, "sent": 20, "deleted": 20}.items() <= done.summary.items()
    assert stack.objects("spill/") == []
    assert stack.count()["label"] == 20
    found = [message.body for _ in range(2) for message in stack.take("label")]
    assert set(found) == {request.body for request in requests}
