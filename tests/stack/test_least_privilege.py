"""Nothing is granted in vain: with IAM enforced everything works, and with any one right less, something does not."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import permissions
import pytest
from botocore.exceptions import ClientError
from conftest import QUEUE_TYPES, Deploy
from permissions import Endpoints, Permission
from repair import wait_for

from dev import deploy, environment
from dev.demonstration import MODELS
from dev.samples import SECRETS, event, sign
from dev.stack import QUEUES, Stack

pytestmark = pytest.mark.extended

TOPICS = {"label": "LABEL_CREATED", "workflow": "MOVE", "review": "REVIEW_CREATED", "unrouted": "UNKNOWN"}
USUAL = {
    **dict.fromkeys(QUEUES, "queued"),
    "unrouted": "unrouted",
    "by pointer": "queued",
    "spilled": "spilled",
    "archived": "1 more",
    "/training/models": "200",
    "/health": "200",
}
"""How a request on each path ends."""
FAILS_WITHOUT = {
    **{f"sqs:SendMessage on the {entity} queue": {entity: "spilled"} for entity in QUEUES},
    "sqs:SendMessage on the label queue": {"label": "spilled", "by pointer": "spilled"},
    "s3:PutObject on payloads/*": {"by pointer": "503 try_again"},
    "s3:PutObject on spill/*": {"spilled": "503 try_again"},
    "s3:PutObject on archive/*": {"archived": "0 more"},
    "secretsmanager:GetSecretValue on the secret": dict.fromkeys(USUAL.keys() - {"/health"}, "503 try_again"),
}
"""Each right that the function itself uses, and how requests end without it."""

SQS, S3, SM = (f"{service}.{environment.REGION}.amazonaws.com" for service in ("sqs", "s3", "secretsmanager"))
USED_BY_AWS: dict[str, list[str] | None] = {
    "logs:CreateLogStream on the log": None,
    "logs:PutLogEvents on the log": None,
    "xray:PutTraceSegments on *": None,
    "xray:PutTelemetryRecords on *": None,
    "kms:GenerateDataKey on the key": [SQS, S3],
    "kms:Decrypt on the key": [SQS, SM],
}
"""What AWS does with the role, and the services that may use the key for it. The emulator does none of it:

<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>,
<https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html>,
<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html>,
<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>,
<https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html>.
"""


@pytest.fixture(scope="module")
def restricted(iam_emulator: Endpoints) -> Deploy:
    """Deploys a relay that refreshes its secret every second, so that a missing permission has an effect."""
    package = deploy.Package.upload(iam_emulator.tls)
    usual = {"TrainingModels": ",".join(MODELS), "SecretTtlSeconds": "1", "ArchiveDays": "30"}

    def deploy_restricted(name: str, **parameters: str) -> Stack:
        stack = package.deploy(name, usual | parameters)
        stack.put_secret(SECRETS)
        return stack

    return deploy_restricted


@pytest.fixture(scope="module", params=QUEUE_TYPES)
def relay(restricted: Deploy, request: pytest.FixtureRequest) -> Stack:
    """A relay without a custom KMS key, with each kind of queue."""
    return restricted(f"guarded-{request.param}", QueueType=request.param)


@pytest.fixture(scope="module")
def keyed(restricted: Deploy, iam_emulator: Endpoints) -> Stack:
    """A relay with one."""
    key = iam_emulator.tls.client("kms").create_key()["KeyMetadata"]["Arn"]
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


def failing(stack: Stack) -> dict[str, str]:
    """Sends a request on each path. Returns the outcomes that are not as usual."""
    found = {entity: send(stack, entity) for entity in QUEUES}
    found["by pointer"] = send(stack, "label", "\uffff")  # which SQS rejects
    sqs, queue = stack.emulator.client("sqs"), stack.queue_url("label")
    policy = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
    denied = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Statement": [denied]})})
    try:
        found["spilled"] = send(stack, "label")
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    before, status = len(stack.objects("archive/")), send(stack, "label")
    is_accepted = status in ("queued", "spilled")
    found["archived"] = f"{len(stack.objects('archive/')) - before} more" if is_accepted else status
    found |= {path: get(stack, path) for path in ("/training/models", "/health")}
    stack.purge()
    return {name: outcome for name, outcome in found.items() if outcome != USUAL[name]}


def send(stack: Stack, entity: str, text: str = "") -> str:
    """Sends a signed event. Returns the status in the response."""
    body = f'{{"x":"{text}","id":"{uuid.uuid4().hex}"}}'.encode()
    path = "/training/model_run" if entity == "model_run" else "/webhooks/labelbox"
    status, content = stack.answer(event(body, TOPICS.get(entity, ""), path=path, delivery_id=uuid.uuid4().hex))
    return str(content["status"]) if status == 200 else f"{status} {content['error']}"


def get(stack: Stack, path: str) -> str:
    response = stack.send("GET", path, [("X-Hub-Signature", sign(b""))])
    return "200" if response.status == 200 else f"{response.status} {json.loads(response.data)['error']}"


def test_with_all_permissions_every_request_ends_as_usual(relay: Stack, keyed: Stack) -> None:
    assert failing(relay) == {}
    assert failing(keyed) == {}


def test_without_any_one_right_something_fails(relay: Stack) -> None:
    found = {}
    for name in permissions_of(relay).keys() - USED_BY_AWS.keys():
        with without(relay, name):
            if name.startswith("secretsmanager:"):
                # It still has the secret in memory.
                wait_for(lambda: get(relay, "/training/models") != "200")
            found[name] = failing(relay)
        assert failing(relay) == {}, f"{name} is granted again"
    assert found == FAILS_WITHOUT


def test_every_right_is_in_one_of_the_tables(relay: Stack, keyed: Stack) -> None:
    known = FAILS_WITHOUT.keys() | USED_BY_AWS.keys()
    assert permissions_of(keyed).keys() == known
    assert permissions_of(relay).keys() == {name for name in known if not name.startswith("kms:")}
    for name, services in USED_BY_AWS.items():
        condition = permissions_of(keyed)[name].statement.get("Condition")
        assert condition == (services and {"StringEquals": {"kms:ViaService": services}}), name


def test_over_plain_http_no_queue_gives_anything(relay: Stack, iam_emulator: Endpoints) -> None:
    plain = iam_emulator.plain.client("sqs")
    for url in (url(entity) for url in (relay.queue_url, relay.dead_letter_queue_url) for entity in QUEUES):
        assert "Messages" not in iam_emulator.tls.client("sqs").receive_message(QueueUrl=url)
        with pytest.raises(ClientError, match="AccessDenied"):
            plain.receive_message(QueueUrl=url)
