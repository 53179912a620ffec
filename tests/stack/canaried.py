"""Requests of which every header and every body can be told from all others, and what may come out of each."""

import base64
import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dev.large import Uncarriable
from dev.places import EVENTS
from dev.samples import SECRET, Request, Sample, dedup_id, sign

SHORTEST = 12
"""Bytes of a header or a secret that are searched for."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGESTS = {"SHA-1": hashlib.sha1, "SHA-256": hashlib.sha256}
_TOPIC, _DELIVERY = "X-Labelbox-Event", "X-Labelbox-Id"


@dataclass(frozen=True)
class Sent:
    """A request, the status and the word that it has to get, and whose signature it carries."""

    name: str
    request: Request
    status: int
    word: str
    """The error, or the status in the answer's body."""
    event: Mapping[str, Any] | None = None
    """The gateway's event, for what no gateway lets through."""
    told: Mapping[str, str] = field(default_factory=dict)
    """What may be told of it: attributes of its message and fields of its line that come from its body or headers."""

    @property
    def body(self) -> bytes:
        return self.request.body or b""

    @property
    def headers(self) -> dict[str, bytes]:
        """Headers that nothing may show, and what is odd in the method, the address and the content type."""
        request = self.request
        told = {value.upper() for value in self.told.values()}
        given = [each for each in request.headers if each[0].lower() != "content-type"]
        odd = _UUID.findall(f"{request.method} {request.path} {request.header('Content-Type')}")
        return {f"odd part {number} of {self.name}": part.encode() for number, part in enumerate(odd)} | {
            f"{name} of {self.name}, {number}, {case}": each.encode()
            for number, (name, value) in enumerate(given)
            for case, each in enumerate({value, value.upper()})
            if len(value) >= SHORTEST and value.upper() not in told
        }

    def macs(self, secrets: list[str]) -> dict[str, bytes]:
        """Both MACs of the body, by every secret that there was."""
        return {
            f"{kind} of {self.name} by secret {number}": hmac.digest(secret.encode(), self.body, digest)
            for number, secret in enumerate(secrets)
            for kind, digest in _DIGESTS.items()
        }

    def dedup_id(self, request_id: str) -> str:
        """The `dedup_id` of its message, if this is the id of the invocation."""
        told = self.told
        delivery_id = told.get("delivery_id", request_id)
        return dedup_id(self.body, told.get("event"), told.get("webhook"), delivery_id, "occurred_at" in told)


def of_sample(sample: Sample) -> Sent:
    """A sample as Labelbox sends it, and with headers that are nobody's business."""
    request, expect = sample.request, sample.expect
    word = "models" if expect["queue"] is None else "unrouted" if expect["queue"] == "unrouted" else "queued"
    return Sent(
        sample.name,
        replace(request, headers=(*request.headers, *_strange(("User-Agent", "Cookie", "X-Canary")))),
        expect["status"],
        word,
        told={name: value for name, value in sample.attributes.items() if value},
    )


def as_event(sent: Sent) -> Sent:
    """A sample once more, as the gateway's event that it is kept as: of an HTTP API, of a REST API, in base64."""
    event = json.loads((EVENTS / f"{sent.name}.json").read_text())
    return replace(sent, name=f"{sent.name} as an event", event=event)


def of_uncarriable(uncarriable: Uncarriable, polygons: Sample) -> Sent:
    """What goes by way of the bucket; a large one has the ids and the time of the sample that it is made of."""
    sample = of_sample(polygons)
    delivery = uncarriable.request.header(_DELIVERY) or ""
    headers = {"event": "LABEL_UPDATED", "webhook": "labelbox", "delivery_id": delivery}
    told = {**sample.told, **headers} if len(uncarriable.body) > len(sample.body) else headers
    word = "unrouted" if uncarriable.queue == "unrouted" else "queued"
    return Sent(uncarriable.name, uncarriable.request, 200, word, told=told)


def health() -> Sent:
    """An uptime check, which brings what it should not."""
    headers = _strange(("User-Agent", "Cookie", "Authorization", "X-Hub-Signature"))
    return Sent("an uptime check", Request("GET", f"/health?{uuid.uuid4()}", headers, None), 200, "ok")


def label(name: str, status: int, word: str, secret: str = SECRET, webhook: str = "labelbox", size: int = 0) -> Sent:
    """A label with private things in it, signed with this secret. `size` is how many bytes it has more."""
    unique = uuid.uuid4().hex
    content = {
        "id": f"id-{unique[:12]}",
        "updatedAt": "2021-03-17T13:51:59Z",
        "label": f"classified as {uuid.uuid4()}",
        "user": {"email": f"{uuid.uuid4().hex}@private.example"},
        "dataRow": {"rowData": f"https://assets.example/{uuid.uuid4()}.jpg?Signature={uuid.uuid4().hex}"},
        "more": uuid.uuid4().hex * (size // 32),
    }
    body = json.dumps(content).encode()
    headers = (
        ("Content-Type", "application/json"),
        ("X-Hub-Signature", sign(body, secret)),
        ("X-Hub-Signature-256", "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()),
        (_TOPIC, "LABEL_CREATED"),
        (_DELIVERY, f"delivery-{unique}"),
        *_strange(("User-Agent", "Cookie", "Authorization", "X-Canary", "Referer")),
    )
    told = {
        "event": "LABEL_CREATED",
        "delivery_id": f"delivery-{unique}",
        "webhook": webhook,
        "entity_id": content["id"],
        "occurred_at": "2021-03-17T13:51:59.000Z",
    }
    request = Request("POST", f"/webhooks/{webhook}?query={uuid.uuid4()}", headers, body)
    return Sent(name, request, status, word, told=told)


def refused(
    name: str, status: int, word: str, *, webhook: str = "labelbox", secret: str = SECRET, **change: Any
) -> Sent:
    """A label that has to be refused, and each of whose headers is a canary.

    `change` is of the request; in its `headers`, None takes one away, and a list has it several times.
    """
    sent = label(name, status, word, secret, webhook)
    canaries = {_TOPIC: f"LABEL_{uuid.uuid4().hex}", _DELIVERY: f"refused-{uuid.uuid4()}"}
    given: dict[str, Any] = {**dict(sent.request.headers), **canaries, **change.pop("headers", {})}
    headers = [
        (key, each)
        for key, value in given.items()
        for each in ([] if value is None else value if isinstance(value, list) else [value])
    ]
    request = replace(sent.request, headers=tuple(headers), **change)
    # The name in the address is told even of a request that is refused: it is none of the headers.
    return replace(sent, request=request, told={"webhook": webhook})


def event_of(sent: Sent, **change: Any) -> Sent:
    """The same as an event of an HTTP API, in which a test can change what a gateway would never say."""
    path, _, query = sent.request.path.partition("?")
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {name.lower(): value for name, value in sent.request.headers},
        "requestContext": {"stage": "$default", "http": {"method": sent.request.method, "sourceIp": "198.51.100.7"}},
        "body": sent.body.decode(),
        "isBase64Encoded": False,
    }
    return replace(sent, event={**event, **change})


def base64_of(sent: Sent) -> str:
    """The body in base64, with a character that is none of base64's."""
    return base64.b64encode(sent.body).decode() + "!"


def _strange(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"canary-{name.lower()}-{uuid.uuid4()}") for name in names)
