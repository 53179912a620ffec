"""The requests that the tests send, and what each must lead to: the samples in `events/`, large bodies, rejections."""

import base64
import hashlib
import hmac
import json
from typing import Any, NamedTuple

from dev.paths import EVENTS

SECRET = "example_secret"
"""The secret of every sample, on all routes."""
SECRETS = {"labelbox": SECRET, "training": SECRET}
"""The same for the webhook and for the training routes."""
LAMBDA_LIMIT = 6 * 1024 * 1024
"""Bytes of an invocation's event: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

# Added by the HTTP client or the gateway.
_NOT_OF_THE_SENDER = (
    *("host", "content-length", "x-amzn-trace-id"),
    *("x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"),
)
_POLYGONS = EVENTS / "label-updated-v1-polygons"


class Request(NamedTuple):
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


class Sample(NamedTuple):
    """A sample event, and the expected result from the manifest."""

    name: str
    request: Request
    expect: dict[str, Any]
    attributes: dict[str, str | None]
    """Attributes of its message; `None` for one that must be absent. The `dedup_id` of a training run is not known."""


class Offloaded(NamedTuple):
    """An event whose body SQS does not accept, so that it goes to the bucket."""

    name: str
    body: bytes
    queue: str

    @property
    def request(self) -> Request:
        return event(self.body, delivery_id="cm8imx7nr2h8g07dccolauoik")


class Rejection(NamedTuple):
    """A request, and the status and the error code of the response; no code if the gateway responds."""

    name: str
    status: int
    error: str | None
    request: Request


def sign(body: bytes, secret: str = SECRET) -> str:
    """Returns the value of `X-Hub-Signature`."""
    return "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


def event(
    body: bytes,
    topic: str = "LABEL_UPDATED",
    *,
    path: str = "/webhooks/labelbox",
    secret: str = SECRET,
    signature: str | None = None,
    delivery_id: str | None = None,
    content_type: str = "application/json",
) -> Request:
    """Returns a webhook's request, signed with `secret` or having this `signature`, without headers that are empty."""
    headers = {
        "Content-Type": content_type,
        "X-Hub-Signature": sign(body, secret) if signature is None else signature,
        "X-Labelbox-Event": topic,
        "X-Labelbox-Id": delivery_id,
    }
    return Request("POST", path, tuple((name, value) for name, value in headers.items() if value), body)


def _rejection(name: str, status: int, error: str | None, appended: bytes = b"", **changes: str) -> Rejection:
    # A FIFO queue would drop a body that it has seen.
    body = json.dumps({"id": "cl0sjr9nb9tfi0zatagsq5zw1", "name": name}).encode()
    request = event(body, "LABEL_CREATED", **changes)
    return Rejection(name, status, error, request._replace(body=body + appended))


REJECTIONS = (
    _rejection("no signature", 401, "signature_rejected", signature=""),
    _rejection("invalid signature", 401, "signature_rejected", signature="sha1=" + "0" * 40),
    _rejection("signed with another secret", 401, "signature_rejected", secret="another secret"),
    _rejection("one byte appended to the body", 401, "signature_rejected", b" "),
    _rejection("unknown webhook", 404, "not_found", path="/webhooks/nobody"),
    _rejection("another content type", 415, "unsupported_media_type", content_type="text/plain"),
    _rejection("a path without a route", 404, None, path="/nowhere"),
)


def load() -> list[Sample]:
    """Returns all samples in the order of the manifest."""
    return [_sample(entry) for entry in json.loads((EVENTS / "manifest.json").read_text())]


def offloaded() -> list[Offloaded]:
    """Returns one event of each kind. The emulator's API passes on only UTF-8."""
    return [
        Offloaded("label of 4.3 MB", label(4_300_000), "label"),
        Offloaded("largest label", largest_label(), "label"),
        Offloaded("label with a character that SQS rejects", '{"id":"label1","x":"\uffff"}'.encode(), "label"),
        Offloaded("empty body", b"", "unrouted"),
    ]


def label(size: int) -> bytes:
    """Returns a v1 label with exactly this many bytes: the sample with polygons, repeated."""
    body = json.loads(_POLYGONS.with_suffix(".payload.json").read_text())
    drawn = json.loads(body["label"])
    sample = drawn["objects"]
    one = len(_compact(body).encode()) // len(sample)
    drawn["objects"] = [sample[number % len(sample)] for number in range(size // one - 1)]
    body["label"] = _compact(drawn)
    text = _compact(body).encode()
    return text + b" " * (size - len(text))


def largest_label() -> bytes:
    """Returns the largest label whose event, as an HTTP API writes it, Lambda accepts."""
    event = json.loads(_POLYGONS.with_suffix(".json").read_text())
    body = label(LAMBDA_LIMIT * 3 // 4).decode()
    event |= {"isBase64Encoded": False, "body": body}
    return (body + " " * (LAMBDA_LIMIT - len(_compact(event).encode()))).encode()


def dedup_id(body: bytes, topic: str | None, webhook: str | None, delivery_id: str | None, is_timed: bool) -> str:
    """Returns the `dedup_id` of a message. `is_timed`: the body contains the time of its event."""
    topic = (topic or "").upper()
    discriminator = None if topic.startswith("LABEL_") and is_timed else delivery_id
    parts = (webhook, topic, discriminator)
    return hashlib.sha256(b"".join((part or "").encode() + b"\0" for part in parts) + body).hexdigest()


def _sample(entry: dict[str, Any]) -> Sample:
    request = _request(json.loads((EVENTS / f"{entry['name']}.json").read_text()))
    expect, delivery_id = entry["expect"], entry["delivery_id"]
    topic = "MODEL_RUN_CREATED" if expect["entity"] == "model_run" else entry["topic"] and entry["topic"].upper()
    webhook = request.path.removeprefix("/webhooks/") if request.path.startswith("/webhooks/") else None
    attributes = {name: expect[name] for name in ("entity", "entity_id", "project_id", "occurred_at", "reason")}
    attributes |= {"event": topic, "webhook": webhook, "delivery_id": delivery_id}
    if delivery_id is not None:
        is_timed = expect["occurred_at"] is not None
        attributes["dedup_id"] = dedup_id(request.body or b"", topic, webhook, delivery_id, is_timed)
    return Sample(entry["name"], request, expect, attributes)


def _request(event: dict[str, Any]) -> Request:
    """Returns the request of an HTTP API's or a REST API's event."""
    http = event["requestContext"].get("http")
    method, path = (http["method"], event["rawPath"]) if http else (event["httpMethod"], event["path"])
    headers = tuple((name, value) for name, value in event["headers"].items() if name.lower() not in _NOT_OF_THE_SENDER)
    body = event.get("body")
    if body is not None:
        body = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    return Request(method, path, headers, body)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
