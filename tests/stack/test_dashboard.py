"""The deployed dashboard names only metrics, alarms and resources that exist."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Deploy
from references import exists
from test_alarms import alarms

from dev.stack import Stack

Widget = dict[str, Any]


@pytest.fixture(scope="module", params=[{}, {"AlarmQuietHours": "24"}], ids=["defaults", "quiet hours"])
def dashboard(request: pytest.FixtureRequest, deployed: Deploy) -> tuple[Stack, list[Widget]]:
    stack = deployed("relay-dashboard" if request.param else "relay-defaults", put_secret=False, **request.param)
    name = stack.outputs["DashboardUrl"].rpartition("/")[2]
    body = stack.emulator.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
    return stack, json.loads(body)["widgets"]


def metrics(widget: Widget) -> Iterator[list[str]]:
    """Yields each metric, with `.` and `...` replaced by what they repeat."""
    previous: list[str] = []
    for entry in widget["properties"].get("metrics", []):
        words = [word for word in entry if isinstance(word, str)]
        if words and words[0] == "...":
            words = previous[: len(previous) - len(words) + 1] + words[1:]
        if words:
            previous = [previous[place] if word == "." else word for place, word in enumerate(words)]
            yield previous


def test_every_metric_exists_in_this_stack(dashboard: tuple[Stack, list[Widget]]) -> None:
    stack, widgets = dashboard
    known = {id.rpartition("/")[2] for id in stack.resources()} | set(stack.resources())
    found = [words for widget in widgets for words in metrics(widget)]
    assert len(found) > 20
    for namespace, name, *pairs in found:
        dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
        assert namespace in (f"LabelboxRelay/{stack.name}", "AWS/ApiGateway", "AWS/Lambda", "AWS/SQS", "AWS/Logs")
        assert exists(namespace, name, dimensions), (namespace, name, dimensions)
        assert not namespace.startswith("AWS/") or set(dimensions.values()) <= known


def test_shows_every_alarm(dashboard: tuple[Stack, list[Widget]]) -> None:
    stack, widgets = dashboard
    [shown] = [widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm"]
    assert sorted(shown) == sorted(alarm["AlarmArn"] for alarm in alarms(stack).values())
