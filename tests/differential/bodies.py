"""Generates bodies from the samples in `events/`: with other ids, times and texts, without some fields, and mixed."""

import json
import re
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from json_writer import Object
from mutations import text, time

_SAMPLES = {
    "label_v1": "label-created-v1.payload.json label-updated-v1.payload.json label-created-v1-id-only.payload.json",
    "data_row": "label-*-v2*.payload.json workflow-*-v2*.payload.json review-updated-v2.payload.json",
    "review": "review-*-v1*.payload.json",
    "workflow": "workflow-*-v1.payload.json",
    "model_run": "model-run-*.payload.json",
}
SHAPES = (*_SAMPLES, "mixture")
_EVENTS = Path(__file__).resolve().parents[2] / "events"
_MAX_BYTES = 8_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
_IDS = {"id", "modelRunId"}


def body(shape: str, rng: Random) -> Object:
    """Generates a body. A mixture has fields of all shapes in any order, to test which source takes precedence."""
    if shape != "mixture":
        varied: Object = _vary(rng.choice(_samples(shape)), rng)
        return varied
    drawn = [field for each in _SAMPLES for field in body(each, rng)]
    if rng.random() < 0.6:  # else the first source would nearly always be present
        drawn = [(name, value) for name, value in drawn if name not in ("id", "updatedAt")]
    return Object(rng.sample(drawn, rng.randint(1, len(drawn))))


@cache
def _samples(shape: str) -> list[Object]:
    paths = sorted(path for pattern in _SAMPLES[shape].split() for path in _EVENTS.glob(pattern))
    contents = [path.read_text() for path in paths if path.stat().st_size < _MAX_BYTES]
    return [json.loads(content, object_pairs_hook=Object) for content in contents]


def _vary(value: Any, rng: Random, name: str = "") -> Any:
    if isinstance(value, Object):
        fields = [(key, _vary(inner, rng, key)) for key, inner in value if rng.random() < 0.85]
        if name == "projects" and fields:
            # None, several, or several with the same key, of which all times count.
            keys = [_id(rng), _id(rng)]
            fields = [(rng.choice(keys), _vary(it, rng)) for _, it in fields * rng.choices((0, 1, 2), (1, 8, 3))[0]]
        return Object(fields)
    if isinstance(value, list):
        return [_vary(item, rng) for item in value]
    if isinstance(value, str) and _TIME.match(value):
        return time(rng)
    if name in _IDS:
        return _id(rng)
    return text(rng) if isinstance(value, str) and rng.random() < 0.2 else value


def _id(rng: Random) -> str:
    """Generates an id in Labelbox's format, or in one of ten cases any text."""
    return text(rng) if rng.random() < 0.1 else "c" + "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24))
