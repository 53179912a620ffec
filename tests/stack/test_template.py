"""The deployed stack itself: what is in it, and with which settings."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Deploy
from permissions import granted, many
from references import TEMPLATE, of_type

from dev import UserError, aws, build, environment
from dev.emulator import Emulator
from dev.samples import SECRET, Request, event
from dev.stack import QUEUES, Stack

OUTPUTS = {
    *("WebhookUrl", "TrainingUrl", "HealthUrl", "DashboardUrl"),
    *("SecretArn", "FunctionName", "PayloadBucketName"),
}
ROUTES = {
    *("POST /webhooks/{webhook}", "GET /training/models", "POST /training/model_run"),
    *("GET /health", "HEAD /health"),
}
RANGES = ("", "192.0.2.1", "192.0.2.0/24,198.51.100.7/32", "::/0 , 2001:db8::/32", "::ffff:192.0.2.1/128")
NO_RANGES = ("10.0.0.0/33", "192.0.2/24", "192.0.2.256/32", "2001:db8::/129", "beef", "::/0,", "::/0 ::/0", ",")


ATTACHED_BY = {
    "SQS::Queue": ("SQS::QueuePolicy", "Queues", "PolicyDocument", "sqs:*"),
    "S3::Bucket": ("S3::BucketPolicy", "Bucket", "PolicyDocument", "s3:*"),
    "SecretsManager::Secret": ("SecretsManager::ResourcePolicy", "SecretId", "ResourcePolicy", "secretsmanager:*"),
}
"""For each kind of what holds events or secrets: its policies, what they name it with, and what they have to deny."""
OF_THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def attributes(stack: Stack, queue: str) -> dict[str, str]:
    response = stack.emulator.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    found: dict[str, str] = response["Attributes"]
    return found


def signed(secret: str = SECRET) -> Request:
    return event(b'{"id":"label1"}', secret=secret)


def test_the_outputs_are_those_of_the_contract(stack: Stack) -> None:
    queues = {f"{name}{kind}QueueUrl" for name in QUEUES.values() for kind in ("", "DeadLetter")}
    assert set(stack.outputs) == OUTPUTS | queues
    assert stack.outputs["WebhookUrl"].endswith("/webhooks/labelbox")
    assert stack.outputs["TrainingUrl"].endswith("/training")
    assert stack.outputs["HealthUrl"].endswith("/health")


def test_the_api_has_exactly_the_routes_of_the_contract(stack: Stack) -> None:
    api = stack.api.rpartition("/")[2]
    routes = stack.emulator.client("apigatewayv2").get_routes(ApiId=api)["Items"]
    assert {route["RouteKey"] for route in routes} == ROUTES
    assert len({route["Target"] for route in routes}) == 1


@pytest.mark.parametrize("entity", QUEUES)
def test_each_queue_has_a_dead_letter_queue_of_its_own(stack: Stack, entity: str) -> None:
    queue = attributes(stack, stack.queue_url(entity))
    dead = attributes(stack, stack.dead_letter_queue_url(entity))
    assert json.loads(queue["RedrivePolicy"]) == {"deadLetterTargetArn": dead["QueueArn"], "maxReceiveCount": 5}
    for one in (queue, dead):
        assert one["MaximumMessageSize"] == "1048576"
        assert one["MessageRetentionPeriod"] == str(14 * 24 * 60 * 60)
        assert one["SqsManagedSseEnabled"] == "true"
        assert one["QueueArn"].endswith(".fifo") == stack.is_fifo
    if stack.is_fifo:
        assert (queue["DeduplicationScope"], queue["FifoThroughputLimit"]) == ("messageGroup", "perMessageGroupId")


def test_the_function_is_small_and_is_told_where_everything_is(stack: Stack) -> None:
    function = stack.function
    assert (function["Runtime"], function["MemorySize"], function["Timeout"]) == ("provided.al2023", 128, 15)
    variables = stack.settings
    assert variables["SECRET_ARN"] == stack.outputs["SecretArn"]
    assert variables["PAYLOAD_BUCKET"] == stack.outputs["PayloadBucketName"]
    for entity in QUEUES:
        assert variables[f"{entity.upper()}_QUEUE_URL"] == stack.queue_url(entity)


def test_it_deploys_with_nothing_but_defaults_and_a_generated_secret(deployed: Deploy) -> None:
    stack = deployed("relay-defaults", put_secret=False)
    value = stack.emulator.client("secretsmanager").get_secret_value(SecretId=stack.outputs["SecretArn"])
    # It is pasted into a form, and must not look like JSON.
    assert len(value["SecretString"]) >= 40 and value["SecretString"].isalnum()
    assert stack.answer(signed(value["SecretString"]))[0] == 200
    assert stack.answer(signed())[0] == 401


def test_a_secret_of_ones_own_is_used(deployed: Deploy, running: Emulator) -> None:
    client = running.client("secretsmanager")
    arn = client.create_secret(Name="my-own", SecretString="my own text")["ARN"]
    relay = deployed("relay-own-secret", put_secret=False, SecretArn=arn)
    assert relay.outputs["SecretArn"] == arn
    assert relay.answer(signed("my own text"))[0] == 200


def test_rejects_other_addresses(deployed: Deploy) -> None:
    guarded = deployed("relay-guarded", AllowedSourceCidrs="192.0.2.0/24,2001:db8::/32")
    assert guarded.answer(signed()) == (403, {"error": "source_not_allowed"})
    assert guarded.send("GET", "/health").status == 200
    assert not any(guarded.count().values())
    assert guarded.counted("SourceNotAllowed") == 1


def test_every_parameter_reaches_what_it_is_for(deployed: Deploy, running: Emulator) -> None:
    key = running.client("kms").create_key()["KeyMetadata"]["Arn"]
    stack = deployed(
        "relay-particular",
        put_secret=False,
        RetentionDays="3",
        KmsKeyArn=key,
        InlineLimitKiB="2",
        ArchiveDays="90",
        LogRetentionDays="7",
        LogLevel="warn",
        SecretTtlSeconds="60",
        ThrottleRate="5",
        ThrottleBurst="6",
        ReservedConcurrency="7",
        AlarmEmail="someone@example.com",
    )
    for entity in QUEUES:
        for queue in (stack.queue_url(entity), stack.dead_letter_queue_url(entity)):
            found = attributes(stack, queue)
            assert (found["KmsMasterKeyId"], found["MessageRetentionPeriod"]) == (key, str(3 * 24 * 60 * 60))
    secret = running.client("secretsmanager").describe_secret(SecretId=stack.outputs["SecretArn"])
    assert secret["KmsKeyId"] == key
    names = ("INLINE_LIMIT_KIB", "ARCHIVE_DAYS", "LOG_LEVEL", "SECRET_TTL_SECONDS")
    assert [stack.settings[name] for name in names] == ["2", "90", "warn", "60"]
    bucket = f"arn:aws:s3:::{stack.outputs['PayloadBucketName']}"
    assert permissions(stack)["s3:PutObject"] == {f"{bucket}/{prefix}/*" for prefix in ("payloads", "spill", "archive")}
    groups = running.client("logs").describe_log_groups(logGroupNamePrefix=stack.log_group)["logGroups"]
    assert groups[0]["retentionInDays"] == 7
    assert permissions(stack)["kms:Decrypt"] == permissions(stack)["kms:GenerateDataKey"] == {key}


def test_the_function_may_do_what_it_does_and_nothing_else(stack: Stack) -> None:
    queues = {attributes(stack, stack.queue_url(entity))["QueueArn"] for entity in QUEUES}
    allowed = permissions(stack)
    log_group = allowed.pop("logs:CreateLogStream")
    assert log_group == allowed.pop("logs:PutLogEvents")
    assert all(stack.log_group in resource for resource in log_group)
    bucket = f"arn:aws:s3:::{stack.outputs['PayloadBucketName']}"
    assert allowed == {
        "sqs:SendMessage": queues,
        "s3:PutObject": {f"{bucket}/payloads/*", f"{bucket}/spill/*"},
        "secretsmanager:GetSecretValue": {stack.outputs["SecretArn"]},
        "xray:PutTraceSegments": {"*"},
        "xray:PutTelemetryRecords": {"*"},
    }


def test_the_bucket_is_private_and_encrypted_and_payloads_outlive_their_pointers() -> None:
    # Read from the template itself: the emulator makes buckets without these properties.
    bucket = TEMPLATE["Resources"]["PayloadBucket"]["Properties"]
    assert list(bucket["PublicAccessBlockConfiguration"].values()) == [True] * 4
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": {"Fn::If": ["UseKmsKey", "aws:kms", "AES256"]},
        "KMSMasterKeyID": {"Fn::If": ["UseKmsKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]},
    }
    *rules, archive = bucket["LifecycleConfiguration"]["Rules"]
    condition, rule, otherwise = archive["Fn::If"]
    assert (condition, otherwise) == ("ArchiveEvents", {"Ref": "AWS::NoValue"})
    assert (rule["Status"], rule["Prefix"], rule["ExpirationInDays"]) == ("Enabled", "archive/", {"Ref": "ArchiveDays"})
    assert TEMPLATE["Parameters"]["ArchiveDays"]["AllowedValues"] == [0, 30, 90, 180, 365, 730, 1825, 3650]
    days = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if rule["Status"] == "Enabled"}
    longest = max(TEMPLATE["Parameters"]["RetentionDays"]["AllowedValues"])
    assert days["spill/"] == 90
    [payloads] = [rule for rule in rules if rule["Prefix"] == "payloads/"]
    assert payloads["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert days["payloads/"] > days["spill/"] + 2 * longest, "a pointer may spill, be queued, and be a dead letter"


def permissions(stack: Stack) -> dict[str, set[str]]:
    """What the function's role allows: each action with its resources."""
    allowed: dict[str, set[str]] = {}
    for each in granted(stack):
        assert each.statement["Effect"] == "Allow"
        allowed.setdefault(each.action, set()).add(each.resource)
    return allowed


# ---- Every policy: nobody who is not named, nothing over plain HTTP


def statements(part: object) -> Iterator[dict[str, Any]]:
    """Every statement in a part of the template, in whatever it is wrapped."""
    if isinstance(part, dict) and "Effect" in part:
        yield part
    elif isinstance(part, dict | list):
        for each in part.values() if isinstance(part, dict) else part:
            yield from statements(each)


def test_nothing_is_allowed_to_everybody_or_by_a_pattern_and_a_service_acts_for_this_account_only() -> None:
    allowing = [each for each in statements(TEMPLATE["Resources"]) if each["Effect"] == "Allow"]
    assert len(allowing) > 5
    for each in allowing:
        assert not {"NotAction", "NotResource", "NotPrincipal"} & each.keys(), each
        assert "*" not in json.dumps([each.get("Principal"), each["Action"]]), each
    of_services = [each for each in allowing if "Service" in each.get("Principal", {})]
    conditions = [each["Condition"] for each in of_services if each["Action"] != "sts:AssumeRole"]
    assert conditions and all(condition == OF_THIS_ACCOUNT for condition in conditions)
    for given in of_type("AWS::Lambda::Permission").values():
        assert "${AWS::AccountId}" in given["SourceArn"]["Fn::Sub"]


@pytest.mark.parametrize("kind", ATTACHED_BY)
def test_everything_that_holds_events_or_secrets_refuses_plain_http(kind: str) -> None:
    policy, names, document, everything = ATTACHED_BY[kind]
    policies = of_type(f"AWS::{policy}").values()
    attached = {named["Ref"]: given[document]["Statement"] for given in policies for named in many(given[names])}
    assert attached.keys() == of_type(f"AWS::{kind}").keys()
    for name, [denied] in attached.items():
        bucket = [{"Fn::GetAtt": [name, "Arn"]}, {"Fn::Sub": f"${{{name}.Arn}}/*"}]
        assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", everything), name
        assert denied["Resource"] == (bucket if kind == "S3::Bucket" else "*"), name
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}, name


# ---- Mistakes are refused at deployment


@pytest.mark.parametrize("ranges", RANGES + NO_RANGES)
def test_only_address_ranges_are_deployed(ranges: str) -> None:
    pattern = TEMPLATE["Parameters"]["AllowedSourceCidrs"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, ranges)) == (ranges in RANGES)


def test_make_deploy_refuses_what_is_too_long_for_aws() -> None:
    aws.check_lengths("s" * 47, {"AllowedSourceCidrs": "35.223.142.181/32,34.135.127.45/32"})
    with pytest.raises(UserError, match="name has 48 characters"):
        aws.check_lengths("s" * 48, {})
    with pytest.raises(UserError, match="too long together"):
        aws.check_lengths("stack", {"AllowedSourceCidrs": "1" * 150, "TrainingModels": "x" * 100})


@pytest.mark.extended
def test_make_deploy_refuses_an_incomplete_secret_arn(running: Emulator) -> None:
    settings = environment.for_emulator(running.instance, running.endpoint)
    arn = running.client("secretsmanager").create_secret(Name="labelbox-secret", SecretString="x")["ARN"]
    aws.check_secret(arn, settings)
    with pytest.raises(UserError, match=re.escape(f"the secret's ARN is {arn}")):
        aws.check_secret(arn[:-7], settings)
    with pytest.raises(UserError, match="has no secret"):
        aws.check_secret(arn.replace("labelbox", "other"), settings)


@pytest.mark.extended
def test_make_deploy_refuses_settings_that_the_function_cannot_start_with() -> None:
    loader = build.build_settings_check()
    aws.check_settings({}, loader)
    aws.check_settings({"QueueType": "standard", "AllowedSourceCidrs": "2001:db8::/32"}, loader)
    with pytest.raises(UserError, match="ALLOWED_SOURCE_CIDRS must be"):
        aws.check_settings({"AllowedSourceCidrs": "2001::db8::/32"}, loader)


def test_make_deploy_protects_the_stack(deployed: Deploy, running: Emulator) -> None:
    stack = deployed("relay-protected")
    aws.protect(stack.name, environment.for_emulator(running.instance, running.endpoint))
    [described] = running.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"]
    assert described["EnableTerminationProtection"] is True
