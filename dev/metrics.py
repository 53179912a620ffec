"""Reads metrics from log lines in the embedded metric format, as CloudWatch does on AWS, and from the documentation."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from dev.paths import PROJECT

PAGE = PROJECT / "docs" / "configuration.md"
_TABLE = "| metric | unit | by |"
"""A test of the function compares this table with the code."""


@dataclass(frozen=True)
class Metric:
    """One value of a metric."""

    namespace: str
    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    """Sorted pairs of name and value; none for the total."""
    value: float


def emitted(lines: Iterable[str]) -> list[Metric]:
    """Returns the metrics in these lines. Lines that are not JSON objects or have no `_aws` have none."""
    documents = [json.loads(line) for line in lines if line.startswith("{")]
    return [
        Metric(
            directive["Namespace"],
            metric["Name"],
            metric["Unit"],
            tuple(sorted((name, document[name]) for name in names)),
            document[metric["Name"]],
        )
        for document in documents
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", [])
        for metric in directive["Metrics"]
        for names in directive["Dimensions"]
    ]


def total(metrics: Iterable[Metric], name: str, **dimensions: str) -> float:
    """Returns the sum of a metric with exactly these dimensions."""
    wanted = tuple(sorted(dimensions.items()))
    return sum(metric.value for metric in metrics if (metric.name, metric.dimensions) == (name, wanted))


def documented() -> dict[str, tuple[str, str]]:
    """Returns the unit and the dimension of each metric in the documentation; the dimension is empty if it has none."""
    rows = PAGE.read_text().split(_TABLE, 1)[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]
    return {name: (unit, dimension) for name, unit, dimension, *_ in cells}
