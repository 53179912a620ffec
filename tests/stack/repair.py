"""A stack with nothing but the relay's queues, bucket and log group, and `relayctl` to use on it."""

import hashlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dev import environment
from dev.emulator import Emulator
from dev.stack import QUEUES, Stack

DAY = "2026/11/23"
SECONDS = 30
"""The limit of every wait."""

POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer"


@dataclass(frozen=True)
class Done:
    """The result of a run of relayctl."""

    status: int
    out: str
    err: str

    @property
    def account(self) -> dict[str, Any]:
        account: dict[str, Any] = json.loads(self.out)
        return account

    @property
    def warnings(self) -> str:
        """Standard error without the line that names the target of a change."""
        lines = self.err.splitlines(keepends=True)
        return "".join(lines[1:] if lines and lines[0].startswith("relayctl: account ") else lines)

    @property
    def kept(self) -> dict[str, str]:
        """Each message that was kept, with the reason."""
        return {kept["message"]: kept["reason"] for kept in self.account["kept"]}


@dataclass(frozen=True)
class Site:
    """The stack, and the path of relayctl."""

    stack: Stack
    program: Path

    @property
    def bucket(self) -> str:
        return self.stack.outputs["PayloadBucketName"]

    def client(self, service: str) -> Any:
        return self.stack.emulator.client(service)

    def start(
        self, *arguments: str, output: int | IO[str] = subprocess.PIPE, **variables: str
    ) -> "subprocess.Popen[str]":
        """Starts relayctl, which can reach only the emulator."""
        emulator = self.stack.emulator
        settings = environment.for_emulator(emulator.instance, emulator.endpoint)
        return subprocess.Popen(
            [str(self.program), *arguments],
            env={**settings, "RELAY_STACK": self.stack.name, **variables},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, given: str = "", **variables: str) -> Done:
        """Runs relayctl with `given` as its standard input."""
        return end(self.start(*arguments, output=subprocess.PIPE, **variables), given)

    # ---- the bucket

    def put(self, key: str, content: bytes) -> str:
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)
        return key

    def spill(self, event: str, entity: str = "label", **changes: Any) -> str:
        """Spills a message as the function does, with some of its fields changed."""
        record = {**spilled(event, entity, self.stack.is_fifo), **changes}
        return self.put(key_of(event, entity), json.dumps(record).encode())

    def objects(self) -> set[str]:
        """Returns the keys of the spilled messages."""
        return set(self.stack.objects("spill/"))

    # ---- the queues

    def send(self, event: str, entity: str = "label", **changes: Any) -> str:
        """Sends a message as the function does. Returns its id."""
        message = {**spilled(event, entity, self.stack.is_fifo), **changes}
        answer = self.client("sqs").send_message(QueueUrl=self.stack.queue_url(entity), **message)
        return str(answer["MessageId"])

    def let_die(self, entity: str = "label") -> None:
        """Receives every message until it is in the dead-letter queue."""
        sqs, queue = self.client("sqs"), self.stack.queue_url(entity)
        while sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages"):
            pass

    def messages(self, entity: str = "label") -> list[dict[str, Any]]:
        """Receives and deletes all messages of a queue, in order."""
        return self._take(self.stack.queue_url(entity))

    def dead_letters(self, entity: str = "label") -> list[dict[str, Any]]:
        """Receives and deletes all visible messages of a dead-letter queue, in order."""
        return self._take(self.stack.dead_letter_queue_url(entity))

    def _take(self, queue: str) -> list[dict[str, Any]]:
        sqs, taken = self.client("sqs"), []
        question = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
        while messages := sqs.receive_message(QueueUrl=queue, **question).get("Messages"):
            taken += messages
            for message in messages:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return taken


class Run:
    """A run of relayctl that continues until it is ended."""

    def __init__(self, site: Site, *arguments: str, **variables: str) -> None:
        self._run = site.start(*arguments, output=subprocess.PIPE, **variables)
        self.lines: list[str] = []
        self.errors: list[str] = []
        streams = (self._run.stdout, self.lines), (self._run.stderr, self.errors)
        self._threads = [threading.Thread(target=_read, args=arguments, daemon=True) for arguments in streams]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> list[str]:
        """Waits for so many lines."""
        wait_for(lambda: len(self.lines) >= count or self._run.poll() is not None)
        assert len(self.lines) >= count, self.errors
        return list(self.lines)

    def wait_for_note(self, text: str) -> None:
        """Waits for a line on standard error."""
        wait_for(lambda: any(text in line for line in self.errors) or self._run.poll() is not None)
        assert self._run.poll() is None, self.errors

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        self._run.send_signal(number)

    def end(self, number: signal.Signals | None = signal.SIGINT) -> Done:
        """Sends a signal, or waits until relayctl exits by itself."""
        if number is not None:
            self.interrupt(number)
        status = self._run.wait(SECONDS)
        for thread in self._threads:
            thread.join(SECONDS)
        return Done(status, "".join(self.lines), "".join(self.errors))


def _read(stream: Iterable[str], lines: list[str]) -> None:
    for line in stream:
        lines.append(line)


def wait_for(find: Callable[[], Any]) -> Any:
    """Waits for a true value, and returns it."""
    deadline = time.monotonic() + SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def end(tool: "subprocess.Popen[str]", given: str = "") -> Done:
    """Waits until relayctl exits."""
    out, err = tool.communicate(given, timeout=120)
    return Done(tool.returncode, out, err)


def make_site(
    emulator: Emulator, program: Path, name: str, queue_type: str, receives: int = 1, url: str | None = None
) -> Site:
    """Creates a stack with the outputs of the contract. Messages are dead-lettered after so many `receives`.

    With a URL, the stack has a secret, and its relay is there.
    """
    template = _template(queue_type, receives)
    if url is not None:
        properties = {"SecretString": "a-secret-of-enough-letters"}
        template["Resources"]["Secret"] = {"Type": "AWS::SecretsManager::Secret", "Properties": properties}
        paths = {"WebhookUrl": "/webhooks/labelbox", "TrainingUrl": "/training", "HealthUrl": "/health"}
        template["Outputs"] |= {output: {"Value": url + path} for output, path in paths.items()}
        template["Outputs"]["SecretArn"] = {"Value": {"Ref": "Secret"}}
    cloudformation = emulator.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})
    return Site(Stack.find(emulator, name), program)


def dedup_id(event: str) -> str:
    return hashlib.sha256(event.encode()).hexdigest()


def key_of(event: str, entity: str = "label") -> str:
    return f"spill/{entity}/{DAY}/{dedup_id(event)}.json"


def body_of(event: str) -> str:
    return json.dumps({"id": f"id of {event}", "text": "ünïcode\u2028\n"}, ensure_ascii=False)


def spilled(event: str, entity: str, is_fifo: bool) -> dict[str, Any]:
    """Returns a spilled message: the input of SendMessage without the queue."""
    record = {
        "MessageBody": body_of(event),
        "MessageAttributes": attributes(
            event="LABEL_UPDATED", entity=entity, entity_id=event, dedup_id=dedup_id(event)
        ),
        "MessageSystemAttributes": attributes(AWSTraceHeader=f"Root=1-5759e988-{event}"),
    }
    of_fifo = {"MessageGroupId": event, "MessageDeduplicationId": dedup_id(event)}
    return {**record, **of_fifo} if is_fifo else record


def attributes(**texts: str) -> dict[str, dict[str, Any]]:
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


def _template(queue_type: str, receives: int) -> dict[str, Any]:
    kind = {"FifoQueue": True, "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    kind = kind if queue_type == "fifo" else {}
    resources: dict[str, Any] = {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "FunctionLogGroup": {"Type": "AWS::Logs::LogGroup"},
    }
    outputs = {"PayloadBucketName": {"Value": {"Ref": "Bucket"}}}
    for name in QUEUES.values():
        dead, dies = (
            f"{name}DeadLetterQueue",
            {"deadLetterTargetArn": {"Fn::GetAtt": [f"{name}DeadLetterQueue", "Arn"]}},
        )
        resources[dead] = {"Type": "AWS::SQS::Queue", "Properties": kind}
        resources[f"{name}Queue"] = {
            "Type": "AWS::SQS::Queue",
            "Properties": {**kind, "RedrivePolicy": {**dies, "maxReceiveCount": receives}},
        }
        outputs[f"{dead}Url"] = {"Value": {"Ref": dead}}
        outputs[f"{name}QueueUrl"] = {"Value": {"Ref": f"{name}Queue"}}
    return {"Resources": resources, "Outputs": outputs}
