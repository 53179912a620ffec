"""Requests that have to be turned away, one for each reason that there is, with canaries in all that they bring."""

import uuid
from collections.abc import Iterator

from canaried import Sent, base64_of, event_of, label, refused

from dev.samples import sign


def signature_refusals() -> Iterator[Sent]:
    """Every way to have no signature, or a wrong one."""
    right = label("", 200, "")
    digits = sign(right.body).removeprefix("sha1=")
    wrong = sign(right.body, "another secret")
    sha1, sha256 = "X-Hub-Signature", "X-Hub-Signature-256"
    canary = uuid.uuid4().hex + uuid.uuid4().hex
    ways: dict[str, dict[str, str | list[str] | None]] = {
        "no signature": {sha1: None, sha256: None},
        "an empty one": {sha1: "", sha256: None},
        "a wrong SHA-1": {sha1: f"sha1={canary[:40]}", sha256: None},
        "a wrong SHA-1 beside a right SHA-256": {sha1: f"sha1={canary[:40]}"},
        "a wrong SHA-256": {sha1: None, sha256: f"sha256={canary}"},
        "a wrong SHA-256 beside a right SHA-1": {sha256: f"sha256={canary}"},
        "one of another body": {sha1: f"sha1={digits}", sha256: None},
        "one by another secret": {sha1: wrong, sha256: None},
        "no scheme": {sha1: digits, sha256: None},
        "another scheme": {sha1: f"SHA1={digits}", sha256: None},
        "too short": {sha1: f"sha1={digits[:-2]}", sha256: None},
        "too long": {sha1: f"sha1={digits}00", sha256: None},
        "no hex": {sha1: f"sha1={canary[:39]}g", sha256: None},
        "twice": {sha1: [f"sha1={digits}", f"sha1={canary[:40]}"], sha256: None},
        "ten thousand digits": {sha1: f"sha1={canary * 157}", sha256: None},
    }
    for name, headers in ways.items():
        yield refused(f"signature: {name}", 401, "signature_rejected", headers=headers)
    yield refused("signature: by a secret of another webhook", 401, "signature_rejected", webhook="rotating")
    yield refused("signature: by the empty secret", 401, "signature_rejected", webhook="empty", secret="")
    nothing = {sha1: None, sha256: None}
    for method, path in (("POST", "/training/model_run"), ("GET", "/training/models")):
        change = {"method": method, "path": path, "headers": nothing}
        yield refused(f"signature: {method} {path}", 401, "signature_rejected", **change)


def door_refusals() -> Iterator[Sent]:
    """What is turned away before or beside the signature; the last ones are what no gateway of ours lets through."""
    yield refused("an unknown webhook", 404, "not_found", webhook=f"nobody-{uuid.uuid4().hex}")
    yield refused("a path of no route", 404, "", path=f"/{uuid.uuid4()}/{uuid.uuid4()}")
    for value in ("text/plain", f"text/{uuid.uuid4()}", f"application/json, {uuid.uuid4()}"):
        yield refused(f"content type {value}", 415, "unsupported_media_type", headers={"Content-Type": value})
    path = f"/{uuid.uuid4()}"
    yield event_of(refused("a path of no route in an event", 404, "not_found", path=path))
    yield event_of(refused("another method", 405, "method_not_allowed", method="PUT"))
    yield event_of(refused("a method of its own", 405, "method_not_allowed", method=f"X-{uuid.uuid4()}"))
    plain = refused("no base64", 400, "malformed_base64")
    yield event_of(plain, body=base64_of(plain), isBase64Encoded=True)
    for name, change in {
        "headers that are a list": {"headers": [uuid.uuid4().hex]},
        "a body that is an object": {"body": {uuid.uuid4().hex: uuid.uuid4().hex}},
        "a path that is a number": {"rawPath": 5},
        "a context that is a text": {"requestContext": uuid.uuid4().hex},
    }.items():
        yield event_of(refused(f"unreadable: {name}", 503, "try_again"), **change)
