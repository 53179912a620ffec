"""Updates of a live stack, in an order that refuses no event."""

import json
from typing import Any

import permissions
import pytest
from dependencies import Dependencies
from permissions import Endpoints

from dev import aws, deploy
from dev.load import Load, received
from dev.samples import SECRETS

ENCRYPTED = ("AWS::SQS::Queue", "AWS::S3::Bucket", "AWS::SecretsManager::Secret")
KEY_RIGHTS = {"kms:GenerateDataKey", "kms:Decrypt"}
NOT_OF_A_VERSION = {"ReservedConcurrency", "Architecture", "LogRetentionDays"}
"""Parameters of the function that Lambda keeps outside its versions, or that change its code, too."""


@pytest.fixture(scope="module")
def template() -> Dependencies:
    return Dependencies()


def policies(template: Dependencies) -> dict[str, dict[str, Any]]:
    """The policies of the function's role that are resources of their own."""
    return {name: each["Properties"] for name, each in template.of_type("AWS::IAM::RolePolicy").items()}


def actions(policy: dict[str, Any]) -> set[str]:
    statements = [each["Fn::If"][1] if "Fn::If" in each else each for each in policy["PolicyDocument"]["Statement"]]
    return {action for each in statements for action in permissions.many(each["Action"])}


def test_the_function_may_use_a_key_before_anything_is_encrypted_with_it(template: Dependencies) -> None:
    [(name, policy)] = [(name, each) for name, each in policies(template).items() if KEY_RIGHTS & actions(each)]
    assert actions(policy) >= KEY_RIGHTS
    for encrypted in template.of_type(*ENCRYPTED):
        assert name in template.of(encrypted), encrypted
        assert encrypted not in template.of(name), encrypted


def test_while_key_queue_type_or_secret_changes_the_function_may_use_both(template: Dependencies) -> None:
    # CloudFormation replaces a policy with another name, and deletes its predecessor after everything else.
    replacing = {"AWS::SQS::Queue": "QueueType", "AWS::SecretsManager::Secret": "SecretArn"}
    kinds = {name: each["Type"] for name, each in template.resources.items()}
    for name, policy in policies(template).items():
        of_what_it_names = {replacing[kinds[each]] for each in template.of(name) if kinds[each] in replacing}
        of_its_key = template.parameters_of(policy["PolicyDocument"]) - {"SecretArn"}
        assert template.parameters_of(policy["PolicyName"]) == of_what_it_names | of_its_key, name
    assert set().union(*(template.parameters_of(each["PolicyName"]) for each in policies(template).values())) == {
        "ArchiveDays",
        "KmsKeyArn",
        "QueueType",
        "SecretArn",
    }
    assert all("Policies" not in role["Properties"] for role in template.of_type("AWS::IAM::Role").values())


def test_requests_reach_a_new_version_only_after_all_that_it_needs(template: Dependencies) -> None:
    [alias] = template.of_type("AWS::Lambda::Alias")
    needed = template.of_type("AWS::IAM::RolePolicy", "AWS::Lambda::Version", "AWS::Lambda::Function", *ENCRYPTED)
    assert needed.keys() <= template.of(alias)
    [integration] = template.of_type("AWS::ApiGatewayV2::Integration").values()
    assert integration["Properties"]["IntegrationUri"] == {"Ref": alias}
    [(name, permission)] = template.of_type("AWS::Lambda::Permission").items()
    assert permission["Properties"]["FunctionName"] == {"Ref": alias}
    assert integration["DependsOn"] == name


def test_every_setting_of_the_function_publishes_a_version(template: Dependencies) -> None:
    [function] = template.of_type("AWS::Lambda::Function").values()
    [version] = template.of_type("AWS::Lambda::Version").values()
    settings = template.parameters_of(function["Properties"]) - NOT_OF_A_VERSION
    assert template.parameters_of(version["Properties"]["Description"]) == settings


def test_what_holds_events_or_serves_requests_outlives_updates_and_the_stack(
    template: Dependencies,
) -> None:
    for name, each in template.of_type(*ENCRYPTED).items():
        assert (each.get("DeletionPolicy"), each.get("UpdateReplacePolicy")) == ("RetainExceptOnCreate", "Retain"), name
    [version] = template.of_type("AWS::Lambda::Version").values()
    assert (version.get("DeletionPolicy"), version.get("UpdateReplacePolicy")) == ("Retain", "Retain")


def test_the_generated_secret_is_never_generated_again(template: Dependencies) -> None:
    # CloudFormation generates a new value, in place of the operator's, if any of this changes.
    secret = template.resources["Secret"]["Properties"]
    assert secret["GenerateSecretString"] == {"PasswordLength": 48, "ExcludePunctuation": True}


def test_the_longest_stack_name_leaves_room_for_the_names_of_the_queues(template: Dependencies) -> None:
    # CloudFormation: stack name, logical id, and up to 13 random characters. SQS: 80 characters, `.fifo` included.
    longest = max(len(name) for name in template.of_type("AWS::SQS::Queue"))
    assert aws.LONGEST_STACK_NAME + 1 + longest + 1 + 13 + len(".fifo") <= 80


@pytest.mark.extended
def test_another_secret_refuses_and_loses_no_event_under_load(iam_emulator: Endpoints) -> None:
    """`test_accept.py` has the other updates."""
    stack = deploy.deploy(iam_emulator.tls, "updated", {"SecretTtlSeconds": "1"})
    stack.put_secret(SECRETS)
    client = iam_emulator.tls.client("secretsmanager")
    secret = client.create_secret(Name="relay/others", SecretString=json.dumps(SECRETS))["ARN"]
    with Load(stack) as load:
        deploy.deploy(iam_emulator.tls, stack.name, {"SecretArn": secret})
        load.wait_for(20)
    assert set(load.count()) == {"queued"}
    assert sorted(received(stack, 0)) == sorted(load.answers)
    assert stack.settings["SECRET_ARN"] == secret
