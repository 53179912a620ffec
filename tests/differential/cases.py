"""Prints test cases with their expected results, one JSON object per line: `python3 cases.py SEED CASES`.

Each case has its own seed, one more than the case before. The same seed always generates the same case.
"""

import base64
import codecs
import json
import signal
import sys
from dataclasses import asdict
from random import Random
from typing import Any
from uuid import UUID

import event_reader
import verifier
from bodies import SHAPES
from bodies import body as generate_body
from json_writer import write
from mutations import corrupt, mutate
from signatures import sign

_TOPICS = {
    "label_v1": ("LABEL_CREATED", "LABEL_UPDATED", "LABEL_DELETED"),
    "data_row": ("LABEL_CREATED", "LABEL_UPDATED", "LABEL_DELETED", "WORKFLOW_ACTION", "REVIEW_UPDATED"),
    "review": ("REVIEW_CREATED", "REVIEW_UPDATED"),
    "workflow": ("WORKFLOW_ACTION", "MOVE"),
}
_TOPICS["mixture"] = tuple(topic for topics in _TOPICS.values() for topic in topics)
_ANY_TOPIC = (
    *(None, None, "LABEL_", "LABEL", "LABEL_NEW", "WORKFLOW_", "WORKFLOW", "MOVED", "MOVE", "REMOVE", "REVIEW_"),
    *("REVIEW", "ISSUE_CREATED", "MODEL_RUN_CREATED", "XLABEL_CREATED", "~", "LABEL_UPDATED", "REVIEW_DELETED"),
    "WORKFLOW_ACTION",
)


def generate(seed: int) -> dict[str, Any]:
    """Generate the case of a seed."""
    rng = Random(seed)
    shape = rng.choice(SHAPES)
    body = _body(shape, rng)
    mutation, secrets, headers = sign(body, rng)
    sha1, sha256 = headers.get("sha1", []), headers.get("sha256", [])
    is_training = rng.random() < (0.9 if shape == "model_run" else 0.02)
    topic = None if is_training else _topic(shape, rng)
    webhook = None if is_training else rng.choice(("labelbox", "project-x", "a" * 64))
    delivery_id = None if is_training or rng.random() < 0.3 else f"delivery{rng.randrange(10**6)}"
    request_id = str(UUID(int=rng.getrandbits(128), version=4))
    is_accepted = verifier.accepts(sha1, sha256, secrets, body)
    event, sources = event_reader.read(topic, webhook, delivery_id, request_id, body) if is_accepted else (None, {})
    return {
        "seed": seed,
        "shape": shape,
        "mutation": mutation,
        "sha1": sha1,
        "sha256": sha256,
        "secrets": secrets,
        "body": base64.b64encode(body).decode(),
        "is_training": is_training,
        "topic": topic,
        "webhook": webhook,
        "delivery_id": delivery_id,
        "request_id": request_id,
        "event": event and asdict(event),
        "sources": sources,
    }


def _body(shape: str, rng: Random) -> bytes:
    tree = generate_body(shape, rng)
    for _ in range(rng.choices((0, 1, 2, 5), (4, 4, 3, 1))[0]):
        mutate(tree, rng)
    body = (codecs.BOM_UTF8 if rng.random() < 0.05 else b"") + write(tree, rng).encode()
    return corrupt(body, rng) if rng.random() < 0.08 else body


def _topic(shape: str, rng: Random) -> str | None:
    topic = rng.choice(_TOPICS[shape] if shape in _TOPICS and rng.random() < 0.8 else _ANY_TOPIC)
    return topic and rng.choice((topic, topic, topic.lower(), topic.title()))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the reader stops at the first difference; end without a traceback
    first, count = int(sys.argv[1]), int(sys.argv[2])
    for number in range(first, first + count):
        sys.stdout.write(json.dumps(generate(number)) + "\n")
