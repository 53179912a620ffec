"""Reads an event from its body, with Python's `json` and nothing taken from the Rust code.

Where JSON leaves room, these rules apply:

- Of duplicate fields the last counts, except that the times of all entries of `projects` count.
- A string with a lone surrogate is invalid. An invalid value or name counts as absent, as does a value of another type.
- A byte order mark before the document is skipped.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

# The first path that leads to a string that is not empty provides the value.
_ENTITY_ID = {
    "label": ("id", "data_row.id"),
    "review": ("id", "label.id", "data_row.id"),
    "workflow": ("id", "dataRow.id", "data_row.id"),
    "model_run": ("modelRunId",),
    "unrouted": (),
}
_OCCURRED_AT = ("updatedAt", "createdAt", "data_row.details.last_activity_at")
# The lists of a project, and the times in their items.
_PROJECT_TIMES = {
    "labels": ("label_details.created_at", "label_details.updated_at", "label_details.content_last_updated_at"),
    "project_details.workflow_history": ("created_at",),
}
_RFC_3339 = re.compile(
    # RFC 3339, section 5.6: "T" and "Z" may be lower case, and a space may replace "T".
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})[Tt ]"
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]+))?"
    r"([Zz]|(?P<sign>[+-])(?P<offset_hour>[0-9]{2}):(?P<offset_minute>[0-9]{2}))"
)
# `datetime` supports years 1 to 9999. The Gregorian calendar repeats every 400 years, so shifting by them is exact.
_CYCLE = 400


@dataclass(frozen=True)
class Event:
    """What the relay reads from an event, and the ids that it derives from it."""

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
    """A JSON object with all its fields, duplicates included."""

    fields: list[tuple[str, Any]]


def read(
    topic: str | None, webhook: str | None, delivery_id: str | None, request_id: str, body: bytes
) -> tuple[Event, dict[str, str | None]]:
    """Read the event of a webhook delivery or, without a webhook, of a request to start a training run.

    Also return which of its possible sources each value came from.
    """
    topic = "MODEL_RUN_CREATED" if webhook is None else topic and topic.upper()
    entity, reason = ("model_run", None) if webhook is None else _entity(topic)
    document = _document(body)
    if document is None:
        entity, reason = "unrouted", reason or "unreadable"
    sources = {
        "entity_id": {path: _string(document, path) for path in _ENTITY_ID[entity]},
        "project_id": {"project.id": _string(document, "project.id"), "projects": _only_project(document)},
        "occurred_at": {path: _time(document, path) for path in _OCCURRED_AT} | {"projects": _newest(document)},
        "discriminator": {"delivery_id": delivery_id, "request_id": request_id},
    }
    chosen = {name: next((path for path in paths if paths[path]), None) for name, paths in sources.items()}
    if entity == "label" and chosen["occurred_at"]:
        chosen["discriminator"] = None
    entity_id, project_id, occurred_at, discriminator = (path and sources[name][path] for name, path in chosen.items())
    parts = (webhook, topic, discriminator)
    dedup_id = hashlib.sha256(b"".join((part or "").encode() + b"\0" for part in parts) + body).hexdigest()
    group_id = dedup_id if entity_id is None else _group_of(entity_id)
    return Event(entity, reason, topic, entity_id, project_id, occurred_at, dedup_id, group_id), chosen


def _entity(topic: str | None) -> tuple[str, str | None]:
    if topic is None:
        return "unrouted", "no_topic"
    for start, entity in (("LABEL_", "label"), ("WORKFLOW_", "workflow"), ("REVIEW_", "review")):
        if topic.startswith(start):
            return entity, None
    return ("workflow", None) if topic == "MOVE" else ("unrouted", "unknown_topic")


def _group_of(entity_id: str) -> str:
    """A message group id has at most 128 ASCII letters, digits and punctuation characters."""
    if len(entity_id) <= 128 and all("!" <= character <= "~" for character in entity_id):
        return entity_id
    return hashlib.sha256(entity_id.encode()).hexdigest()


def _only_project(document: Any) -> str | None:
    names = {name for name, _ in _fields(_follow(document, "projects"))}
    return names.pop() if len(names) == 1 else None


def _newest(document: Any) -> str | None:
    """Times in UTC with milliseconds sort in the same order as their strings."""
    times = (
        _time(item, path)
        for _, project in _fields(_follow(document, "projects"))
        for items, paths in _PROJECT_TIMES.items()
        for item in _items(_follow(project, items))
        for path in paths
    )
    return max(filter(None, times), default=None)


def _time(value: Any, path: str) -> str | None:
    string = _string(value, path)
    return string and _in_utc(string)


def _in_utc(text: str) -> str | None:
    """Return the time in UTC with milliseconds.

    `None` if the text is not an RFC 3339 time, or if its year in UTC does not have four digits.
    """
    found = _RFC_3339.fullmatch(text)
    if found is None:
        return None
    part = {name: int(found[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")}
    offset = timedelta(hours=int(found["offset_hour"] or 0), minutes=int(found["offset_minute"] or 0))
    if offset >= timedelta(days=1) or int(found["offset_minute"] or 0) > 59:
        return None
    shift = _CYCLE if part["year"] < 5000 else -_CYCLE
    is_leap = part["second"] == 60
    second = 59 if is_leap else part["second"]
    try:
        day = datetime(part["year"] + shift, part["month"], part["day"])
        local = day.replace(hour=part["hour"], minute=part["minute"], second=second)
    except ValueError:
        return None
    utc = local + offset if found["sign"] == "-" else local - offset
    # A leap second is the last second of a month in UTC. It maps to the last millisecond of the second before.
    if is_leap and ((utc.hour, utc.minute) != (23, 59) or (utc + timedelta(days=1)).day != 1):
        return None
    if not 0 <= utc.year - shift <= 9999:
        return None
    milliseconds = "999" if is_leap else (found["fraction"] or "")[:3].ljust(3, "0")
    return f"{utc.year - shift:04}-{utc:%m-%dT%H:%M:%S}.{milliseconds}Z"


def _string(value: Any, path: str) -> str | None:
    found = _follow(value, path)
    return found if isinstance(found, str) and _is_valid(found) else None


def _follow(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = dict(_fields(value)).get(name)
    return value


def _fields(value: Any) -> list[tuple[str, Any]]:
    return [field for field in value.fields if _is_valid(field[0])] if isinstance(value, Object) else []


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_valid(string: str) -> bool:
    return _SURROGATE.search(string) is None


def _document(body: bytes) -> Object | None:
    try:
        document = _JSON.decode(body.decode("utf-8-sig"))
    except ValueError:
        return None
    return document if isinstance(document, Object) else None


def _reject(constant: str) -> NoReturn:
    """`json` accepts NaN and infinity, which are not JSON."""
    raise ValueError(constant)


_SURROGATE = re.compile("[\ud800-\udfff]")  # `json` has already combined surrogate pairs
# `int` rejects numbers of more than 4,300 digits.
_JSON = json.JSONDecoder(object_pairs_hook=Object, parse_int=float, parse_constant=_reject)
