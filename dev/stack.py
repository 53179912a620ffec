"""A deployed stack in use: requests in, messages out, and the secret between them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import urllib3

from dev.metrics import Metric, emitted, total

QUEUES = {"label": "Label", "workflow": "Workflow", "review": "Review", "model_run": "ModelRun", "unrouted": "Unrouted"}
"""Each entity, and what its queue's outputs are called."""

Headers = Iterable[tuple[str, str]]


class Cloud(Protocol):
    """AWS, or what emulates it."""

    def client(self, service: str) -> Any:
        """A client of one of its services."""

    def api(self, webhook_url: str) -> str:
        """Where requests to a deployed API go, from the URL in its outputs."""


@dataclass(frozen=True)
class Message:
    """What a consumer gets."""

    id: str
    body: bytes
    attributes: dict[str, str]
    system: dict[str, str]
    receipt: str = ""
    """What SQS wants to be told when it is to be deleted."""


@dataclass(frozen=True)
class Stack:
    """The relay as it is deployed."""

    emulator: Any
    """A `Cloud`; the tests that need more of it know that it is an `Emulator`."""
    name: str
    outputs: dict[str, str]
    _http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=30))

    @classmethod
    def find(cls, emulator: Cloud, name: str) -> "Stack":
        described = emulator.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        return cls(emulator, name, {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]})

    @property
    def api(self) -> str:
        """The API's address."""
        return str(self.emulator.api(self.outputs["WebhookUrl"]))

    @property
    def is_fifo(self) -> bool:
        return self.queue_url("label").endswith(".fifo")

    def send(
        self, method: str, path: str, headers: Headers = (), body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse:
        """One HTTP request to the deployed API. A header may be there twice."""
        given = urllib3.HTTPHeaderDict()
        for name, value in headers:
            given.add(name, value)
        return self._http.request(method, self.api + path, headers=given, body=body, redirect=False)

    def put_secret(self, secret: str | dict[str, Any]) -> None:
        """Changes the secret: plain text, or an object from webhook name to secrets."""
        text = secret if isinstance(secret, str) else json.dumps(secret)
        self.emulator.client("secretsmanager").put_secret_value(SecretId=self.outputs["SecretArn"], SecretString=text)

    def queue_url(self, entity: str) -> str:
        return self.outputs[f"{QUEUES[entity]}QueueUrl"]

    def dead_letter_queue_url(self, entity: str) -> str:
        return self.outputs[f"{QUEUES[entity]}DeadLetterQueueUrl"]

    def take(self, entity: str, seconds: int = 2) -> list[Message]:
        """Takes up to ten messages from a queue for good, and waits for the first one for `seconds`."""
        queue = self.queue_url(entity)
        messages = self.receive(queue, seconds)
        for message in messages:
            self.delete(queue, message)
        return messages

    def receive(self, queue: str, seconds: int) -> list[Message]:
        """Up to ten messages, which come again if they are not deleted."""
        answer = self.emulator.client("sqs").receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=seconds,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return [_read(message) for message in answer.get("Messages", [])]

    def delete(self, queue: str, message: Message) -> None:
        """Tells the queue that a message has been processed."""
        self.emulator.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message.receipt)

    def put_back(self, queue: str, message: Message) -> None:
        """Tells the queue that a message has failed and is to come again at once."""
        self.emulator.client("sqs").change_message_visibility(
            QueueUrl=queue, ReceiptHandle=message.receipt, VisibilityTimeout=0
        )

    def payload(self, message: Message) -> bytes | None:
        """The object that a message points to; `None` when the message has the body itself."""
        key = self.payload_key(message)
        if key is None:
            return None
        answer = self.emulator.client("s3").get_object(Bucket=self.outputs["PayloadBucketName"], Key=key)
        return bytes(answer["Body"].read())

    def payload_key(self, message: Message) -> str | None:
        """The key of the object that a message points to, if it does."""
        if "ExtendedPayloadSize" not in message.attributes:
            return None
        _, place = json.loads(message.body)
        assert place["s3BucketName"] == self.outputs["PayloadBucketName"]
        return str(place["s3Key"])

    def objects(self, prefix: str = "") -> list[str]:
        """The keys in the payload bucket that begin with `prefix`."""
        pages = self.emulator.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.outputs["PayloadBucketName"], Prefix=prefix)
        return [each["Key"] for page in found for each in page.get("Contents", [])]

    def delete_object(self, key: str) -> None:
        """Deletes from the payload bucket."""
        self.emulator.client("s3").delete_object(Bucket=self.outputs["PayloadBucketName"], Key=key)

    def count(self) -> dict[str, int]:
        """How many messages each queue holds, those included that a consumer has not deleted yet."""
        return {entity: self.count_in(self.queue_url(entity)) for entity in QUEUES}

    def count_in(self, queue: str) -> int:
        """The same of one queue, by its URL."""
        sqs = self.emulator.client("sqs")
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        held = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(held[name]) for name in names)

    def purge(self) -> None:
        """Empties all queues. A FIFO queue still knows for five minutes what it has seen."""
        for entity in QUEUES:
            for queue in (self.queue_url(entity), self.dead_letter_queue_url(entity)):
                self.emulator.client("sqs").purge_queue(QueueUrl=queue)

    @property
    def function(self) -> dict[str, Any]:
        """How the version of the function that answers requests is configured."""
        name = self.outputs["FunctionName"]
        return self.emulator.client("lambda").get_function_configuration(FunctionName=name, Qualifier="live")

    @property
    def settings(self) -> dict[str, str]:
        """The function's variables."""
        return self.function["Environment"]["Variables"]

    @property
    def log_group(self) -> str:
        """Where the function's log lines go."""
        return self.function["LoggingConfig"]["LogGroup"]

    def metrics(self, since: float = 0) -> list[Metric]:
        """What CloudWatch makes of the function's log, from `since` on (Unix time); an emulator makes nothing of it."""
        return emitted(self.logs(since))

    def counted(self, metric: str, since: float = 0, **dimensions: str) -> float:
        """The sum of a metric with exactly these dimensions, from `since` on (Unix time)."""
        return total(self.metrics(since), metric, **dimensions)

    def logs(self, since: float = 0) -> list[str]:
        """What the function has written from `since` on (Unix time), oldest first."""
        paginator = self.emulator.client("logs").get_paginator("filter_log_events")
        pages = paginator.paginate(logGroupName=self.log_group, startTime=int(since * 1000))
        return [event["message"].rstrip("\n") for page in pages for event in page["events"]]


def _read(message: dict[str, Any]) -> Message:
    attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
    return Message(
        message["MessageId"],
        message["Body"].encode(),
        attributes,
        message.get("Attributes", {}),
        message["ReceiptHandle"],
    )
