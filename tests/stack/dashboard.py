"""A dashboard's JSON, read strictly: its widgets, and the metrics that they show.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from metric_names import Reference

WIDTH = 24
MEMBERS = {
    "alarm": {"title", "alarms", "sortBy"},
    "text": {"markdown"},
    "metric": {"title", "region", "period", "stat", "stacked", "annotations", "metrics"},
}
"""The kinds of widget that ours has, and what may be said of each."""
RENDERING = {"label", "color", "stat", "id", "visible", "expression"}
_FUNCTIONS = {"SUM"}


class Malformed(Exception):
    """What CloudWatch would not show, or not as it is meant."""


@dataclass(frozen=True)
class Line:
    """One line of a graph: a metric, or an expression of other lines."""

    reference: Reference | None
    rendering: dict[str, Any]


@dataclass(frozen=True)
class Widget:
    """One field of the dashboard."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    properties: dict[str, Any]

    @property
    def cells(self) -> set[tuple[int, int]]:
        columns, rows = range(self.x, self.x + self.width), range(self.y, self.y + self.height)
        return {(column, row) for column in columns for row in rows}

    @property
    def title(self) -> str:
        return str(self.properties.get("title", ""))

    def lines(self) -> list[Line]:
        """Its lines, with `.` and `...` written out."""
        found: list[Line] = []
        before: list[str] = []
        for entry in self.properties.get("metrics", []):
            rendering = entry[-1] if isinstance(entry[-1], dict) else {}
            words = [each for each in entry if not isinstance(each, dict)]
            if unknown := set(rendering) - RENDERING:
                raise Malformed(f"{self.title}: {unknown}")
            if words:
                before = _written_out(words, before)
                pairs = tuple(zip(before[2::2], before[3::2], strict=True))
                found.append(Line(Reference(before[0], before[1], pairs), rendering))
            elif "expression" in rendering:
                found.append(Line(None, rendering))
            else:
                raise Malformed(f"{self.title}: an empty line")
        return found


def read(body: str) -> list[Widget]:
    """The widgets of a dashboard that CloudWatch would take."""
    document = json.loads(body)
    if set(document) != {"start", "periodOverride", "widgets"}:
        raise Malformed(f"members of the dashboard: {set(document)}")
    widgets = [_widget(each) for each in document["widgets"]]
    taken: set[tuple[int, int]] = set()
    for widget in widgets:
        if taken & widget.cells:
            raise Malformed(f"{widget.title} lies over another")
        taken |= widget.cells
    return widgets


def _widget(given: dict[str, Any]) -> Widget:
    if set(given) != {"type", "x", "y", "width", "height", "properties"}:
        raise Malformed(f"members of a widget: {set(given)}")
    kind, properties = given["type"], given["properties"]
    if kind not in MEMBERS or set(properties) - MEMBERS[kind]:
        raise Malformed(f"{kind}: {set(properties) - MEMBERS.get(kind, set())}")
    widget = Widget(kind, given["x"], given["y"], given["width"], given["height"], properties)
    if not (widget.x >= 0 and widget.x + widget.width <= WIDTH and widget.y >= 0 and widget.height > 0):
        raise Malformed(f"{widget.title} is outside")
    if kind == "metric":
        _check_lines(widget)
    return widget


def _check_lines(widget: Widget) -> None:
    lines = widget.lines()
    ids = [line.rendering["id"] for line in lines if "id" in line.rendering]
    if len(set(ids)) < len(ids) or not all(re.fullmatch(r"[a-z]\w*", each) for each in ids):
        raise Malformed(f"{widget.title}: ids {ids}")
    for line in lines:
        unknown = set(re.findall(r"[A-Za-z]\w*", line.rendering.get("expression", ""))) - _FUNCTIONS - set(ids)
        if unknown:
            raise Malformed(f"{widget.title}: no line has the id {unknown}")
        if line.reference and "stat" not in line.rendering | widget.properties:
            raise Malformed(f"{widget.title}: no statistic")


def _written_out(words: list[str], before: list[str]) -> list[str]:
    if words[0] == "...":
        return before[: len(before) - len(words) + 1] + words[1:]
    return [before[place] if word == "." else word for place, word in enumerate(words)]
