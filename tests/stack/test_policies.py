"""Every policy of the template: nobody who is not named, nothing over plain HTTP.

`test_template.py` has what exactly the function may do.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from permissions import many
from references import TEMPLATE, of_type

ATTACHED_BY = {
    "SQS::Queue": ("SQS::QueuePolicy", "Queues", "PolicyDocument", "sqs:*"),
    "S3::Bucket": ("S3::BucketPolicy", "Bucket", "PolicyDocument", "s3:*"),
    "SecretsManager::Secret": ("SecretsManager::ResourcePolicy", "SecretId", "ResourcePolicy", "secretsmanager:*"),
}
"""For each kind of what holds events or secrets: its policies, what they name it with, and what they have to deny."""
OF_THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


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
        if "Service" in each.get("Principal", {}) and each["Action"] != "sts:AssumeRole":
            assert each["Condition"] == OF_THIS_ACCOUNT, each
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
