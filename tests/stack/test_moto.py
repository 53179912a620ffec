"""The function with moto in place of MiniStack: another implementation of AWS, which checks signatures and policies."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import urllib3
from conftest import SECRETS
from moto.server import ThreadedMotoServer
from runtime import Runtime
from sqs_extended_client.client import SQSExtendedClientSession

from dev.paths import EVENTS, PROGRAM, Instance
from dev.samples import Offloaded, Request, Sample, label, load

pytestmark = pytest.mark.extended

REGION = "us-east-1"
ENTITIES = ("label", "workflow", "review", "model_run", "unrouted")
BUCKET = "payloads-of-moto"
MODELS = ["bounding_box"]

Keys = tuple[str, str]


@dataclass
class Account:
    """moto with the relay's resources, and credentials that may do what the template's role may."""

    endpoint: str
    queue_type: str
    queues: dict[str, str] = field(default_factory=dict)
    secret_arn: str = ""
    administrator: Keys = ("test", "test")
    relay: Keys = ("", "")

    def client(self, service: str) -> Any:
        key_id, key = self.administrator
        return botocore.session.get_session().create_client(
            service, REGION, endpoint_url=self.endpoint, aws_access_key_id=key_id, aws_secret_access_key=key
        )

    def received(self, entity: str) -> list[dict[str, Any]]:
        sqs = self.client("sqs")
        names = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
        messages = sqs.receive_message(QueueUrl=self.queues[entity], MaxNumberOfMessages=10, **names).get(
            "Messages", []
        )
        for message in messages:
            sqs.delete_message(QueueUrl=self.queues[entity], ReceiptHandle=message["ReceiptHandle"])
        return list(messages)


@pytest.fixture(scope="module", params=["fifo", "standard"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        account = Account("http://{}:{}".format(*server.get_host_and_port()), request.param)
        _create_resources(account)
        # From here on, moto checks signatures and policies.
        urllib3.request("POST", f"{account.endpoint}/moto-api/reset-auth", body=b"0")
        yield account
        # Its state is the process's.
        urllib3.request("POST", f"{account.endpoint}/moto-api/reset-auth", body=b"inf")
        urllib3.request("POST", f"{account.endpoint}/moto-api/reset")
    finally:
        server.stop()


def _create_resources(account: Account) -> None:
    sqs, iam = account.client("sqs"), account.client("iam")
    fifo = {"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    is_fifo = account.queue_type == "fifo"
    for entity in ENTITIES:
        name = f"{entity}.fifo" if is_fifo else entity
        account.queues[entity] = sqs.create_queue(QueueName=name, Attributes=fifo if is_fifo else {})["QueueUrl"]
    account.client("s3").create_bucket(Bucket=BUCKET)
    secret = json.dumps(SECRETS)
    account.secret_arn = account.client("secretsmanager").create_secret(Name="relay", SecretString=secret)["ARN"]
    queues = [f"arn:aws:sqs:{REGION}:123456789012:{url.rpartition('/')[2]}" for url in account.queues.values()]
    objects = [f"arn:aws:s3:::{BUCKET}/{prefix}/*" for prefix in ("payloads", "spill")]
    account.relay = _user(
        iam, "relay", ("sqs:SendMessage", queues), ("s3:PutObject", objects), ("secretsmanager:GetSecretValue", "*")
    )
    account.administrator = _user(iam, "administrator", ("*", "*"))


def _user(iam: Any, name: str, *statements: tuple[str, Any]) -> Keys:
    iam.create_user(UserName=name)
    allowed = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


@contextmanager
def relay(account: Account, program: Path, tmp_path: Path, keys: Keys, **settings: str) -> Iterator[Runtime]:
    """The program, invoked through a Runtime API of our own."""
    with Runtime() as runtime:
        key_id, key = keys
        variables = {
            "AWS_LAMBDA_RUNTIME_API": runtime.address,
            "AWS_LAMBDA_FUNCTION_NAME": "relay",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": key,
            "AWS_ENDPOINT_URL": account.endpoint,
            "QUEUE_TYPE": account.queue_type,
            "SECRET_ARN": account.secret_arn,
            "PAYLOAD_BUCKET": BUCKET,
            "TRAINING_MODELS": ",".join(MODELS),
            **{f"{entity.upper()}_QUEUE_URL": url for entity, url in account.queues.items()},
            **settings,
        }
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen([program], env=variables, stdout=log, stderr=log)
        try:
            yield runtime
        finally:
            process.kill()
            process.wait()


def invoke(runtime: Runtime, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = runtime.invoke(event, seconds=15)
    return answer["statusCode"], json.loads(answer["body"])


def gateway_event(request: Request) -> dict[str, Any]:
    """An event of the HTTP API, made from that of a sample."""
    event: dict[str, Any] = json.loads((EVENTS / "label-created-v1.json").read_text())
    headers = {name.lower(): value for name, value in request.headers}
    return event | {"rawPath": request.path, "headers": headers, "body": (request.body or b"").decode()}


@pytest.fixture(scope="module")
def program(built: tuple[Instance, Path]) -> Path:
    return built[0].build / PROGRAM


@pytest.fixture
def runtime(account: Account, program: Path, tmp_path: Path) -> Iterator[Runtime]:
    with relay(account, program, tmp_path, account.relay) as runtime:
        yield runtime


def test_every_sample_arrives_with_its_attributes(account: Account, runtime: Runtime) -> None:
    for sample in load():
        status, said = invoke(runtime, json.loads((EVENTS / f"{sample.name}.json").read_text()))
        assert status == 200, (sample.name, said)
        if sample.expect["queue"] is None:
            assert said == {name: {} for name in MODELS}
            continue
        messages = account.received(sample.expect["queue"])
        check(account, sample, said, messages)


def check(account: Account, sample: Sample, said: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    [message] = messages
    assert (said["message_id"], message["Body"].encode()) == (message["MessageId"], sample.request.body), sample.name
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    for name, expected in sample.attributes.items():
        assert attributes.get(name) == expected, (sample.name, name)
    group = message["Attributes"].get("MessageGroupId")
    assert (group is not None) == (account.queue_type == "fifo"), sample.name
    if sample.attributes.get("entity_id") and group is not None:
        assert group == attributes["entity_id"], sample.name


def test_aws_reads_the_pointer_to_a_large_label(
    account: Account, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = label(4_300_000)
    status, said = invoke(runtime, gateway_event(Offloaded("large", body, "label").request))
    assert (status, said["status"]) == (200, "queued")
    variables = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    for name, value in zip(variables, (*account.administrator, account.endpoint), strict=True):
        monkeypatch.setenv(name, value)
    sqs = SQSExtendedClientSession().client("sqs")  # type: ignore[no-untyped-call]
    [message] = sqs.receive_message(QueueUrl=account.queues["label"], MessageAttributeNames=["All"])["Messages"]
    assert message["Body"].encode() == body


def test_an_event_whose_queue_is_gone_is_spilled(account: Account, program: Path, tmp_path: Path) -> None:
    gone = re.sub(r"/label\b", "/gone", account.queues["label"])
    with relay(account, program, tmp_path, account.relay, LABEL_QUEUE_URL=gone) as runtime:
        status, said = invoke(runtime, json.loads((EVENTS / "label-created-v1.json").read_text()))
    assert (status, said["status"]) == (200, "spilled")
    stored = account.client("s3").get_object(Bucket=BUCKET, Key=said["message_id"])["Body"].read()
    assert json.loads(stored)["MessageBody"].encode() == (EVENTS / "label-created-v1.payload.json").read_bytes()


def test_moto_refuses_a_wrong_key_and_missing_permissions(account: Account, program: Path, tmp_path: Path) -> None:
    """So that the tests above show that signatures and permissions are right."""
    event = json.loads((EVENTS / "label-created-v1.json").read_text())
    no_rights = _user(account.client("iam"), f"nobody-{os.urandom(4).hex()}", ("sqs:ReceiveMessage", "*"))
    for keys in ((account.relay[0], "wrong"), no_rights):
        with relay(account, program, tmp_path, keys) as runtime:
            assert invoke(runtime, event) == (503, {"error": "try_again"})
    assert account.received("label") == []
