"""The metrics in log lines of the embedded metric format: what CloudWatch makes of them, and which there should be."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from local.places import PROJECT

PAGE = PROJECT / "docs" / "observability.md"
HEAD = "| metric | unit | by |"
"""The table that a test of the function compares with the function's own."""


class Malformed(Exception):
    """A document that CloudWatch would not take, or not in the way that is meant."""


@dataclass(frozen=True)
class Metric:
    """One value of one metric."""

    namespace: str
    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    """Each with its value, by name; none for the metric as a whole."""
    value: float
    time_ms: int
    """Unix time."""


@dataclass(frozen=True)
class Documented:
    """What the documents say of a metric."""

    unit: str
    by: str | None
    """Its dimension, if it has one."""


def emitted(lines: Iterable[str]) -> list[Metric]:
    """The metrics of these lines. A line that is no JSON object, or has no `_aws`, has none."""
    found: list[Metric] = []
    for line in lines:
        document = json.loads(line) if line.startswith("{") else {}
        if "_aws" in document:
            found += _of_document(document)
    return found


def total(metrics: Iterable[Metric], name: str, **dimensions: str) -> float:
    """The sum of a metric with exactly these dimensions."""
    wanted = tuple(sorted(dimensions.items()))
    return sum(metric.value for metric in metrics if (metric.name, metric.dimensions) == (name, wanted))


def documented() -> dict[str, Documented]:
    """Every metric that the function has, by name."""
    rows = PAGE.read_text().split(HEAD, 1)[1].splitlines()[2:]
    found = {}
    for row in rows:
        if not row.startswith("|"):
            break
        name, unit, by = (cell.strip().strip("`") for cell in row.strip("|").split("|")[:3])
        found[name] = Documented(unit, by or None)
    return found


def _of_document(document: dict[str, Any]) -> list[Metric]:
    about = document["_aws"]
    return [
        _metric(document, about["Timestamp"], directive["Namespace"], definition, names)
        for directive in about["CloudWatchMetrics"]
        for definition in directive["Metrics"]
        for names in directive["Dimensions"]
    ]


def _metric(document: dict[str, Any], time: int, namespace: str, definition: dict[str, str], names: list[str]) -> Metric:
    name = definition["Name"]
    value = document.get(name)
    # A boolean is a number to Python, and none to CloudWatch.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"{name} has no number: {document}")
    if not all(isinstance(document.get(each), str) for each in names):
        raise Malformed(f"{name} lacks a dimension of {names}: {document}")
    dimensions = tuple(sorted((each, document[each]) for each in names))
    return Metric(namespace, name, definition.get("Unit", "None"), dimensions, float(value), int(time))
