"""Every way that a request can take through the relay, and what has to come of it."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dev.demonstration import MODELS
from dev.samples import sign
from dev.stack import Stack

_DENIED = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
_TOPICS = {
    "label": "LABEL_CREATED",
    "workflow": "WORKFLOW_ACTION",
    "review": "REVIEW_CREATED",
    "unrouted": "NOBODY_KNOWS",
}


def failing(stack: Stack) -> dict[str, str]:
    """The ways that do not end where they have to, with how they end."""
    ends = {name: take(stack) for name, take in WAYS.items()}
    return {name: end for name, end in ends.items() if end != "well"}


def _event(entity: str) -> Callable[[Stack], str]:
    """An event that goes to its queue as it is."""

    def take(stack: Stack) -> str:
        body = b'{"id":"%s"}' % uuid.uuid4().hex.encode()
        end = _send(stack, entity, body)
        if end not in ("queued", "unrouted"):
            return end
        return "well" if [message.body for message in stack.take(entity)] == [body] else "not in its queue"

    return take


def _by_pointer(stack: Stack) -> str:
    """An event with a character that SQS does not take."""
    body = '{"id":"%s","x":"\uffff"}'.encode() % uuid.uuid4().hex.encode()
    end = _send(stack, "label", body)
    if end != "queued":
        return end
    [message] = stack.take("label")
    return "well" if stack.payload(message) == body else "without its payload"


def _spilled(stack: Stack) -> str:
    """An event that its queue refuses, whoever sends it."""
    before = stack.objects("spill/")
    with _refusing(stack, stack.queue_url("label")):
        end = _send(stack, "label", b'{"id":"%s"}' % uuid.uuid4().hex.encode())
    if end != "spilled":
        return end
    return "well" if len(stack.objects("spill/")) == len(before) + 1 else "not in the bucket"


def _archived(stack: Stack) -> str:
    """An event of which the archive has a copy, whatever became of its message."""
    before = stack.objects("archive/")
    end = _send(stack, "label", b'{"id":"%s"}' % uuid.uuid4().hex.encode())
    stack.take("label", 0)
    if end not in ("queued", "spilled"):
        return end
    return "well" if len(stack.objects("archive/")) == len(before) + 1 else "not in the archive"


def _models(stack: Stack) -> str:
    answer = stack.send("GET", "/training/models", [("X-Hub-Signature", sign(b""))])
    said = json.loads(answer.data)
    return "well" if (answer.status, said) == (200, {name: {} for name in MODELS}) else _words(answer.status, said)


def _health(stack: Stack) -> str:
    answer = stack.send("GET", "/health")
    return "well" if answer.status == 200 else str(answer.status)


WAYS: dict[str, Callable[[Stack], str]] = {
    "label": _event("label"),
    "workflow": _event("workflow"),
    "review": _event("review"),
    "model run": _event("model_run"),
    "unrouted": _event("unrouted"),
    "by pointer": _by_pointer,
    "spilled": _spilled,
    "archived": _archived,
    "models": _models,
    "health": _health,
}


def _send(stack: Stack, entity: str, body: bytes) -> str:
    """Sends a signed event of this kind. Returns what the answer says became of it."""
    path = "/training/model_run" if entity == "model_run" else "/webhooks/labelbox"
    headers = [
        ("Content-Type", "application/json"),
        ("X-Hub-Signature", sign(body)),
        ("X-Labelbox-Id", uuid.uuid4().hex),
    ]
    if entity in _TOPICS:
        headers.append(("X-Labelbox-Event", _TOPICS[entity]))
    answer = stack.send("POST", path, headers, body)
    said = json.loads(answer.data)
    return str(said["status"]) if answer.status == 200 else _words(answer.status, said)


def _words(status: int, said: dict[str, str]) -> str:
    return f"{status} {said.get('error')}"


@contextmanager
def _refusing(stack: Stack, queue: str) -> Iterator[None]:
    """Has a queue refuse every message for as long as the block runs."""
    sqs = stack.emulator.client("sqs")
    policy = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
    given = json.loads(policy)
    closed = json.dumps({**given, "Statement": [*given["Statement"], _DENIED]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": closed})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
