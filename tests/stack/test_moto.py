"""The function with moto in place of MiniStack: another implementation of AWS, which checks signatures and policies."""

import json
import re
import shlex
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import urllib3
from conftest import SECRETS
from sqs_extended_client.client import SQSExtendedClientSession

from dev.build import zipped
from dev.emulator import Emulator
from dev.environment import REGION
from dev.paths import EVENTS, PROGRAM
from dev.samples import event, label, load
from dev.stack import QUEUES, take

pytestmark = pytest.mark.extended

BUCKET = "payloads-of-moto"
MODELS = ["bounding_box"]

Keys = tuple[str, str]
Invoke = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]
Make = Callable[..., Invoke]


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
        return take(self.client("sqs"), self.queues[entity])


@pytest.fixture(scope="module", params=["fifo", "standard"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    from moto.server import ThreadedMotoServer  # a slow import

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
    for entity in QUEUES:
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


@pytest.fixture
def make(account: Account, running: Emulator, tmp_path: Path) -> Make:
    """Makes a function with these credentials of moto's, which the emulator runs, and moto serves."""
    client = running.client("lambda")

    def make(keys: Keys, **settings: str) -> Invoke:
        name = f"relay-{uuid.uuid4()}"
        variables = {
            "AWS_ACCESS_KEY_ID": keys[0],
            "AWS_SECRET_ACCESS_KEY": keys[1],
            "AWS_ENDPOINT_URL": account.endpoint,
            "QUEUE_TYPE": account.queue_type,
            "SECRET_ARN": account.secret_arn,
            "PAYLOAD_BUCKET": BUCKET,
            "TRAINING_MODELS": ",".join(MODELS),
            **{f"{entity.upper()}_QUEUE_URL": url for entity, url in account.queues.items()},
            **settings,
        }
        # The emulator's own endpoints and credentials would replace those of the function's variables.
        replaced = ("-u", "AWS_SESSION_TOKEN", "-u", "AWS_ENDPOINT_URL_SECRETS_MANAGER")
        words = ["env", *replaced, *(f"{key}={value}" for key, value in variables.items())]
        (tmp_path / name).write_text(f"#!/bin/sh\nexec {shlex.join(words)} {running.instance.build / PROGRAM}\n")
        function = {"FunctionName": name, "Role": "arn:aws:iam::000000000000:role/relay", "Handler": "bootstrap"}
        code = {"ZipFile": zipped(tmp_path / name)}
        client.create_function(**function, Runtime="provided.al2023", Timeout=15, Code=code)

        def invoke(event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            response = json.loads(client.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read())
            return response["statusCode"], json.loads(response["body"])

        return invoke

    return make


def recorded(sample: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{sample}.json").read_text())
    return event


def test_every_sample_arrives_with_its_attributes(account: Account, make: Make) -> None:
    invoke = make(account.relay)
    for sample in load():
        status, said = invoke(recorded(sample.name))
        assert status == 200, (sample.name, said)
        if sample.expect["queue"] is None:
            assert said == {name: {} for name in MODELS}
            continue
        [message] = account.received(sample.expect["queue"])
        assert (said["message_id"], message["Body"].encode()) == (message["MessageId"], sample.request.body)
        attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        assert {name: attributes.get(name) for name in sample.attributes} == sample.attributes, sample.name
        group = message["Attributes"].get("MessageGroupId")
        assert (group is not None) == (account.queue_type == "fifo"), sample.name
        if sample.attributes.get("entity_id") and group is not None:
            assert group == attributes["entity_id"], sample.name


def test_aws_reads_the_pointer_to_a_large_label(account: Account, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    body = label(4_300_000)
    headers = {name.lower(): value for name, value in event(body).headers}
    sent = recorded("label-created-v1") | {"headers": headers, "body": body.decode()}
    status, said = make(account.relay)(sent)
    assert (status, said["status"]) == (200, "queued")
    variables = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    for name, value in zip(variables, (*account.administrator, account.endpoint), strict=True):
        monkeypatch.setenv(name, value)
    sqs = SQSExtendedClientSession().client("sqs")  # type: ignore[no-untyped-call]
    [message] = sqs.receive_message(QueueUrl=account.queues["label"], MessageAttributeNames=["All"])["Messages"]
    assert message["Body"].encode() == body


def test_an_event_whose_queue_is_gone_is_spilled(account: Account, make: Make) -> None:
    gone = re.sub(r"/label\b", "/gone", account.queues["label"])
    status, said = make(account.relay, LABEL_QUEUE_URL=gone)(recorded("label-created-v1"))
    assert (status, said["status"]) == (200, "spilled")
    stored = account.client("s3").get_object(Bucket=BUCKET, Key=said["message_id"])["Body"].read()
    assert json.loads(stored)["MessageBody"].encode() == (EVENTS / "label-created-v1.payload.json").read_bytes()


def test_moto_refuses_a_wrong_key_and_missing_permissions(account: Account, make: Make) -> None:
    """So that the tests above show that signatures and permissions are right."""
    no_rights = _user(account.client("iam"), f"nobody-{uuid.uuid4()}", ("sqs:ReceiveMessage", "*"))
    for keys in ((account.relay[0], "wrong"), no_rights):
        assert make(keys)(recorded("label-created-v1")) == (503, {"error": "try_again"})
    assert account.received("label") == []
