"""The dashboard as it is deployed: nothing in it is empty, overlaps, or points to what there is not."""

import colorsys
import json
import re

import pytest
from alarms import deployed_alarms
from conftest import Deploy
from dashboard import Malformed, Widget, read
from metric_names import ENTITIES, of_type, trouble

from dev.stack import Stack

URGENT = {"RefusedWithValidSignature", "Spilled", "Failed", "TooLarge", "Throttled", "5xx", "Errors", "Throttles"}
"""Metrics of which each is a matter for a person."""
RARE = {"Refused", "Unrouted", "SourceNotAllowed", "SecretStale", "ArchiveFailed", *URGENT}


@pytest.fixture(scope="module")
def stack(deployed: Deploy) -> Stack:
    return deployed("relay-whole", RetentionDays="1", AlarmEmail="someone@example.com", AlarmQuietHours="24")


def body_of(stack: Stack) -> str:
    name = stack.outputs["DashboardUrl"].rpartition("/")[2]
    return str(stack.emulator.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])


@pytest.fixture(scope="module")
def widgets(stack: Stack) -> list[Widget]:
    return read(body_of(stack))


def test_every_metric_on_it_is_one_that_somebody_emits(stack: Stack, widgets: list[Widget]) -> None:
    references = [line.reference for widget in widgets for line in widget.lines() if line.reference]
    troubles = {trouble(each, f"LabelboxRelay/{stack.name}") for each in references}
    assert references and troubles == {None}


def test_what_it_shows_of_aws_is_of_this_stack(stack: Stack, widgets: list[Widget]) -> None:
    resources = stack.emulator.client("cloudformation").describe_stack_resources(StackName=stack.name)
    known = {each["PhysicalResourceId"].rpartition("/")[2] for each in resources["StackResources"]}
    known |= {each["PhysicalResourceId"] for each in resources["StackResources"]}
    lines = [line.reference for widget in widgets for line in widget.lines() if line.reference]
    values = {value for each in lines if each.namespace.startswith("AWS/") for _, value in each.dimensions}
    assert values and values <= known
    regions = {widget.properties["region"] for widget in widgets if widget.kind == "metric"}
    assert regions == {stack.emulator.client("cloudwatch").meta.region_name}


def test_it_starts_with_every_alarm_and_where_to_look_next(stack: Stack, widgets: list[Widget]) -> None:
    alarms, text = widgets[:2]
    assert (alarms.kind, alarms.y, text.kind, text.y) == ("alarm", 0, "text", 0)
    shown = alarms.properties["alarms"]
    assert len(shown) == len(set(shown))
    assert set(shown) == {alarm.definition["AlarmArn"] for alarm in deployed_alarms(stack).values()}
    for words in (stack.name, "docs/operating.md", "relayctl doctor"):
        assert words in text.properties["markdown"]


def test_its_rows_are_full(widgets: list[Widget]) -> None:
    cells = set().union(*(widget.cells for widget in widgets))
    assert cells == {(x, y) for x in range(24) for y in range(max(y for _, y in cells) + 1)}


def test_a_kind_of_event_has_one_colour(stack: Stack, widgets: list[Widget]) -> None:
    colours: dict[str, set[str]] = {entity: set() for entity in ENTITIES}
    titles = ("Events queued", "Waiting in", "Age of", "Dead-letter queues")
    for widget in [each for each in widgets if each.title.startswith(titles)]:
        seen = {
            line.rendering["label"]: line.rendering["color"] for line in widget.lines() if "label" in line.rendering
        }
        assert {label.replace(" ", "_") for label in seen} == ENTITIES, widget.title
        for label, colour in seen.items():
            colours[label.replace(" ", "_")].add(colour)
    assert all(len(each) == 1 for each in colours.values())
    assert len(set().union(*colours.values())) == len(ENTITIES)


def is_red(colour: str) -> bool:
    hue, lightness, saturation = colorsys.rgb_to_hls(*(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)))
    return saturation > 0.4 and lightness < 0.9 and min(hue, 1 - hue) < 0.06


def test_red_is_for_what_needs_a_person(widgets: list[Widget]) -> None:
    for widget in widgets:
        for line in widget.lines():
            name = line.reference.name if line.reference else ""
            assert is_red(line.rendering.get("color", "#7f7f7f")) == (name in URGENT), (widget.title, line)


def test_titles_have_units_and_say_when_none_is_usual(widgets: list[Widget]) -> None:
    for widget in [each for each in widgets if each.kind == "metric"]:
        assert re.search(r"\(.+\)$", widget.title), widget.title
        names = {line.reference.name for line in widget.lines() if line.reference}
        is_rare = bool(names & RARE) or widget.title.startswith("Dead")
        assert is_rare == ("usually none)" in widget.title), widget.title
        if "per 5 min" in widget.title:
            assert widget.properties["period"] == 300
        if "per hour" in widget.title:
            assert widget.properties["period"] == 3600
        for line in widget.lines():
            assert line.rendering.get("visible", True) == ("label" in line.rendering), line


def test_ages_are_in_hours(widgets: list[Widget]) -> None:
    [widget] = [each for each in widgets if each.title.startswith("Age of")]
    shown, hidden = widget.lines()[: len(ENTITIES)], widget.lines()[len(ENTITIES) :]
    assert [line.rendering["expression"] for line in shown] == [f"{line.rendering['id']} / 3600" for line in hidden]


def test_the_time_by_memory_is_that_of_the_function(widgets: list[Widget]) -> None:
    [widget] = [each for each in widgets if "GB-s" in each.title]
    [expression] = [line.rendering["expression"] for line in widget.lines() if "expression" in line.rendering]
    [function] = of_type("AWS::Serverless::Function").values()
    assert expression == f"duration / 1000 * {function['MemorySize']} / 1024"


def test_its_lines_of_alarm_are_the_alarms_thresholds(stack: Stack, widgets: list[Widget]) -> None:
    annotated = [each for each in widgets if "annotations" in each.properties]
    shown = {each.title: [line["value"] for line in each.properties["annotations"]["horizontal"]] for each in annotated}
    alarms = deployed_alarms(stack)
    assert shown == {
        "Response time (ms)": [alarms["FunctionDurationAlarm"].definition["Threshold"]],
        "Age of the oldest message (hours)": [alarms["LabelAgeAlarm"].definition["Threshold"] / 3600],
    }


def test_without_a_watch_on_silence_it_is_whole_as_well(deployed: Deploy) -> None:
    stack = deployed("relay-defaults", put_secret=False)
    alarms = read(body_of(stack))[0]
    assert set(alarms.properties["alarms"]) == {each.definition["AlarmArn"] for each in deployed_alarms(stack).values()}


def small(**changes: object) -> str:
    """A dashboard of two widgets, the second of them changed."""
    properties = {"title": "t", "region": "r", "period": 60, "stat": "Sum", "metrics": [["AWS/SQS", "m", {"id": "a"}]]}
    first = {"type": "text", "x": 0, "y": 0, "width": 12, "height": 6, "properties": {"markdown": "m"}}
    second = {"type": "metric", "x": 12, "y": 0, "width": 12, "height": 6, "properties": {**properties}}
    for name, value in changes.items():
        (second if name in second else second["properties"])[name] = value  # type: ignore[index]
    return json.dumps({"start": "-PT1H", "periodOverride": "inherit", "widgets": [first, second]})


@pytest.mark.parametrize(
    "changes",
    [
        {"x": 11},
        {"x": 13},
        {"y": -1},
        {"type": "grpah"},
        {"widht": 3},
        {"stat": None, "metrics": [["AWS/SQS", "m", {"colour": "#000000"}]]},
        {"metrics": [["AWS/SQS", "m", {"id": "A"}]]},
        {"metrics": [["AWS/SQS", "m", {"id": "a"}], [".", "n", {"id": "a"}]]},
        {"metrics": [[{"expression": "a + b"}], ["AWS/SQS", "m", {"id": "a"}]]},
    ],
    ids=str,
)
def test_a_dashboard_that_would_not_be_shown_as_meant_is_found(changes: dict[str, object]) -> None:
    read(small())
    with pytest.raises(Malformed):
        read(small(**changes))


def test_lines_are_written_out() -> None:
    metrics = [["A", "m", "D", "1"], ["...", "2"], [".", "n", ".", "."], ["...", {"stat": "p50"}]]
    [_, widget] = read(small(metrics=metrics))
    found = [(line.reference.name, line.reference.dimensions) for line in widget.lines() if line.reference]
    assert found == [("m", (("D", "1"),)), ("m", (("D", "2"),)), ("n", (("D", "2"),)), ("n", (("D", "2"),))]
