"""Each alarm is silent at rest, speaks when that happens which it watches, and tells whoever it should."""

import json
import re

import pytest
from alarms import Alarm, deployed_alarms
from conftest import Deploy
from metric_names import of_type, template
from troubles import TROUBLES, Site
from watched import SETTINGS, live_through_it_all

from dev.emulator import Emulator
from dev.gate import Gate
from dev.places import PROJECT
from dev.stack import Stack

OFTEN = 10
"""Refusals of one kind within an hour of which an alarm tells."""
UNMENDED = {"SpilledAlarm", "UnroutedAlarm", "TooLargeAlarm"}
"""Whose trouble is not over when it stops happening, so that they never say that it is."""
SILENT = {name for name in TROUBLES if name.endswith(("DeadLetterAlarm", "AgeAlarm"))}
"""Which watch queues, of which SQS says nothing when nobody touches them."""


@pytest.fixture(scope="module")
def whole(deployed: Deploy) -> Stack:
    return deployed("relay-whole", RetentionDays="1", AlarmEmail="someone@example.com", AlarmQuietHours="24")


@pytest.fixture(scope="module")
def site(deployed: Deploy, whole: Stack, secrets_manager: Gate) -> Site:
    observing = {"AllowedSourceCidrs": "127.0.0.0/8", "SourceCheck": "observe"}
    watched = live_through_it_all(
        deployed("relay-alarmed", **SETTINGS, **observing, AlarmQuietHours="24"), secrets_manager
    )
    counted = watched.stack.counted
    for number in range(int(counted("Refused", Reason="signature_rejected")), OFTEN):
        assert watched.send(b"%d" % number, "LABEL_CREATED", secret="wrong") == 401
    for _ in range(int(counted("Refused", Reason="not_found")), OFTEN):
        assert watched.send(b"{}", "LABEL_CREATED", webhook="unknown", secret="wrong") == 404
    for _ in range(int(counted("Refused", Reason="unsupported_media_type")), OFTEN):
        assert watched.send(b"{}", "LABEL_CREATED", content_type="text/plain", secret="wrong") == 415
    for _ in range(int(counted("SourceNotAllowed")), OFTEN):
        assert watched.invoke("POST", "*", True) == 400
    model_run_and_models = 2
    return Site(watched, whole, watched.stack.metrics(), watched.sent + model_run_and_models)


@pytest.fixture(scope="module")
def alarms(site: Site) -> dict[str, Alarm]:
    """Each alarm, of the stack to which its trouble happens."""
    watched, whole = deployed_alarms(site.watched.stack), deployed_alarms(site.whole)
    return {name: (whole if TROUBLES[name].to_the_whole else watched)[name] for name in whole}


def test_there_is_a_trouble_for_each_alarm() -> None:
    assert set(TROUBLES) == set(of_type("AWS::CloudWatch::Alarm"))


@pytest.mark.parametrize("name", TROUBLES)
def test_an_alarm_speaks_when_what_it_watches_happens_and_not_before(
    site: Site, alarms: dict[str, Alarm], name: str
) -> None:
    alarm, trouble = alarms[name], TROUBLES[name]
    assert alarm.state([trouble.calm] * alarm.periods) == "OK"
    value = alarm.value(trouble.drive(site, alarm))
    if trouble.value is not None:
        assert value == trouble.value
    calm = [trouble.calm] * (alarm.periods - trouble.lasting)
    assert alarm.state([*calm, *([value] * trouble.lasting)]) == "ALARM", value
    if trouble.lasting > 1:
        assert alarm.state([trouble.calm, *calm, *([value] * (trouble.lasting - 1))]) == "OK"


@pytest.mark.parametrize("name", TROUBLES)
def test_silence_is_trouble_where_it_is_and_nowhere_else(alarms: dict[str, Alarm], name: str) -> None:
    alarm = alarms[name]
    silence = [None] * alarm.periods
    assert alarm.state(silence, "OK") == ("ALARM" if name == "QuietAlarm" else "OK")
    closes = name not in SILENT | {"QuietAlarm"}
    assert alarm.state(silence, "ALARM") == ("OK" if closes else "ALARM"), "a silence that mends nothing"


@pytest.mark.parametrize("name", TROUBLES)
def test_an_alarm_looks_back_as_far_as_cloudwatch_can(alarms: dict[str, Alarm], name: str) -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    period = alarms[name].definition["Period"]
    looks_back = period * alarms[name].periods
    assert period % 60 == 0
    assert looks_back <= (7 if period >= 3600 else 1) * 24 * 3600
    longest = template()["Parameters"]["AlarmQuietHours"]["MaxValue"]
    assert longest * 3600 == 7 * 24 * 3600


def test_an_event_is_old_after_half_of_its_time_or_a_day() -> None:
    retention = template()["Mappings"]["Retention"]
    assert len(retention) == 14
    for days, row in retention.items():
        assert row["Seconds"] == int(days) * 86400
        assert row["OldSeconds"] == min(row["Seconds"] // 2, 86400) == row["OldHours"] * 3600


def test_few_requests_are_enough_for_the_slowest_of_a_hundred() -> None:
    # Read from the template itself: the emulator forgets this property.
    assert of_type("AWS::CloudWatch::Alarm")["FunctionDurationAlarm"]["EvaluateLowSampleCountPercentile"] == "evaluate"


def test_each_alarm_says_what_to_do_and_where_that_is_written() -> None:
    page = (PROJECT / "docs" / "operating.md").read_text()
    sections = re.findall(
        r"^### (.+)$", page.partition("## What each alarm means\n")[2].split("\n## ")[0], re.MULTILINE
    )
    named = set()
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        found = re.fullmatch(r".{40,}\. See docs/operating\.md, ([^.]+)\.", alarm["AlarmDescription"])
        assert found and len(alarm["AlarmDescription"]) <= 1024, name
        named.add(found[1])
    assert named == set(sections)


def test_alarms_tell_the_address_that_was_given(whole: Stack) -> None:
    sns = whole.emulator.client("sns")
    topic = topic_of(whole)
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "someone@example.com")
    for name, alarm in deployed_alarms(whole).items():
        assert alarm.definition["AlarmActions"] == [topic], name
        assert alarm.definition["OKActions"] == ([] if name in UNMENDED else [topic]), name


def test_only_this_accounts_alarms_may_write_to_the_topic(whole: Stack) -> None:
    attributes = whole.emulator.client("sns").get_topic_attributes(TopicArn=topic_of(whole))["Attributes"]
    [statement] = json.loads(attributes["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    account = topic_of(whole).split(":")[4]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": account}}
    assert statement["Action"] == "sns:Publish"


def test_a_key_of_ones_own_does_not_silence_the_alarms(deployed: Deploy, running: Emulator) -> None:
    key = running.client("kms").create_key()["KeyMetadata"]["Arn"]
    stack = deployed("relay-keyed", put_secret=False, KmsKeyArn=key, AlarmEmail="someone@example.com")
    attributes = running.client("sns").get_topic_attributes(TopicArn=topic_of(stack))["Attributes"]
    assert not attributes.get("KmsMasterKeyId"), "CloudWatch may not use the key"
    # The template itself, too: the emulator makes topics without this property.
    assert "KmsMasterKeyId" not in of_type("AWS::SNS::Topic")["AlarmTopic"]
    assert "QuietAlarm" not in deployed_alarms(stack)


def test_without_an_address_nobody_is_told(deployed: Deploy) -> None:
    stack = deployed("relay-defaults", put_secret=False)
    alarms = deployed_alarms(stack)
    assert set(alarms) == set(TROUBLES) - {"QuietAlarm"}
    for alarm in alarms.values():
        assert (alarm.definition["AlarmActions"], alarm.definition["OKActions"]) == ([], [])


def topic_of(stack: Stack) -> str:
    resources = stack.emulator.client("cloudformation").describe_stack_resources(StackName=stack.name)
    [topic] = [each for each in resources["StackResources"] if each["ResourceType"] == "AWS::SNS::Topic"]
    return str(topic["PhysicalResourceId"])


@pytest.mark.parametrize(
    ("comparison", "missing", "values", "state"),
    [
        ("GreaterThanThreshold", "notBreaching", [1], "OK"),
        ("GreaterThanThreshold", "notBreaching", [2], "ALARM"),
        ("GreaterThanOrEqualToThreshold", "notBreaching", [1], "ALARM"),
        ("LessThanThreshold", "breaching", [1, None], "OK"),
        ("LessThanThreshold", "breaching", [None, None], "ALARM"),
        ("GreaterThanThreshold", "ignore", [None, 2], "OK"),
        ("GreaterThanThreshold", "ignore", [None, None], "before"),
    ],
)
def test_a_state_follows_from_the_definition(
    comparison: str, missing: str, values: list[float | None], state: str
) -> None:
    definition = {"ComparisonOperator": comparison, "TreatMissingData": missing, "Threshold": 1.0}
    assert Alarm({**definition, "EvaluationPeriods": len(values)}).state(values, "before") == state


def test_a_percentile_is_a_value_that_so_many_do_not_exceed() -> None:
    percentile = Alarm({"ExtendedStatistic": "p99"})
    assert percentile.value([float(each) for each in range(1, 201)]) == 198
    assert percentile.value([7.0]) == 7
    assert Alarm({"Statistic": "Sum"}).value([1, 2]) == 3
    assert Alarm({"Statistic": "Sum"}).value([]) is None
