"""The metrics in log lines of the embedded metric format: what CloudWatch makes of them, and which there should be.

Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dev.places import PROJECT

PAGE = PROJECT / "docs" / "configuration.md"
HEAD = "| metric | unit | by |"
"""The table that a test of the function compares with the function's own."""


NAMESPACE = re.compile(r"[\w.#:/-]{1,255}")
NAME = re.compile(r"[\x21-\x7e]{1,255}")
UNITS = {"Count", "Bytes", "Milliseconds"}
MOST_METRICS = 100
MOST_DIMENSIONS = 30
MOST_BYTES = 256 * 1024


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
    if set(about) != {"Timestamp", "CloudWatchMetrics"} or type(about["Timestamp"]) is not int:
        raise Malformed(f"it says no time in milliseconds, or too much: {about}")
    if len(json.dumps(document)) > MOST_BYTES:
        raise Malformed("it is too large")
    found = [
        _metric(document, about["Timestamp"], directive["Namespace"], definition, names)
        for directive in about["CloudWatchMetrics"]
        for definition in _checked(directive)["Metrics"]
        for names in directive["Dimensions"]
    ]
    if not found or len({(each.namespace, each.name, each.dimensions) for each in found}) < len(found):
        raise Malformed(f"it has no metric, or one twice: {document}")
    return found


def _checked(directive: dict[str, Any]) -> dict[str, Any]:
    """The directive, if it keeps to the limits."""
    sets, definitions = directive["Dimensions"], directive["Metrics"]
    names = [definition["Name"] for definition in definitions]
    if set(directive) != {"Namespace", "Dimensions", "Metrics"}:
        raise Malformed(f"it has other members than a directive: {directive}")
    if not NAMESPACE.fullmatch(directive["Namespace"]) or directive["Namespace"].startswith("AWS/"):
        raise Malformed(f"no namespace: {directive['Namespace']}")
    if not 1 <= len(names) <= MOST_METRICS or not all(NAME.fullmatch(name) for name in names):
        raise Malformed(f"too many metrics, or none, or a bad name: {names}")
    if not sets or any(len(each) > MOST_DIMENSIONS for each in sets):
        raise Malformed(f"too many dimensions, or no set of them: {sets}")
    if any(definition.get("Unit") not in UNITS for definition in definitions):
        raise Malformed(f"no unit of CloudWatch's that the function has: {definitions}")
    return directive


def _metric(
    document: dict[str, Any], time: int, namespace: str, definition: dict[str, str], names: list[str]
) -> Metric:
    name = definition["Name"]
    value = document.get(name)
    # A boolean is a number to Python, and none to CloudWatch.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"{name} has no number: {document}")
    if not all(isinstance(document.get(each), str) and document[each] for each in names):
        raise Malformed(f"{name} lacks a dimension of {names}: {document}")
    dimensions = tuple(sorted((each, document[each]) for each in names))
    return Metric(namespace, name, definition["Unit"], dimensions, float(value), time)
