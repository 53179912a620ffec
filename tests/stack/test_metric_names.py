"""Every metric that alarms, dashboard and documents name is one that somebody emits."""

import re
from pathlib import Path
from typing import Any

import pytest
from metric_names import OURS, REASONS, VALUES, Reference, filtered, of_type, ours, trouble

from dev.places import PROJECT

OPERATING = PROJECT / "docs" / "operating.md"
DOCUMENTS = [*sorted(PROJECT.glob("docs/*.md")), PROJECT / "README.md", PROJECT / "ARCHITECTURE.md"]


def of_alarm(properties: dict[str, Any]) -> Reference:
    namespace, dimensions = properties["Namespace"], properties.get("Dimensions", [])
    named = namespace["Fn::Sub"] if isinstance(namespace, dict) else namespace
    return Reference(named, properties["MetricName"], tuple((each["Name"], each["Value"]) for each in dimensions))


@pytest.mark.parametrize("name", of_type("AWS::CloudWatch::Alarm"))
def test_each_alarm_watches_a_metric_that_there_is(name: str) -> None:
    reference = of_alarm(of_type("AWS::CloudWatch::Alarm")[name])
    assert trouble(reference) is None


def test_the_filters_count_what_only_the_gateway_sees() -> None:
    assert filtered() == {"TooLarge", "Throttled"}
    groups = [each["LogGroupName"] for each in of_type("AWS::Logs::MetricFilter").values()]
    assert groups == [{"Ref": "AccessLogGroup"}] * 2


def test_the_reasons_are_the_errors_that_are_answered() -> None:
    answers = (PROJECT / "src" / "outcome.rs").read_text()
    assert {reason for reason in REASONS if f'"{reason}"' not in answers} == set()


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)
def test_the_documents_speak_of_no_other_metric(page: Path) -> None:
    text = page.read_text()
    said = re.findall(r"\bmetrics? `(\w+)`", text)
    asked = re.findall(r'--namespace "?LabelboxRelay/\S+ --metric-name (\w+)', text)
    filtered_by = re.findall(r"\$\.([A-Z]\w+)", text)
    assert {*said, *asked, *filtered_by} <= {*ours(), *VALUES}


@pytest.mark.parametrize("name", of_type("AWS::CloudWatch::Alarm"))
def test_the_section_of_an_alarm_names_its_metric(name: str) -> None:
    alarm = of_type("AWS::CloudWatch::Alarm")[name]
    section = alarm["AlarmDescription"].rpartition(", ")[2].removesuffix(".")
    text = OPERATING.read_text().partition(f"### {section}\n")[2].partition("\n### ")[0]
    assert text, section
    if of_alarm(alarm).namespace == OURS:
        assert f"`{alarm['MetricName']}`" in text or f"--metric-name {alarm['MetricName']} " in text


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        (Reference(OURS, "Spiled"), "nothing emits Spiled"),
        (Reference(OURS, "Queued", (("Entity", "labels"),)), "no Entity labels"),
        (Reference(OURS, "Queued", (("Reason", "not_found"),)), "divided by Entity"),
        (Reference(OURS, "Spilled", (("Entity", "label"),)), "divided by None"),
        (Reference("AWS/Lambda", "Crashes", (("FunctionName", "f"),)), "has no Crashes"),
        (Reference("AWS/SQS", "NumberOfMessagesSent"), "is by QueueName"),
        (Reference("AWS/Sqs", "NumberOfMessagesSent"), "no namespace"),
    ],
)
def test_a_metric_that_there_is_not_is_found(reference: Reference, says: str) -> None:
    assert says in (trouble(reference) or "")
