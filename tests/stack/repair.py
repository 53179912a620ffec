"""A stack with all that the relay's has except the function, and `relayctl` to use on it."""

import hashlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

import terminal

from dev import environment
from dev.emulator import Emulator
from dev.stack import QUEUES, Stack, take

DAY = "2026/11/23"
SECONDS = 60
"""The limit of every wait."""

POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer"
ADDRESS = "https://relay.example"
WAITING = "relayctl: waiting for events; Ctrl-C ends\n"


@dataclass(frozen=True)
class Done:
    """The result of a run of relayctl."""

    status: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(self.out)
        return summary

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What was printed for scripts. A body may have U+2028, at which `splitlines` splits."""
        return [json.loads(line) for line in self.out.split("\n") if line]

    @property
    def warnings(self) -> str:
        """Standard error without the lines that say what a command is about and what it waits for."""
        lines = self.err.splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("relayctl: account ") and line != WAITING)

    @property
    def error(self) -> str:
        """The only line of a run that could not work."""
        assert (self.status, self.out, self.warnings.count("\n")) == (3, "", 1), self
        return self.warnings

    @property
    def kept(self) -> dict[str, str]:
        """Each message that was kept, with the reason."""
        return {kept["message"]: kept["reason"] for kept in self.summary["kept"]}


@dataclass(frozen=True)
class Site:
    """The stack, and the path of relayctl."""

    stack: Stack
    program: Path

    @property
    def bucket(self) -> str:
        return self.stack.outputs["PayloadBucketName"]

    @property
    def target(self) -> str:
        """The line that a changing command prints first."""
        return f"relayctl: account 000000000000, region us-east-1, stack {self.stack.name}\n"

    def client(self, service: str) -> Any:
        return self.stack.emulator.client(service)

    def start(
        self, *arguments: str, output: int | IO[str] = subprocess.PIPE, limits: str = "", **variables: str
    ) -> "subprocess.Popen[str]":
        """Starts relayctl, which can reach only the emulator, perhaps in a shell that has set limits."""
        shell = ["bash", "-c", f'{limits}; exec "$0" "$@"'] if limits else []
        return subprocess.Popen(
            [*shell, str(self.program), *arguments],
            env=self._environment(variables),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, given: str = "", limits: str = "", **variables: str) -> Done:
        """Runs relayctl with `given` as its standard input."""
        tool = self.start(*arguments, output=subprocess.PIPE, limits=limits, **variables)
        out, err = tool.communicate(given, timeout=120)
        return Done(tool.returncode, out, err)

    def type(
        self, dialogue: Sequence[tuple[str, str]], *arguments: str, columns: int = 200, **variables: str
    ) -> terminal.TerminalOutput:
        """Runs relayctl at a terminal, and answers its prompts."""
        return terminal.run([str(self.program), *arguments], self._environment(variables), dialogue, columns)

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        emulator = self.stack.emulator
        settings = environment.for_emulator(emulator.instance, emulator.endpoint)
        return {**settings, "RELAY_STACK": self.stack.name, **variables}

    # ---- the bucket

    def put(self, key: str, content: bytes) -> str:
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)
        return key

    def spill(self, event: str, entity: str = "label", **changes: Any) -> str:
        """Spills a message as the function does, with some of its fields changed."""
        record = {**spilled(event, entity, self.stack.is_fifo), **changes}
        return self.put(key_of(event, entity), json.dumps(record).encode())

    def pointer(self, event: str, key: str, size: int) -> dict[str, Any]:
        """The fields of a message whose body is in the bucket."""
        return pointer(self.bucket, key, size, spilled(event, "label", False)["MessageAttributes"])

    def objects(self) -> set[str]:
        """Returns the keys of the spilled messages."""
        return set(self.stack.objects("spill/"))

    # ---- the queues

    def send(self, event: str, entity: str = "label", **changes: Any) -> str:
        """Sends a message as the function does. Returns its id."""
        message = {**spilled(event, entity, self.stack.is_fifo), **changes}
        answer = self.client("sqs").send_message(QueueUrl=self.stack.queue_url(entity), **message)
        return str(answer["MessageId"])

    def dead_letter_all(self, entity: str = "label") -> None:
        """Receives every message until it is in the dead-letter queue."""
        sqs, queue = self.client("sqs"), self.stack.queue_url(entity)
        while sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages"):
            pass

    def messages(self, entity: str = "label") -> list[dict[str, Any]]:
        """Receives and deletes all messages of a queue, in order."""
        return self.take(self.stack.queue_url(entity))

    def dead_letters(self, entity: str = "label") -> list[dict[str, Any]]:
        """Receives and deletes all visible messages of a dead-letter queue, in order."""
        return self.take(self.stack.dead_letter_queue_url(entity))

    def take(self, queue: str) -> list[dict[str, Any]]:
        taken = []
        while messages := take(self.client("sqs"), queue):
            taken += messages
        return taken

    # ---- the log and the secret

    def log(self, *lines: str | dict[str, Any], group: str = "", stream: str = "one", ago: float = 0) -> None:
        """Writes to the function's log, as if it were so many seconds ago."""
        logs, names = self.client("logs"), {"logGroupName": group or f"/{self.stack.name}", "logStreamName": stream}
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(**names)
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        moment = int((time.time() - ago) * 1000)
        logs.put_log_events(**names, logEvents=[{"timestamp": moment, "message": text + "\n"} for text in texts])

    @property
    def secret(self) -> str:
        """The current value."""
        client, arn = self.client("secretsmanager"), self.stack.outputs["SecretArn"]
        return str(client.get_secret_value(SecretId=arn)["SecretString"])


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

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Waits for a condition, and fails if relayctl exits before."""
        wait_for(lambda: condition() or self._run.poll() is not None)
        assert condition(), self.errors

    def wait_for(self, count: int) -> list[str]:
        """Waits for so many lines."""
        self.wait_until(lambda: len(self.lines) >= count)
        return list(self.lines)

    def wait_for_note(self, text: str) -> None:
        """Waits for a line on standard error."""
        self.wait_until(lambda: any(text in line for line in self.errors))

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

    def peak(self) -> int:
        """Waits until relayctl exits. Returns the most memory that it had, in KiB."""
        status, peak = Path(f"/proc/{self._run.pid}/status"), 0
        # An ended process that nobody has waited for has no such line.
        while found := [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]:
            peak = int(found[0].split()[1])
            time.sleep(0.01)
        return peak


def _read(stream: Iterable[str], lines: list[str]) -> None:
    for line in stream:
        lines.append(line)


def wait_for(find: Callable[[], Any]) -> Any:
    """Waits for a true value, and returns it."""
    deadline = time.monotonic() + SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline, f"not within {SECONDS} s"
        time.sleep(0.05)
    return found


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler, bytes], tuple[int, bytes]], port: int = 0) -> Iterator[str]:
    """A server that answers each request, of any method, with a status and a body."""

    class Handler(BaseHTTPRequestHandler):
        def __getattr__(self, name: str) -> Callable[[], None]:
            if not name.startswith("do_"):
                raise AttributeError(name)
            return self._respond

        def _respond(self) -> None:
            status, body = answer(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def make_site(
    emulator: Emulator,
    program: Path,
    name: str,
    queue_type: str = "standard",
    receives: int = 5,
    url: str = ADDRESS,
    log_level: str = "info",
) -> Site:
    """Creates a stack with outputs of the contract, whose relay is at a URL.

    Messages are dead-lettered after so many `receives`.
    """
    cloudformation = emulator.client("cloudformation")
    template = json.dumps(_template(name, queue_type, receives, url, log_level))
    cloudformation.create_stack(StackName=name, TemplateBody=template)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})
    return Site(Stack.find(emulator, name), program)


def dedup_id(event: str) -> str:
    return hashlib.sha256(event.encode()).hexdigest()


def key_of(event: str, entity: str = "label") -> str:
    return f"spill/{entity}/{DAY}/{dedup_id(event)}.json"


def names(count: int) -> list[str]:
    return [f"event{number:03}" for number in range(count)]


def body_of(event: str) -> str:
    return json.dumps({"id": f"id of {event}", "text": "ünïcode\u2028\n"}, ensure_ascii=False)


def event_of(message: dict[str, Any]) -> str:
    """What a message is about."""
    return str(message["MessageAttributes"]["entity_id"]["StringValue"])


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


def pointer(bucket: str, key: str, size: int, attributes: dict[str, Any]) -> dict[str, Any]:
    """Returns a message whose body is an object: the part of the input of SendMessage that says so."""
    body = json.dumps([POINTER, {"s3BucketName": bucket, "s3Key": key}], separators=(",", ":"))
    of_size = {"ExtendedPayloadSize": {"DataType": "Number", "StringValue": str(size)}}
    return {"MessageBody": body, "MessageAttributes": attributes | of_size}


def attributes(**texts: str) -> dict[str, dict[str, Any]]:
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


def _template(name: str, queue_type: str, receives: int, url: str, log_level: str) -> dict[str, Any]:
    kind = {"FifoQueue": True, "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    kind = kind if queue_type == "fifo" else {}
    secret = {"SecretString": "a-secret-of-enough-letters"}
    resources: dict[str, Any] = {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "FunctionLogGroup": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{name}"}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": secret},
    }
    outputs: dict[str, Any] = {"PayloadBucketName": {"Ref": "Bucket"}, "SecretArn": {"Ref": "Secret"}}
    outputs |= {
        "WebhookUrl": f"{url}/webhooks/labelbox",
        "TrainingUrl": f"{url}/training",
        "HealthUrl": f"{url}/health",
    }
    for prefix in QUEUES.values():
        dead = f"{prefix}DeadLetterQueue"
        policy = {"deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]}, "maxReceiveCount": receives}
        properties = {dead: kind, f"{prefix}Queue": {**kind, "RedrivePolicy": policy}}
        resources |= {queue: {"Type": "AWS::SQS::Queue", "Properties": of} for queue, of in properties.items()}
        outputs |= {f"{queue}Url": {"Ref": queue} for queue in properties}
    return {
        "Parameters": {
            "SecretTtlSeconds": {"Type": "Number", "Default": 77},
            "LogLevel": {"Type": "String", "Default": log_level},
        },
        "Resources": resources,
        "Outputs": {output: {"Value": value} for output, value in outputs.items()},
    }
