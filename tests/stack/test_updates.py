"""Updates of a live stack: in an order that refuses no event, and under a sender's constant load."""

import itertools
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import permissions
import pytest
from conftest import own_instance
from dependencies import Dependencies
from permissions import Endpoints
from scenario import wait_until

from dev import aws, deploy
from dev.load import Load, received
from dev.paths import PROGRAM
from dev.samples import SECRET
from dev.stack import QUEUES, Stack

TEMPLATE = Dependencies()
ENCRYPTED = ("AWS::SQS::Queue", "AWS::S3::Bucket", "AWS::SecretsManager::Secret")
KEY_RIGHTS = {"kms:GenerateDataKey", "kms:Decrypt"}
NOT_OF_A_VERSION = {"ReservedConcurrency", "Architecture", "LogRetentionDays"}
"""Parameters of the function that Lambda keeps outside its versions, or that change its code, too."""


def policies() -> dict[str, dict[str, Any]]:
    """The policies of the function's role that are resources of their own."""
    return {name: each["Properties"] for name, each in TEMPLATE.of_type("AWS::IAM::RolePolicy").items()}


def actions(policy: dict[str, Any]) -> set[str]:
    statements = [each["Fn::If"][1] if "Fn::If" in each else each for each in policy["PolicyDocument"]["Statement"]]
    return {action for each in statements for action in permissions.many(each["Action"])}


# ---- The order


def test_the_function_may_use_a_key_before_anything_is_encrypted_with_it() -> None:
    [(name, policy)] = [(name, each) for name, each in policies().items() if KEY_RIGHTS & actions(each)]
    assert actions(policy) >= KEY_RIGHTS
    for encrypted in TEMPLATE.of_type(*ENCRYPTED):
        assert name in TEMPLATE.of(encrypted), encrypted
        assert encrypted not in TEMPLATE.of(name), encrypted


def test_while_key_queue_type_or_secret_changes_the_function_may_use_both() -> None:
    # CloudFormation replaces a policy with another name, and deletes its predecessor after everything else.
    replacing = {"AWS::SQS::Queue": "QueueType", "AWS::SecretsManager::Secret": "SecretArn"}
    kinds = {name: each["Type"] for name, each in TEMPLATE.resources.items()}
    for name, policy in policies().items():
        of_what_it_names = {replacing[kinds[each]] for each in TEMPLATE.of(name) if kinds[each] in replacing}
        of_its_key = TEMPLATE.parameters_of(policy["PolicyDocument"]) - {"SecretArn"}
        assert TEMPLATE.parameters_of(policy["PolicyName"]) == of_what_it_names | of_its_key, name
    assert set().union(*(TEMPLATE.parameters_of(each["PolicyName"]) for each in policies().values())) == {
        "ArchiveDays",
        "KmsKeyArn",
        "QueueType",
        "SecretArn",
    }
    assert all("Policies" not in role["Properties"] for role in TEMPLATE.of_type("AWS::IAM::Role").values())


def test_requests_reach_a_new_version_only_after_all_that_it_needs() -> None:
    [alias] = TEMPLATE.of_type("AWS::Lambda::Alias")
    needed = TEMPLATE.of_type("AWS::IAM::RolePolicy", "AWS::Lambda::Version", "AWS::Lambda::Function", *ENCRYPTED)
    assert needed.keys() <= TEMPLATE.of(alias)
    [integration] = TEMPLATE.of_type("AWS::ApiGatewayV2::Integration").values()
    assert integration["Properties"]["IntegrationUri"] == {"Ref": alias}
    [(name, permission)] = TEMPLATE.of_type("AWS::Lambda::Permission").items()
    assert permission["Properties"]["FunctionName"] == {"Ref": alias}
    assert integration["DependsOn"] == name


def test_every_setting_of_the_function_publishes_a_version() -> None:
    [function] = TEMPLATE.of_type("AWS::Lambda::Function").values()
    [version] = TEMPLATE.of_type("AWS::Lambda::Version").values()
    settings = TEMPLATE.parameters_of(function["Properties"]) - NOT_OF_A_VERSION
    assert TEMPLATE.parameters_of(version["Properties"]["Description"]) == settings


def test_what_holds_events_or_serves_requests_is_not_deleted_by_an_update_or_with_the_stack() -> None:
    for name, each in TEMPLATE.of_type(*ENCRYPTED).items():
        assert (each.get("DeletionPolicy"), each.get("UpdateReplacePolicy")) == ("RetainExceptOnCreate", "Retain"), name
    [version] = TEMPLATE.of_type("AWS::Lambda::Version").values()
    assert (version.get("DeletionPolicy"), version.get("UpdateReplacePolicy")) == ("Retain", "Retain")


def test_the_generated_secret_is_never_generated_again() -> None:
    # CloudFormation generates a new value, in place of the operator's, if any of this changes.
    secret = TEMPLATE.resources["Secret"]["Properties"]
    assert secret["GenerateSecretString"] == {"PasswordLength": 48, "ExcludePunctuation": True}


def test_the_longest_stack_name_leaves_room_for_the_names_of_the_queues() -> None:
    # CloudFormation: stack name, logical id, and up to 13 random characters. SQS: 80 characters, `.fifo` included.
    longest = max(len(name) for name in TEMPLATE.of_type("AWS::SQS::Queue"))
    assert aws.LONGEST_STACK_NAME + 1 + longest + 1 + 13 + len(".fifo") <= 80


# ---- Under load


@pytest.fixture(scope="module")
def grounds() -> Iterator[Endpoints]:
    """An emulator that enforces IAM, so that the order of rights and needs counts."""
    with permissions.run_emulator(own_instance("updated")) as started:
        yield started


@pytest.fixture
def live(grounds: Endpoints) -> Stack:
    """A stack for each test: the emulator replaces a queue in every update after its first replacement."""
    stack = deploy.deploy(grounds.tls, f"updated-{next(_numbers)}", {"SecretTtlSeconds": "1"})
    stack.put_secret({"labelbox": SECRET})
    return stack


_numbers = itertools.count()


def change(grounds: Endpoints, stack: Stack, **parameters: str) -> Stack:
    """Updates the stack under load: no event is refused, spilled or lost, and each is queued once."""
    with Load(stack) as load:
        updated = deploy.deploy(grounds.tls, stack.name, parameters)
        load.wait_for(20)
    assert {event: status for event, status in load.answers.items() if status != "queued"} == {}
    assert stack.objects("spill/") == []
    urls = {stack.queue_url("label"): stack, updated.queue_url("label"): updated}
    found = [event for each in urls.values() for event in received(each, 0)]
    assert sorted(found) == sorted(load.answers)
    return updated


@pytest.mark.extended
def test_a_changed_setting_is_served_and_loses_nothing(grounds: Endpoints, live: Stack) -> None:
    before = live.function
    change(grounds, live, LogLevel="debug")
    after = live.function
    assert after["Environment"]["Variables"]["LOG_LEVEL"] == "debug"
    assert after["Version"] != before["Version"]


@pytest.mark.extended
def test_changed_code_is_served_with_its_setting_and_loses_nothing(grounds: Endpoints, live: Stack) -> None:
    before = live.function
    with (grounds.tls.instance.build / PROGRAM).open("ab") as program:
        program.write(b"\0")  # the loader ignores what follows the program
    change(grounds, live, InlineLimitKiB="512")
    after = live.function
    assert after["CodeSha256"] != before["CodeSha256"]
    assert after["Environment"]["Variables"]["INLINE_LIMIT_KIB"] == "512"


@pytest.mark.extended
def test_another_queue_type_and_back_loses_nothing(grounds: Endpoints, live: Stack) -> None:
    for queue_type in ("standard", "fifo"):
        live = change(grounds, live, QueueType=queue_type)
        assert live.is_fifo == (queue_type == "fifo")
        wait_until(partial(has_two_policies, live))  # the rights to the old queues are gone


def has_two_policies(stack: Stack) -> bool:
    role = stack.function["Role"].rpartition("/")[2]
    return len(stack.emulator.client("iam").list_role_policies(RoleName=role)["PolicyNames"]) == 2


@pytest.mark.extended
def test_a_key_another_key_and_none_lose_nothing(grounds: Endpoints, live: Stack) -> None:
    kms = grounds.tls.client("kms")
    for key in (*(kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)), ""):
        change(grounds, live, KmsKeyArn=key)


@pytest.mark.extended
def test_another_secret_loses_nothing(grounds: Endpoints, live: Stack) -> None:
    secret = grounds.tls.client("secretsmanager").create_secret(
        Name="relay/others", SecretString=json.dumps({"labelbox": SECRET})
    )
    change(grounds, live, SecretArn=secret["ARN"])
    assert live.function["Environment"]["Variables"]["SECRET_ARN"] == secret["ARN"]


@pytest.mark.extended
def test_a_deleted_stack_keeps_its_events(grounds: Endpoints) -> None:
    stack = deploy.deploy(grounds.tls, "deleted")
    stack.put_secret({"labelbox": SECRET})
    with Load(stack) as load:
        load.wait_for(5)
    cloudformation = stack.emulator.client("cloudformation")
    cloudformation.delete_stack(StackName=stack.name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack.name, WaiterConfig={"Delay": 0.1})
    assert sorted(received(stack, 0)) == sorted(load.answers)
    for entity in QUEUES:
        assert stack.count_in(stack.dead_letter_queue_url(entity)) == 0
