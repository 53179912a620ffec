"""What a body says, by the tables of the contract: with Python's JSON reader, and nothing taken from the Rust code.

Three rules are the relay's own, as JSON leaves them open: of two fields of one name the last counts; a text with a lone
surrogate is no text, so what has it as its value or as its name counts as not there; and `_BREAKS` below.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from math import isinf
from typing import Any, NoReturn

from times import in_utc


@dataclass(frozen=True)
class Event:
    """All that the relay may say of an event, and the ids that follow from it."""

    entity: str
    reason: str | None
    topic: str | None
    entity_id: str | None
    project_id: str | None
    occurred_at: str | None
    dedup_id: str
    group_id: str


@dataclass(frozen=True)
class Object:
    """A JSON object with all its fields, even those that are there twice."""

    fields: list[tuple[str, Any]]


@dataclass(frozen=True)
class Number:
    """A number as it is written: it may be of any size."""

    text: str


def read(topic: str | None, delivery_id: str | None, body: bytes, is_training: bool) -> Event:
    """Reads the body of a webhook's delivery, or of a call for a training run."""
    topic = "MODEL_RUN_CREATED" if is_training else topic and topic.upper()
    entity, reason = ("model_run", None) if is_training else _entity(topic)
    document = _document(body)
    entity_id = project_id = occurred_at = None
    if document is None:
        entity, reason = "unrouted", reason or "unreadable"
    else:
        entity_id, project_id, occurred_at = _entity_id(entity, document), _project_id(document), _occurred_at(document)
    # Section 4 of the contract.
    delivery = "" if occurred_at else f"{delivery_id or ''}\n"
    dedup_id = hashlib.sha256(f"{topic or ''}\n{delivery}".encode() + body).hexdigest()
    group_id = dedup_id if entity_id is None else _group_of(entity_id)
    return Event(entity, reason, topic, entity_id, project_id, occurred_at, dedup_id, group_id)


def _entity(topic: str | None) -> tuple[str, str | None]:
    if topic is None:
        return "unrouted", "no_topic"
    for start, entity in (("LABEL_", "label"), ("WORKFLOW_", "workflow"), ("REVIEW_", "review")):
        if topic.startswith(start):
            return entity, None
    return ("workflow", None) if topic == "MOVE" else ("unrouted", "unknown_topic")


def _group_of(entity_id: str) -> str:
    """SQS takes 128 letters, digits and punctuation marks, all of them ASCII."""
    if len(entity_id) <= 128 and all("!" <= character <= "~" for character in entity_id):
        return entity_id
    return hashlib.sha256(entity_id.encode()).hexdigest()


def _entity_id(entity: str, document: Object) -> str | None:
    label = _text(_only_label(document), "id") if _only_label(document) else _text(document, "data_row", "id")
    choices = {
        "label": [_text(document, "id"), label],
        "review": [_text(document, "id"), _text(document, "label", "id"), label],
        "workflow": [_text(document, "id"), _text(document, "dataRow", "id"), _text(document, "data_row", "id")],
        "model_run": [_text(document, "modelRunId")],
        "unrouted": [],
    }
    return next((choice for choice in choices[entity] if choice), None)


def _project_id(document: Object) -> str | None:
    names = list(_named(_follow(document, "projects")))
    return _text(document, "project", "id") or (names[0] or None if len(names) == 1 else None)


def _occurred_at(document: Object) -> str | None:
    choices = [
        _text(document, "updatedAt"),
        _text(document, "createdAt"),
        _text(_only_label(document), "label_details", "updated_at"),
        _text(document, "data_row", "details", "updated_at"),
    ]
    times = (in_utc(choice) for choice in choices if choice)
    return next((time for time in times if time), None)


def _only_label(document: Object) -> Object | None:
    """Whatever is in a list of labels counts, but only an object can be a label."""
    lists = [_follow(project, "labels") for project in _named(_follow(document, "projects")).values()]
    items = [item for labels in lists if isinstance(labels, list) for item in labels]
    return items[0] if len(items) == 1 and isinstance(items[0], Object) else None


def _text(value: Any, *path: str) -> str | None:
    found = _follow(value, *path)
    return found if isinstance(found, str) and found and _is_text(found) else None


def _follow(value: Any, *path: str) -> Any:
    for name in path:
        value = _named(value).get(name)
    return value


def _named(value: Any) -> dict[str, Any]:
    return {name: inner for name, inner in value.fields if _is_text(name)} if isinstance(value, Object) else {}


def _is_text(text: str) -> bool:
    return _SURROGATE.search(text) is None


def _document(body: bytes) -> Object | None:
    try:
        document = _JSON.decode(body.decode("utf-8"))
    except ValueError:
        return None
    return None if not isinstance(document, Object) or _breaks(document, _BREAKS) else document


def _refuse(constant: str) -> NoReturn:
    """Python knows NaN and infinity, which JSON does not."""
    raise ValueError(constant)


_SURROGATE = re.compile("[\ud800-\udfff]")  # Python has joined what is a pair
_JSON = json.JSONDecoder(object_pairs_hook=Object, parse_int=Number, parse_float=Number, parse_constant=_refuse)

# Where the relay looks for an object or a list, in one pass. If it finds a text that is none (a lone surrogate) or a
# number that no double can hold (1e999) there, and only there, the whole body counts as unreadable. That is the price
# of the one pass, which src/event/lenient.rs names; the event is queued all the same, with its body.
_BREAKS: dict[str, Any] = {
    "dataRow": {},
    "project": {},
    "data_row": {"details": {}},
    "projects": {"*": {"labels": [{"label_details": {}}]}},
}


def _breaks(value: Any, places: Any) -> bool:
    if isinstance(value, str):
        return not _is_text(value)
    if isinstance(value, Number):
        return isinf(float(value.text))
    if isinstance(value, Object) and isinstance(places, dict):
        inner = ((found, places.get(name, places.get("*"))) for name, found in value.fields if _is_text(name))
        return any(places_in is not None and _breaks(found, places_in) for found, places_in in inner)
    if isinstance(value, list) and isinstance(places, list):
        return any(_breaks(item, places[0]) for item in value)
    return False
