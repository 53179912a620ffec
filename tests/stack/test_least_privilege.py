"""Nothing is granted in vain: with IAM enforced everything works, and with any one right less, something does not."""

from collections.abc import Iterator
from typing import Any

import permissions
import pytest
import request_paths
from conftest import QUEUE_TYPES, own_instance
from permissions import Endpoints, RestrictedStack, is_denied
from scenario import wait_until

from dev import environment
from dev.stack import QUEUES

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
def grounds() -> Iterator[Endpoints]:
    """An emulator with IAM enforced, of this file's own: in others' tests the function may do everything."""
    with permissions.run_emulator(own_instance("guarded")) as started:
        yield started


@pytest.fixture(scope="module", params=QUEUE_TYPES)
def relay(grounds: Endpoints, request: pytest.FixtureRequest) -> RestrictedStack:
    """A relay without a key of one's own, with each kind of queue."""
    return permissions.deploy_on(grounds, f"guarded-{request.param}", QueueType=request.param)


@pytest.fixture(scope="module")
def key(grounds: Endpoints) -> str:
    return str(grounds.tls.client("kms").create_key()["KeyMetadata"]["Arn"])


@pytest.fixture(scope="module")
def keyed(grounds: Endpoints, key: str) -> RestrictedStack:
    """A relay with one."""
    return permissions.deploy_on(grounds, "guarded-keyed", KmsKeyArn=key)


def test_with_all_its_rights_every_way_leads_where_it_has_to(relay: RestrictedStack, keyed: RestrictedStack) -> None:
    assert request_paths.failing(relay.stack) == {}
    assert request_paths.failing(keyed.stack) == {}


def test_without_any_one_right_something_fails(relay: RestrictedStack) -> None:
    found = {}
    for name in relay.permissions().keys() - USED_BY_AWS.keys():
        with relay.without(name):
            if name.startswith("secretsmanager:"):
                # It still has the secret in memory.
                wait_until(lambda: request_paths.PATHS["models"](relay.stack) != request_paths.OK)
            found[name] = request_paths.failing(relay.stack)
        assert request_paths.failing(relay.stack) == {}, f"{name} is granted again"
    assert found == FAILS_WITHOUT


def test_every_right_is_in_one_of_the_tables(relay: RestrictedStack, keyed: RestrictedStack) -> None:
    known = FAILS_WITHOUT.keys() | USED_BY_AWS.keys()
    assert keyed.permissions().keys() == known
    assert relay.permissions().keys() == {name for name in known if not name.startswith("kms:")}
    for name, services in USED_BY_AWS.items():
        condition = keyed.permissions()[name].statement.get("Condition")
        assert condition == (services and {"StringEquals": {"kms:ViaService": services}}), name


def test_the_key_is_of_no_use_to_the_function_itself(keyed: RestrictedStack, key: str) -> None:
    kms = keyed.function_client("kms")
    assert is_denied(kms, "generate_data_key", KeyId=key, KeySpec="AES_256")
    sealed = keyed.endpoints.tls.client("kms").encrypt(KeyId=key, Plaintext=b"another's")["CiphertextBlob"]
    assert is_denied(kms, "decrypt", KeyId=key, CiphertextBlob=sealed)


def test_with_its_credentials_nobody_can_do_anything_else(relay: RestrictedStack) -> None:
    stack = relay.stack
    bucket, secret, queue = stack.outputs["PayloadBucketName"], stack.outputs["SecretArn"], stack.queue_url("label")
    dead = [stack.dead_letter_queue_url(entity) for entity in QUEUES]
    other = str(stack.emulator.client("secretsmanager").create_secret(Name=stack.name, SecretString="x")["ARN"])
    stack.emulator.client("s3").put_object(Bucket=bucket, Key="payloads/one", Body=b"")
    message = {"MessageBody": "x", **({"MessageGroupId": "x", "MessageDeduplicationId": "x"} if stack.is_fifo else {})}
    attempts: list[tuple[str, str, dict[str, Any]]] = [
        *(("sqs", "send_message", {"QueueUrl": url, **message}) for url in dead),
        ("sqs", "receive_message", {"QueueUrl": queue}),
        ("sqs", "purge_queue", {"QueueUrl": queue}),
        ("sqs", "get_queue_attributes", {"QueueUrl": queue, "AttributeNames": ["All"]}),
        ("sqs", "set_queue_attributes", {"QueueUrl": queue, "Attributes": {"Policy": ""}}),
        ("s3", "put_object", {"Bucket": bucket, "Key": "elsewhere", "Body": b""}),
        ("s3", "get_object", {"Bucket": bucket, "Key": "payloads/one"}),
        ("s3", "delete_object", {"Bucket": bucket, "Key": "payloads/one"}),
        ("s3", "list_objects_v2", {"Bucket": bucket}),
        ("s3", "delete_bucket_policy", {"Bucket": bucket}),
        ("secretsmanager", "get_secret_value", {"SecretId": other}),
        ("secretsmanager", "put_secret_value", {"SecretId": secret, "SecretString": "x"}),
        ("secretsmanager", "list_secrets", {}),
        ("logs", "filter_log_events", {"logGroupName": stack.log_group}),
        ("logs", "create_log_group", {"logGroupName": "another"}),
        ("lambda", "get_function", {"FunctionName": stack.outputs["FunctionName"]}),
        ("iam", "list_role_policies", {"RoleName": stack.function["Role"].rpartition("/")[2]}),
        ("dynamodb", "list_tables", {}),
    ]
    clients = {service: relay.function_client(service) for service in {service for service, _, _ in attempts}}
    assert [each for each in attempts if not is_denied(clients[each[0]], each[1], **each[2])] == []


def test_over_plain_http_no_queue_takes_or_gives_anything(relay: RestrictedStack) -> None:
    urls = [url(entity) for url in (relay.stack.queue_url, relay.stack.dead_letter_queue_url) for entity in QUEUES]
    for endpoint, refused in ((relay.endpoints.tls, False), (relay.endpoints.plain, True)):
        sqs = endpoint.client("sqs")
        assert [is_denied(sqs, "receive_message", QueueUrl=url) for url in urls] == [refused] * 10


def test_over_plain_http_neither_bucket_nor_secret_is_there(relay: RestrictedStack) -> None:
    stack = relay.stack
    stored = {"Bucket": stack.outputs["PayloadBucketName"], "Key": "payloads/one", "Body": b""}
    asked = {"SecretId": stack.outputs["SecretArn"]}
    for endpoint, refused in ((relay.endpoints.tls.endpoint, False), (relay.endpoints.plain.endpoint, True)):
        s3, secrets = (relay.function_client(service, endpoint) for service in ("s3", "secretsmanager"))
        assert is_denied(s3, "put_object", **stored) == refused
        assert is_denied(secrets, "get_secret_value", **asked) == refused
