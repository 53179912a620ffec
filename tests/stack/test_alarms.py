"""Alarms and dashboard: what they name exists, somebody is notified, and the documentation says what to do."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Deploy
from references import TEMPLATE, exists, of_type
from scenario import Scenario

from dev.paths import PROJECT
from dev.stack import Stack

ALARMS = of_type("AWS::CloudWatch::Alarm")
NEVER_OK = {"SpilledAlarm", "UnroutedAlarm", "TooLargeAlarm"}
"""An OK notification would claim that somebody dealt with what is stored; the metric only says that no more came."""
Widget = dict[str, Any]
KEEPS_STATE = ("DeadLetterAlarm", "AgeAlarm")
"""SQS reports no metric of a queue that is not used, whatever it contains."""


def alarms(stack: Stack) -> dict[str, dict[str, Any]]:
    """Returns the deployed alarms by their logical ids."""
    resources = stack.resources("AWS::CloudWatch::Alarm")
    pages = stack.emulator.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNames=list(resources))
    return {resources[alarm["AlarmName"]]: alarm for page in pages for alarm in page["MetricAlarms"]}


def dimensions(alarm: dict[str, Any]) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_watches_a_metric_that_exists_within_the_limits_of_cloudwatch(name: str) -> None:
    alarm, is_quiet = ALARMS[name], name == "QuietAlarm"
    namespace = alarm["Namespace"]["Fn::Sub"] if isinstance(alarm["Namespace"], dict) else alarm["Namespace"]
    assert exists(namespace, alarm["MetricName"], dimensions(alarm))
    kept = "ignore" if name.endswith(KEEPS_STATE) else "notBreaching"
    assert alarm["TreatMissingData"] == ("breaching" if is_quiet else kept)
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    periods = TEMPLATE["Parameters"]["AlarmQuietHours"]["MaxValue"] if is_quiet else alarm["EvaluationPeriods"]
    assert alarm["Period"] % 60 == 0
    assert alarm["Period"] * periods <= (7 if alarm["Period"] >= 3600 else 1) * 86400


def test_metrics_of_the_function_are_emitted_with_the_dimensions_of_their_alarms(scenario: Scenario) -> None:
    emitted = {(metric.namespace, metric.name, metric.dimensions) for metric in scenario.stack.metrics()}
    watched = alarms(scenario.stack).values()
    found = {(alarm["Namespace"], alarm["MetricName"], tuple(dimensions(alarm).items())) for alarm in watched}
    missing = {each for each in found - emitted if each[0].startswith("LabelboxRelay/")}
    assert {name for _, name, _ in missing} == {"TooLarge", "Throttled"}, "those of metric filters"


def test_few_requests_are_enough_for_a_percentile() -> None:
    # CloudWatch considers few samples insufficient for p99, and most stacks have few.
    [alarm] = [alarm for alarm in ALARMS.values() if "ExtendedStatistic" in alarm]
    assert alarm["EvaluateLowSampleCountPercentile"] == "evaluate"


def test_metric_filters_read_fields_of_the_access_log(scenario: Scenario) -> None:
    fields = scenario.stack.access_log_format()
    for metric_filter in of_type("AWS::Logs::MetricFilter").values():
        assert metric_filter["LogGroupName"] == {"Ref": "AccessLogGroup"}
        names = re.findall(r"\$\.(\w+) =", metric_filter["FilterPattern"])
        assert names and set(names) <= fields.keys()


def test_an_event_is_old_after_half_of_its_retention_or_a_day() -> None:
    for days, row in TEMPLATE["Mappings"]["Retention"].items():
        assert row["Seconds"] == int(days) * 86400
        assert row["OldSeconds"] == min(row["Seconds"] // 2, 86400) == row["OldHours"] * 3600


@pytest.mark.parametrize("name", ALARMS)
def test_description_names_a_section_that_names_the_metric(name: str) -> None:
    alarm = ALARMS[name]
    found = re.fullmatch(r".{40,}\. See docs/operating\.md, ([^.]+)\.", alarm["AlarmDescription"])
    assert found and len(alarm["AlarmDescription"]) <= 1024
    page = (PROJECT / "docs" / "operating.md").read_text().partition("## What each alarm means\n")[2]
    section = page.partition(f"### {found[1]}\n")[2].partition("\n### ")[0]
    assert section
    if isinstance(alarm["Namespace"], dict):
        assert f"`{alarm['MetricName']}`" in section or f"--metric-name {alarm['MetricName']} " in section


@pytest.fixture(scope="module")
def notifying(deployed: Deploy, running: Any) -> Stack:
    """A stack with all optional alarms, and with a customer managed key."""
    key = running.client("kms").create_key()["KeyMetadata"]["Arn"]
    email = "someone@example.com"
    return deployed("relay-alarms", put_secret=False, AlarmEmail=email, AlarmQuietHours="24", KmsKeyArn=key)


def test_alarms_notify_the_address(notifying: Stack) -> None:
    sns = notifying.emulator.client("sns")
    [topic] = notifying.resources("AWS::SNS::Topic")
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "someone@example.com")
    deployed = alarms(notifying)
    assert deployed.keys() == ALARMS.keys()
    for name, alarm in deployed.items():
        assert alarm["AlarmActions"] == [topic]
        assert alarm["OKActions"] == ([] if name in NEVER_OK else [topic])


def test_topic_accepts_alarms_of_this_account_only(notifying: Stack) -> None:
    [topic] = notifying.resources("AWS::SNS::Topic")
    attributes = notifying.emulator.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    [statement] = json.loads(attributes["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": topic.split(":")[4]}}
    assert statement["Action"] == "sns:Publish"
    # CloudWatch may not use the key. From the template: the emulator creates topics without this property.
    assert "KmsMasterKeyId" not in of_type("AWS::SNS::Topic")["AlarmTopic"]


def test_without_an_address_nobody_is_notified(deployed: Deploy) -> None:
    found = alarms(deployed("relay-defaults", put_secret=False))
    assert found.keys() == ALARMS.keys() - {"QuietAlarm"}
    assert all((alarm["AlarmActions"], alarm["OKActions"]) == ([], []) for alarm in found.values())


# ---- The dashboard


@pytest.fixture(scope="module", params=["defaults", "quiet hours"])
def dashboard(request: pytest.FixtureRequest, deployed: Deploy, notifying: Stack) -> tuple[Stack, list[Widget]]:
    stack = deployed("relay-defaults", put_secret=False) if request.param == "defaults" else notifying
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
