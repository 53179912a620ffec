"""The sample events of `events/` as the requests that Labelbox would send, and what has to come of each."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from dev.places import EVENTS

SECRET = "example_secret"
"""What the samples are signed with, for every route."""

# What the HTTP client or the gateway adds itself.
_NOT_THE_SENDERS = (
    "host",
    "content-length",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
)


@dataclass(frozen=True)
class Request:
    """An HTTP request as a sender makes it."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None

    @property
    def webhook(self) -> str | None:
        """The webhook that its address names; `None` for a training call."""
        name = self.path.removeprefix("/webhooks/")
        return None if name == self.path else name

    def header(self, name: str) -> str | None:
        return next((value for given, value in self.headers if given.lower() == name.lower()), None)


@dataclass(frozen=True)
class Sample:
    """One of the sample events."""

    name: str
    about: str
    request: Request
    expect: dict[str, Any]
    attributes: dict[str, str | None]
    """Attributes of its message; `None` for one that must not be there. The `dedup_id` of a training run is not known."""


def load() -> list[Sample]:
    """All samples, in the manifest's order."""
    return [_sample(entry) for entry in json.loads((EVENTS / "manifest.json").read_text())]


def sign(body: bytes, secret: str = SECRET) -> str:
    """The value of `X-Hub-Signature` for a body."""
    return "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


def dedup_id(body: bytes, topic: str | None, webhook: str | None, delivery_id: str | None, is_timed: bool) -> str:
    """The `dedup_id` of a message; `is_timed` says whether the body tells when its event happened.

    Where a delivery has no id, as a training run has none, the id of the invocation takes its place.
    """
    topic = (topic or "").upper()
    # The same state of a label is the same event, however it is delivered.
    discriminator = None if topic.startswith("LABEL_") and is_timed else delivery_id
    parts = (webhook, topic, discriminator)
    return hashlib.sha256(b"".join((part or "").encode() + b"\0" for part in parts) + body).hexdigest()


def _sample(entry: dict[str, Any]) -> Sample:
    request = _request(json.loads((EVENTS / f"{entry['name']}.json").read_text()))
    expect = entry["expect"]
    topic = "MODEL_RUN_CREATED" if expect["entity"] == "model_run" else entry["topic"] and entry["topic"].upper()
    names = ("entity", "entity_id", "project_id", "occurred_at", "reason")
    attributes = {name: expect[name] for name in names}
    attributes |= {"event": topic, "webhook": request.webhook, "delivery_id": entry["delivery_id"]}
    if entry["delivery_id"] is not None:
        is_timed = expect["occurred_at"] is not None
        body = request.body or b""
        attributes["dedup_id"] = dedup_id(body, topic, request.webhook, entry["delivery_id"], is_timed)
    return Sample(entry["name"], entry["about"], request, expect, attributes)


def _request(event: dict[str, Any]) -> Request:
    """Takes the gateway's event apart again, of an HTTP API or of a REST API."""
    http = event["requestContext"].get("http")
    method, path = (http["method"], event["rawPath"]) if http else (event["httpMethod"], event["path"])
    headers = tuple((name, value) for name, value in event["headers"].items() if name.lower() not in _NOT_THE_SENDERS)
    body = event.get("body")
    if body is not None:
        body = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    return Request(method, path, headers, body)
