"""A deployed stack: sends requests to it, receives its messages, and reads its logs and objects."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import urllib3

from dev.metrics import Metric, emitted, total
from dev.samples import Request

QUEUES = {"label": "Label", "workflow": "Workflow", "review": "Review", "model_run": "ModelRun", "unrouted": "Unrouted"}
"""Each entity, and the prefix of its queue's outputs."""

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Message:
    """A message as a consumer receives it."""

    id: str
    body: bytes
    attributes: dict[str, str]
    system: dict[str, str]
    receipt: str


@dataclass(frozen=True)
class Stack:
    emulator: Any
    """The `Emulator`, or an account of AWS with a method `client`, too."""
    name: str
    outputs: dict[str, str]
    _http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=30))

    @classmethod
    def find(cls, emulator: Any, name: str) -> "Stack":
        described = emulator.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        return cls(emulator, name, {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]})

    @property
    def api(self) -> str:
        return self.outputs["WebhookUrl"].removesuffix("/webhooks/labelbox")

    @property
    def archive_days(self) -> int:
        [stack] = self.emulator.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        values = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
        return int(values.get("ArchiveDays", 0))

    @property
    def is_fifo(self) -> bool:
        return self.queue_url("label").endswith(".fifo")

    def send(
        self, method: str, path: str, headers: Headers = (), body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Sends an HTTP request to the deployed API. A header may be repeated."""
        given = urllib3.HTTPHeaderDict()
        for name, value in headers:
            given.add(name, value)
        return self._http.request(method, self.api + path, headers=given, body=body, redirect=False)

    def answer(self, request: Request) -> tuple[int, Any]:
        """Sends a request. Returns the status, and the JSON in the response."""
        response = self.send(*request)
        return response.status, json.loads(response.data)

    def put_secret(self, secret: str | dict[str, Any]) -> None:
        """Changes the secret: plain text, or an object from webhook name to secrets."""
        text = secret if isinstance(secret, str) else json.dumps(secret)
        self.emulator.client("secretsmanager").put_secret_value(SecretId=self.outputs["SecretArn"], SecretString=text)

    def queue_url(self, entity: str) -> str:
        return self.outputs[f"{QUEUES[entity]}QueueUrl"]

    def dead_letter_queue_url(self, entity: str) -> str:
        return self.outputs[f"{QUEUES[entity]}DeadLetterQueueUrl"]

    def take(self, entity: str, seconds: int = 2) -> list[Message]:
        """Receives and deletes up to ten messages, and waits for the first one for `seconds`."""
        return [_read(message) for message in take(self.emulator.client("sqs"), self.queue_url(entity), seconds)]

    def payload(self, message: Message) -> bytes | None:
        """Returns the object that a message points to; `None` if the message has the body itself."""
        key = self.payload_key(message)
        return None if key is None else self.read_object(key)

    def payload_key(self, message: Message) -> str | None:
        """Returns the key of the object that a message points to, if it does."""
        if "ExtendedPayloadSize" not in message.attributes:
            return None
        _, place = json.loads(message.body)
        assert place["s3BucketName"] == self.outputs["PayloadBucketName"]
        return str(place["s3Key"])

    def objects(self, prefix: str = "") -> list[str]:
        """Returns the keys in the payload bucket that begin with `prefix`."""
        pages = self.emulator.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.outputs["PayloadBucketName"], Prefix=prefix)
        return [each["Key"] for page in found for each in page.get("Contents", [])]

    def read_object(self, key: str) -> bytes:
        answer = self.emulator.client("s3").get_object(Bucket=self.outputs["PayloadBucketName"], Key=key)
        return bytes(answer["Body"].read())

    def head_object(self, key: str) -> dict[str, Any]:
        head: dict[str, Any] = self.emulator.client("s3").head_object(Bucket=self.outputs["PayloadBucketName"], Key=key)
        return head

    def delete_object(self, key: str) -> None:
        self.emulator.client("s3").delete_object(Bucket=self.outputs["PayloadBucketName"], Key=key)

    def delete_bucket(self) -> None:
        """Deletes the payload bucket with its content."""
        for key in self.objects():
            self.delete_object(key)
        self.emulator.client("s3").delete_bucket(Bucket=self.outputs["PayloadBucketName"])

    def count(self) -> dict[str, int]:
        """Counts the messages in each queue, including those in flight."""
        return {entity: self.count_in(self.queue_url(entity)) for entity in QUEUES}

    def count_in(self, queue: str) -> int:
        names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]
        held = self.emulator.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(held[name]) for name in names)

    def purge(self) -> None:
        """Empties all queues. FIFO queues still drop repetitions for five minutes."""
        for entity in QUEUES:
            for queue in (self.queue_url(entity), self.dead_letter_queue_url(entity)):
                self.emulator.client("sqs").purge_queue(QueueUrl=queue)

    def resources(self, kind: str | None = None) -> dict[str, str]:
        """Returns the logical id of each resource of a type, or of any, by its physical id."""
        described = self.emulator.client("cloudformation").describe_stack_resources(StackName=self.name)
        resources = [each for each in described["StackResources"] if kind in (None, each["ResourceType"])]
        return {each["PhysicalResourceId"]: each["LogicalResourceId"] for each in resources}

    def access_log_format(self) -> dict[str, str]:
        """Returns the variable of each field in the gateway's access log."""
        api = self.api.rpartition("/")[2]
        [stage] = self.emulator.client("apigatewayv2").get_stages(ApiId=api)["Items"]
        fields: dict[str, str] = json.loads(stage["AccessLogSettings"]["Format"])
        return fields

    @property
    def function(self) -> dict[str, Any]:
        client, name = self.emulator.client("lambda"), self.outputs["FunctionName"]
        found: dict[str, Any] = client.get_function_configuration(FunctionName=name, Qualifier="live")
        return found

    @property
    def role(self) -> str:
        """The name of the function's role."""
        return str(self.function["Role"].rpartition("/")[2])

    @property
    def settings(self) -> dict[str, str]:
        variables: dict[str, str] = self.function["Environment"]["Variables"]
        return variables

    @property
    def log_group(self) -> str:
        return str(self.function["LoggingConfig"]["LogGroup"])

    def metrics(self, since: float = 0) -> list[Metric]:
        """Returns the metrics in the function's log from `since` on (Unix time). The emulator ignores them."""
        return emitted(self.logs(since))

    def counted(self, metric: str, since: float = 0, **dimensions: str) -> float:
        """Returns the sum of a metric with exactly these dimensions, from `since` on (Unix time)."""
        return total(self.metrics(since), metric, **dimensions)

    def logs(self, since: float = 0) -> list[str]:
        """Returns the function's log lines from `since` on (Unix time), oldest first."""
        paginator = self.emulator.client("logs").get_paginator("filter_log_events")
        pages = paginator.paginate(logGroupName=self.log_group, startTime=int(since * 1000))
        return [event["message"].rstrip("\n") for page in pages for event in page["events"]]


def take(sqs: Any, queue: str, seconds: int = 0) -> list[dict[str, Any]]:
    """Receives and deletes up to ten messages with all attributes, and waits for the first one for `seconds`."""
    names = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=seconds, **names)
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return messages


def _read(message: dict[str, Any]) -> Message:
    attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
    body, system = message["Body"].encode(), message.get("Attributes", {})
    return Message(message["MessageId"], body, attributes, system, message["ReceiptHandle"])
