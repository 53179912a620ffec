"""Every policy of the template: no wider than necessary, nothing over plain HTTP, one key for everything."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from permissions import many
from references import TEMPLATE, of_type

RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
KNOW_NO_RESOURCE = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
"""What can be granted on `*` only: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html"""
OBJECTS: list[dict[str, Any]] = [
    {"Fn::Sub": "${PayloadBucket.Arn}/payloads/*"},
    {"Fn::Sub": "${PayloadBucket.Arn}/spill/*"},
    {"Fn::If": ["ArchiveEvents", {"Fn::Sub": "${PayloadBucket.Arn}/archive/*"}, {"Ref": "AWS::NoValue"}]},
]
OVER_PLAIN_HTTP = {"Bool": {"aws:SecureTransport": "false"}}
ATTACHED_BY = {
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues", "PolicyDocument", "sqs:*"),
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket", "PolicyDocument", "s3:*"),
    "AWS::SecretsManager::Secret": (
        "AWS::SecretsManager::ResourcePolicy",
        "SecretId",
        "ResourcePolicy",
        "secretsmanager:*",
    ),
}
"""For each kind of what holds events or secrets: its policies, what they name it with, and what they have to deny."""
OWN_KEY = {"Fn::If": ["UseKmsKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}


def allowing() -> list[dict[str, Any]]:
    """Every statement of the template that allows something."""
    found = [each for each in statements(RESOURCES) if each["Effect"] == "Allow"]
    assert len(found) > 5
    return found


def statements(part: object) -> Iterator[dict[str, Any]]:
    """Every statement in a part of the template, in whatever it is wrapped."""
    if isinstance(part, dict) and "Effect" in part:
        yield part
    elif isinstance(part, dict | list):
        for each in part.values() if isinstance(part, dict) else part:
            yield from statements(each)


def test_nothing_is_allowed_by_what_it_is_not_or_to_everybody() -> None:
    for each in allowing():
        assert not {"NotAction", "NotResource", "NotPrincipal"} & each.keys(), each
        assert "*" not in json.dumps(each.get("Principal")), each


def test_no_action_is_a_pattern() -> None:
    assert [action for each in allowing() for action in many(each["Action"]) if "*" in action] == []


def test_no_resource_is_wider_than_it_has_to_be() -> None:
    patterns = [
        (action, resource)
        for each in allowing()
        for action in many(each["Action"])
        for resource in many(each.get("Resource", []))
        if "*" in json.dumps(resource)
    ]
    objects = [("s3:PutObject", each) for each in OBJECTS]
    assert sorted(patterns, key=str) == sorted([*objects, *((action, "*") for action in KNOW_NO_RESOURCE)], key=str)


def test_a_service_of_aws_may_only_act_for_this_account() -> None:
    for name, given in of_type("AWS::Lambda::Permission").items():
        assert "${AWS::AccountId}" in given["SourceArn"]["Fn::Sub"], name
    services = [
        each for each in allowing() if "Service" in each.get("Principal", {}) and each["Action"] != "sts:AssumeRole"
    ]
    assert services
    for each in services:
        assert each["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@pytest.mark.parametrize("kind", ATTACHED_BY)
def test_everything_that_holds_events_or_secrets_refuses_plain_http(kind: str) -> None:
    policy, names, document, everything = ATTACHED_BY[kind]
    attached = {
        named["Ref"]: given[document]["Statement"] for given in of_type(policy).values() for named in many(given[names])
    }
    assert attached.keys() == of_type(kind).keys()
    for name, written in attached.items():
        [denied] = written
        whole = [{"Fn::GetAtt": [name, "Arn"]}, {"Fn::Sub": f"${{{name}.Arn}}/*"}] if kind == "AWS::S3::Bucket" else "*"
        assert (denied["Effect"], denied["Principal"], denied["Condition"]) == ("Deny", "*", OVER_PLAIN_HTTP), name
        assert (denied["Action"], denied["Resource"]) == (everything, whole), name


def test_a_key_of_ones_own_encrypts_all_queues_the_bucket_and_the_secret() -> None:
    queues, secrets, buckets = (
        of_type(f"AWS::{kind}") for kind in ("SQS::Queue", "SecretsManager::Secret", "S3::Bucket")
    )
    keys = {name: given.get("KmsMasterKeyId") for name, given in queues.items()}
    keys |= {name: given.get("KmsKeyId") for name, given in secrets.items()}
    for name, given in buckets.items():
        [rule] = given["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        keys[name] = rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert keys == dict.fromkeys(keys, OWN_KEY)
