"""Requests that the relay has to refuse, each with a body of its own: a FIFO queue would hide one that it has seen."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from dev.samples import Request, sign

_WEBHOOK = "/webhooks/labelbox"
_JSON = "application/json"


@dataclass(frozen=True)
class Refusal:
    """A request, the status that it has to get, and the error to be named; None when the gateway answers."""

    name: str
    status: int
    error: str | None
    signature: Callable[[bytes], str | None]
    path: str = _WEBHOOK
    content_type: str = _JSON

    @property
    def request(self) -> Request:
        body = json.dumps({"id": "cl0sjr9nb9tfi0zatagsq5zw1", "refused": self.name}).encode()
        signature = self.signature(body)
        signed = (("X-Hub-Signature", signature),) if signature else ()
        return Request(
            "POST",
            self.path,
            (("Content-Type", self.content_type), ("X-Labelbox-Event", "LABEL_CREATED"), *signed),
            body,
        )


REFUSALS = (
    Refusal("no signature", 401, "signature_rejected", lambda body: None),
    Refusal("bad signature", 401, "signature_rejected", lambda body: "sha1=" + "0" * 40),
    Refusal("signed with another secret", 401, "signature_rejected", lambda body: sign(body, "another secret")),
    Refusal("one byte added to the body", 401, "signature_rejected", lambda body: sign(body[:-1])),
    Refusal("unknown webhook", 404, "not_found", sign, path="/webhooks/nobody"),
    Refusal("another content type", 415, "unsupported_media_type", sign, content_type="text/plain"),
    Refusal("a path without a route", 404, None, sign, path="/nowhere"),
)
