"""Every path that a request can take through the relay, and its outcome."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from dev.samples import event, sign
from dev.stack import QUEUES, Stack

OK = "ok"
_DENIED = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
_TOPICS = {"label": "LABEL_CREATED", "workflow": "MOVE", "review": "REVIEW_CREATED", "unrouted": "UNKNOWN"}


def failing(stack: Stack) -> dict[str, str]:
    """Sends a request on each path. Returns the outcomes that are not as expected."""
    outcomes = {name: send(stack) for name, send in PATHS.items()}
    return {name: outcome for name, outcome in outcomes.items() if outcome != OK}


def _queued(entity: str, text: str, stack: Stack) -> str:
    """An event that is sent to its queue."""
    status = _send(stack, entity, text)
    stack.take(entity, 0)
    return OK if status in ("queued", "unrouted") else status


def _spilled(stack: Stack) -> str:
    """An event that its queue rejects."""
    with _rejecting(stack, stack.queue_url("label")):
        status = _send(stack, "label")
    return OK if status == "spilled" else status


def _archived(stack: Stack) -> str:
    """An event of which the archive has a copy, whatever became of its message."""
    before = stack.objects("archive/")
    status = _send(stack, "label")
    stack.take("label", 0)
    if status not in ("queued", "spilled"):
        return status
    return OK if len(stack.objects("archive/")) == len(before) + 1 else "not in the archive"


def _get(path: str, stack: Stack) -> str:
    response = stack.send("GET", path, [("X-Hub-Signature", sign(b""))])
    return OK if response.status == 200 else f"{response.status} {json.loads(response.data)['error']}"


PATHS: dict[str, Callable[[Stack], str]] = {
    **{entity: partial(_queued, entity, "") for entity in QUEUES},
    "by pointer": partial(_queued, "label", "\uffff"),  # which SQS rejects
    "spilled": _spilled,
    "archived": _archived,
    "models": partial(_get, "/training/models"),
    "health": partial(_get, "/health"),
}


def _send(stack: Stack, entity: str, text: str = "") -> str:
    """Sends a signed event. Returns the status in the response."""
    body = f'{{"x":"{text}","id":"{uuid.uuid4().hex}"}}'.encode()
    path = "/training/model_run" if entity == "model_run" else "/webhooks/labelbox"
    status, content = stack.answer(event(body, _TOPICS.get(entity, ""), path=path, delivery_id=uuid.uuid4().hex))
    return str(content["status"]) if status == 200 else f"{status} {content.get('error')}"


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
