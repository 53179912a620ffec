"""Every path that a request can take through the relay, and its outcome."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dev.demonstration import MODELS
from dev.samples import sign
from dev.stack import Stack

OK = "ok"
_DENIED = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
_TOPICS = {
    "label": "LABEL_CREATED",
    "workflow": "WORKFLOW_ACTION",
    "review": "REVIEW_CREATED",
    "unrouted": "UNKNOWN",
}


def failing(stack: Stack) -> dict[str, str]:
    """Sends a request on each path. Returns the outcomes that are not as expected."""
    outcomes = {name: send(stack) for name, send in PATHS.items()}
    return {name: outcome for name, outcome in outcomes.items() if outcome != OK}


def _inline(entity: str) -> Callable[[Stack], str]:
    """An event that is sent to its queue unchanged."""

    def send(stack: Stack) -> str:
        body = _body()
        outcome = _send(stack, entity, body)
        if outcome not in ("queued", "unrouted"):
            return outcome
        return OK if [message.body for message in stack.take(entity)] == [body] else "not in its queue"

    return send


def _pointer(stack: Stack) -> str:
    """An event with a character that SQS rejects."""
    body = _body('"x":"\uffff",')
    outcome = _send(stack, "label", body)
    if outcome != "queued":
        return outcome
    [message] = stack.take("label")
    return OK if stack.payload(message) == body else "without its payload"


def _spilled(stack: Stack) -> str:
    """An event that its queue rejects."""
    before = stack.objects("spill/")
    with _rejecting(stack, stack.queue_url("label")):
        outcome = _send(stack, "label", _body())
    if outcome != "spilled":
        return outcome
    return OK if len(stack.objects("spill/")) == len(before) + 1 else "not in the bucket"


def _models(stack: Stack) -> str:
    response = stack.send("GET", "/training/models", [("X-Hub-Signature", sign(b""))])
    content = json.loads(response.data)
    is_expected = (response.status, content) == (200, {name: {} for name in MODELS})
    return OK if is_expected else f"{response.status} {content.get('error')}"


def _health(stack: Stack) -> str:
    response = stack.send("GET", "/health")
    return OK if response.status == 200 else str(response.status)


def _archived(stack: Stack) -> str:
    """An event of which the archive has a copy, whatever became of its message."""
    before = stack.objects("archive/")
    status = _send(stack, "label", _body())
    stack.take("label", 0)
    if status not in ("queued", "spilled"):
        return status
    return OK if len(stack.objects("archive/")) == len(before) + 1 else "not in the archive"


PATHS: dict[str, Callable[[Stack], str]] = {
    "label": _inline("label"),
    "workflow": _inline("workflow"),
    "review": _inline("review"),
    "model run": _inline("model_run"),
    "unrouted": _inline("unrouted"),
    "by pointer": _pointer,
    "spilled": _spilled,
    "archived": _archived,
    "models": _models,
    "health": _health,
}


def _body(fields: str = "") -> bytes:
    return f'{{{fields}"id":"{uuid.uuid4().hex}"}}'.encode()


def _send(stack: Stack, entity: str, body: bytes) -> str:
    """Sends a signed event. Returns the status in the response."""
    path = "/training/model_run" if entity == "model_run" else "/webhooks/labelbox"
    headers = [
        ("Content-Type", "application/json"),
        ("X-Hub-Signature", sign(body)),
        ("X-Labelbox-Id", uuid.uuid4().hex),
        *([("X-Labelbox-Event", _TOPICS[entity])] if entity in _TOPICS else []),
    ]
    response = stack.send("POST", path, headers, body)
    content = json.loads(response.data)
    return str(content["status"]) if response.status == 200 else f"{response.status} {content.get('error')}"


@contextmanager
def _rejecting(stack: Stack, queue: str) -> Iterator[None]:
    """Makes a queue reject every message for as long as the block runs."""
    sqs = stack.emulator.client("sqs")
    policy = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
    document = json.loads(policy)
    denying = json.dumps({**document, "Statement": [*document["Statement"], _DENIED]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": denying})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
