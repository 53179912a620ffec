"""The sample events of `events/` as the requests that Labelbox would send, and what has to come of each."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from local.places import EVENTS

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

    def header(self, name: str) -> str | None:
        return next((value for given, value in self.headers if given.lower() == name.lower()), None)


@dataclass(frozen=True)
class Sample:
    """One of the sample events."""

    name: str
    about: str
    request: Request
    expect: dict[str, Any]
    event: str | None
    """What the message's attribute `event` has to say."""


def load() -> list[Sample]:
    """All samples, in the manifest's order."""
    return [_sample(entry) for entry in json.loads((EVENTS / "manifest.json").read_text())]


def sign(body: bytes, secret: str = SECRET) -> str:
    """The value of `X-Hub-Signature` for a body."""
    return "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


def _sample(entry: dict[str, Any]) -> Sample:
    event = json.loads((EVENTS / f"{entry['name']}.json").read_text())
    training_run = entry["expect"]["entity"] == "model_run"
    topic = "MODEL_RUN_CREATED" if training_run else entry["topic"] and entry["topic"].upper()
    return Sample(entry["name"], entry["about"], _request(event), entry["expect"], topic)


def _request(event: dict[str, Any]) -> Request:
    """Takes the gateway's event apart again, of an HTTP API or of a REST API."""
    http = event["requestContext"].get("http")
    method, path = (http["method"], event["rawPath"]) if http else (event["httpMethod"], event["path"])
    headers = tuple((name, value) for name, value in event["headers"].items() if name.lower() not in _NOT_THE_SENDERS)
    body = event.get("body")
    if body is not None:
        body = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    return Request(method, path, headers, body)
