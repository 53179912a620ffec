"""Nothing is granted in vain: with IAM enforced everything works, and with any one right less, something does not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import permissions
import pytest
import request_paths
from botocore.exceptions import ClientError
from conftest import QUEUE_TYPES, Deploy
from permissions import Endpoints, Permission
from scenario import wait_until

from dev import deploy, environment, samples
from dev.demonstration import MODELS
from dev.stack import QUEUES, Stack

pytestmark = pytest.mark.extended

FAILS_WITHOUT = {
    **{f"sqs:SendMessage on the {entity} queue": {entity: "spilled"} for entity in QUEUES},
    "sqs:SendMessage on the label queue": {"label": "spilled", "by pointer": "spilled"},
    "s3:PutObject on payloads/*": {"by pointer": "503 try_again"},
    "s3:PutObject on spill/*": {"spilled": "503 try_again"},
    "s3:PutObject on archive/*": {"archived": "not in the archive"},
    "secretsmanager:GetSecretValue on the secret": dict.fromkeys(
        request_paths.PATHS.keys() - {"health"}, "503 try_again"
    ),
}
"""Each right that the function itself uses, and how requests end without it."""

SQS, S3, SECRETS = (f"{service}.{environment.REGION}.amazonaws.com" for service in ("sqs", "s3", "secretsmanager"))
USED_BY_AWS: dict[str, list[str] | None] = {
    "logs:CreateLogStream on the log": None,
    "logs:PutLogEvents on the log": None,
    "xray:PutTraceSegments on *": None,
    "xray:PutTelemetryRecords on *": None,
    "kms:GenerateDataKey on the key": [SQS, S3],
    "kms:Decrypt on the key": [SQS, SECRETS],
}
"""What AWS does with the role, and the services that may use the key for it. The emulator does none of it:

<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>,
<https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html>,
<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html>,
<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>,
<https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html>.
"""


@pytest.fixture(scope="module")
def restricted(grounds: Endpoints) -> Deploy:
    """Deploys a relay that refreshes its secret every second, so that a missing permission has an effect."""
    package = deploy.Package.upload(grounds.tls)
    usual = {"TrainingModels": ",".join(MODELS), "SecretTtlSeconds": "1", "ArchiveDays": "30"}

    def deploy_restricted(name: str, **parameters: str) -> Stack:
        stack = package.deploy(name, usual | parameters)
        stack.put_secret(samples.SECRETS)
        return stack

    return deploy_restricted


@pytest.fixture(scope="module", params=QUEUE_TYPES)
def relay(restricted: Deploy, request: pytest.FixtureRequest) -> Stack:
    """A relay without a key of one's own, with each kind of queue."""
    return restricted(f"guarded-{request.param}", QueueType=request.param)


@pytest.fixture(scope="module")
def keyed(restricted: Deploy, grounds: Endpoints) -> Stack:
    """A relay with one."""
    key = grounds.tls.client("kms").create_key()["KeyMetadata"]["Arn"]
    return restricted("guarded-keyed", KmsKeyArn=key)


def permissions_of(stack: Stack) -> dict[str, Permission]:
    """Returns everything that the function's role grants, by a description."""
    queues = {stack.queue_url(entity).rpartition("/")[2]: f"the {entity} queue" for entity in QUEUES}
    names = queues | {stack.outputs["SecretArn"].rpartition(":")[2]: "the secret"}

    def describe(resource: str) -> str:
        if resource.startswith("arn:aws:kms:"):
            return "the key"
        if f":log-group:{stack.log_group}:" in resource:
            return "the log"
        name = resource.rpartition(":")[2]
        return names.get(name, name.removeprefix(f"{stack.outputs['PayloadBucketName']}/"))

    found = permissions.granted(stack)
    described = {f"{each.action} on {describe(each.resource)}": each for each in found}
    assert len(described) == len(found), "a permission is granted twice"
    return described


@contextmanager
def without(stack: Stack, name: str) -> Iterator[None]:
    """Removes one permission for as long as the block runs."""
    before = permissions_of(stack)
    grant(stack, [each for each in before.values() if each != before[name]])
    try:
        assert permissions_of(stack).keys() == before.keys() - {name}
        yield
    finally:
        grant(stack, list(before.values()))


def grant(stack: Stack, wanted: list[Permission]) -> None:
    iam = stack.emulator.client("iam")
    for policy in {each.policy for each in wanted}:
        statements = [
            each.statement | {"Sid": "", "Action": each.action, "Resource": each.resource}
            for each in wanted
            if each.policy == policy
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=stack.role, PolicyName=policy, PolicyDocument=document)


def is_denied(client: Any, operation: str, **parameters: Any) -> bool:
    """Returns whether a call fails because of a permission or a policy. Other errors are raised."""
    try:
        getattr(client, operation)(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"):
            return True
        raise
    return False


def test_with_all_its_rights_every_way_leads_where_it_has_to(relay: Stack, keyed: Stack) -> None:
    assert request_paths.failing(relay) == {}
    assert request_paths.failing(keyed) == {}


def test_without_any_one_right_something_fails(relay: Stack) -> None:
    found = {}
    for name in permissions_of(relay).keys() - USED_BY_AWS.keys():
        with without(relay, name):
            if name.startswith("secretsmanager:"):
                # It still has the secret in memory.
                wait_until(lambda: request_paths.PATHS["models"](relay) != request_paths.OK)
            found[name] = request_paths.failing(relay)
        assert request_paths.failing(relay) == {}, f"{name} is granted again"
    assert found == FAILS_WITHOUT


def test_every_right_is_in_one_of_the_tables(relay: Stack, keyed: Stack) -> None:
    known = FAILS_WITHOUT.keys() | USED_BY_AWS.keys()
    assert permissions_of(keyed).keys() == known
    assert permissions_of(relay).keys() == {name for name in known if not name.startswith("kms:")}
    for name, services in USED_BY_AWS.items():
        condition = permissions_of(keyed)[name].statement.get("Condition")
        assert condition == (services and {"StringEquals": {"kms:ViaService": services}}), name


def test_over_plain_http_neither_queues_nor_bucket_nor_secret_answer(relay: Stack, grounds: Endpoints) -> None:
    urls = [url(entity) for url in (relay.queue_url, relay.dead_letter_queue_url) for entity in QUEUES]
    calls: list[tuple[str, str, dict[str, Any]]] = [
        *(("sqs", "receive_message", {"QueueUrl": url}) for url in urls),
        ("s3", "put_object", {"Bucket": relay.outputs["PayloadBucketName"], "Key": "payloads/one", "Body": b""}),
        ("secretsmanager", "get_secret_value", {"SecretId": relay.outputs["SecretArn"]}),
    ]
    for endpoint, refused in ((grounds.tls, False), (grounds.plain, True)):
        found = [is_denied(endpoint.client(service), operation, **given) for service, operation, given in calls]
        assert found == [refused] * len(calls)
