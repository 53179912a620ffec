"""Events whose body SQS does not take: too large, empty, or with other characters. As files they would be in the way."""

import json
from dataclasses import dataclass

from dev.places import EVENTS
from dev.samples import Request, sign

LAMBDAS_LIMIT = 6 * 1024 * 1024
"""Bytes that an invocation's event may have: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_POLYGONS = EVENTS / "label-updated-v1-polygons"


@dataclass(frozen=True)
class Uncarriable:
    """An event, and what has to come of it."""

    name: str
    body: bytes
    queue: str

    @property
    def request(self) -> Request:
        headers = (
            ("Content-Type", "application/json"),
            ("X-Hub-Signature", sign(self.body)),
            ("X-Labelbox-Event", "LABEL_UPDATED"),
            ("X-Labelbox-Id", "cm8imx7nr2h8g07dccolauoik"),
        )
        return Request("POST", "/webhooks/labelbox", headers, self.body)


def all_kinds() -> list[Uncarriable]:
    """One of each, the largest that Lambda takes among them; the emulator's API passes nothing on that is no UTF-8."""
    return [
        Uncarriable("label of 4.3 MB", label(4_300_000), "label"),
        Uncarriable("largest label", largest_label(), "label"),
        Uncarriable("label with a character that SQS refuses", '{"id":"label1","x":"\uffff"}'.encode(), "label"),
        Uncarriable("empty body", b"", "unrouted"),
    ]


def label(size: int) -> bytes:
    """A label in the shape of v1 with exactly this many bytes: the sample with polygons, with ever more of them."""
    body = json.loads((_POLYGONS.with_suffix(".payload.json")).read_text())
    drawn = json.loads(body["label"])
    sample = drawn["objects"]
    one = len(_compact(body).encode()) // len(sample)
    drawn["objects"] = [sample[number % len(sample)] for number in range(size // one - 1)]
    body["label"] = _compact(drawn)
    made = _compact(body).encode()
    return made + b" " * (size - len(made))


def largest_label() -> bytes:
    """The largest label whose event, as the HTTP API writes it, Lambda takes."""
    event = json.loads(_POLYGONS.with_suffix(".json").read_text())
    event["isBase64Encoded"] = False
    body = label(LAMBDAS_LIMIT * 3 // 4).decode()
    event["body"] = body
    room = LAMBDAS_LIMIT - len(_compact(event).encode())
    return (body + " " * room).encode()


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
