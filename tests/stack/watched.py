"""A relay to which everything happens that is counted, each in a known number, and its log."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from insights import Event

from dev.gate import Gate
from dev.samples import SECRET, sign
from dev.stack import Stack

SECONDS = 20
ELSEWHERE = "192.0.2.0/24"
"""Where no request of a test comes from."""
SETTINGS = {"InlineLimitKiB": "2", "SecretTtlSeconds": "1", "ArchiveDays": "30"}


@dataclass
class Watched:
    """A deployed relay, and what is sent to it."""

    stack: Stack
    sent: int = field(default=0)

    def label(self, number: int, delivery: str, size: int = 0, topic: str = "LABEL_CREATED") -> int:
        """Sends a label of about this size. Returns the status of the answer."""
        body = b'{"id":"label-%d","updatedAt":"2021-03-17T13:51:59Z"%s}' % (number, b" " * size)
        return self.send(body, topic, delivery)

    def send(self, body: bytes, topic: str, delivery: str = "d", webhook: str = "labelbox", **change: str) -> int:
        """Sends an event; `secret` and `content_type` change what is right."""
        headers = [
            ("Content-Type", change.get("content_type", "application/json")),
            ("X-Hub-Signature", sign(body, change.get("secret", SECRET))),
            ("X-Labelbox-Event", topic),
            ("X-Labelbox-Id", delivery),
        ]
        self.sent += 1
        return self.stack.send("POST", f"/webhooks/{webhook}", headers, body).status

    def invoke(self, method: str, body: str, is_base64: bool) -> int:
        """Calls the function as a gateway might that lets other requests through. Returns the status of the answer."""
        event = {
            "version": "2.0",
            "rawPath": "/webhooks/labelbox",
            "headers": {"content-type": "application/json"},
            "requestContext": {"stage": "$default", "http": {"method": method, "sourceIp": "198.51.100.7"}},
            "body": body,
            "isBase64Encoded": is_base64,
        }
        client, name = self.stack.emulator.client("lambda"), self.stack.outputs["FunctionName"]
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        self.sent += 1
        return int(json.loads(answer["Payload"].read())["statusCode"])


def live_through_it_all(stack: Stack, secrets_manager: Gate) -> Watched:
    """Sends events, and lets things go wrong: first the senders, then Secrets Manager, queues, and the bucket."""
    relay = Watched(stack)
    deliver_events(relay)
    make_mistakes(relay)
    lose_secrets_manager(relay, secrets_manager)
    lose_bucket(relay)
    lose_queue_and_bucket(relay)
    return relay


def deliver_events(relay: Watched) -> None:
    """Three labels, one of them large and one delivered twice; a move; a review; a training run; two of odd kinds."""
    assert relay.label(1, "first") == 200
    assert relay.label(1, "again") == 200
    assert relay.label(2, "second") == 200
    assert relay.label(3, "large", 3000) == 200
    assert relay.send(b'{"id":"move"}', "WORKFLOW_ACTION") == 200
    assert relay.send(b'{"id":"review"}', "REVIEW_CREATED") == 200
    assert relay.send(b'{"id":"odd"}', "NOBODY_KNOWS") == 200
    assert relay.send(b"{}", "NOBODY_KNOWS") == 200
    run = b'{"modelRunId":"run"}'
    assert relay.stack.send("POST", "/training/model_run", [("X-Hub-Signature", sign(run))], run).status == 200
    assert relay.stack.send("GET", "/training/models", [("X-Hub-Signature", sign(b""))]).status == 200
    assert relay.stack.send("GET", "/health").status == 200
    assert relay.stack.send("HEAD", "/health").status == 200
    invoke_without_request(relay.stack)


def invoke_without_request(stack: Stack) -> None:
    """Calls the function as the console's test button and scheduled warmers do."""
    client, name = stack.emulator.client("lambda"), stack.outputs["FunctionName"]
    assert "FunctionError" not in client.invoke(FunctionName=name, Payload=b"{}")


def make_mistakes(relay: Watched) -> None:
    """Each kind of refusal that the sender can cause, wrong signatures thrice; two others have a valid signature."""
    for number in range(3):
        assert relay.send(b"%d" % number, "LABEL_CREATED", secret="wrong") == 401
    assert relay.send(b"{}", "LABEL_CREATED", webhook="unknown") == 404
    assert relay.send(b"{}", "LABEL_CREATED", content_type="text/plain") == 415
    assert relay.send(b"{}", "LABEL_CREATED", content_type="text/plain", secret="wrong") == 415
    assert relay.invoke("PUT", "{}", False) == 405
    assert relay.invoke("POST", "*", True) == 400


def lose_secrets_manager(relay: Watched, secrets_manager: Gate) -> None:
    """Sends labels with an old secret until the function has noticed, and until it has fetched its secret again."""
    secrets_manager.close()
    try:
        stale = until(lambda: relay.label(10 + relay.sent, "stale") == 200 and relay.stack.counted("SecretStale") > 0)
    finally:
        secrets_manager.open()
    assert stale, "the secret was never stale"
    fetched = until(lambda: relay.label(10 + relay.sent, "stale") == 200 and has_fetched(relay.stack))
    assert fetched, "the secret was not fetched again"


def has_fetched(stack: Stack) -> bool:
    """Whether the last request has fetched the secret. Until then, the relay answers 503 to a wrong signature."""
    line = json.loads([line for line in stack.logs() if line.startswith("{")][-1])
    return "SecretTime" in line and "SecretStale" not in line


def lose_bucket(relay: Watched) -> None:
    """Without the bucket, an event is queued and not archived."""
    delete_bucket(relay.stack)
    assert relay.label(7, "not archived") == 200
    relay.stack.emulator.client("s3").create_bucket(Bucket=relay.stack.outputs["PayloadBucketName"])


def delete_bucket(stack: Stack) -> None:
    s3, bucket = stack.emulator.client("s3"), stack.outputs["PayloadBucketName"]
    for key in stack.objects():
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)


def lose_queue_and_bucket(relay: Watched) -> None:
    """Without the queue two events spill, one of them large; without the bucket, too, one is refused."""
    stack = relay.stack
    stack.emulator.client("sqs").delete_queue(QueueUrl=stack.queue_url("label"))
    assert relay.label(4, "spilled") == 200
    assert relay.label(5, "spilled and large", 4000) == 200
    delete_bucket(stack)
    assert relay.label(6, "failed") == 503


def until(true: Callable[[], bool]) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + SECONDS
    while not true():
        if time.monotonic() > deadline:
            return False
    return True


def log_of(stack: Stack) -> list[Event]:
    """The function's log with its times."""
    pages = stack.emulator.client("logs").get_paginator("filter_log_events").paginate(logGroupName=stack.log_group)
    return [Event(event["timestamp"], event["message"].rstrip("\n")) for page in pages for event in page["events"]]
