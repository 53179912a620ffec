"""Two relays at their most talkative, everything that can happen to them, and what they answered."""

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from canaried import Sent, as_event, health, label, of_sample, of_uncarriable, refused
from pieces import Output
from turned_away import door_refusals, signature_refusals
from watched import until

from dev.demonstration import MODELS
from dev.gate import Gate
from dev.large import all_kinds
from dev.samples import SECRET, load
from dev.stack import Stack

TALKATIVE = {"LogLevel": "trace", "TrainingModels": ",".join(MODELS)}
_ANSWERS = ({"error"}, {"status"}, {"status", "entity", "message_id"}, set(MODELS), {"message"})
"""What the body of an answer has; the last one is the gateway's own."""
LABELBOX = "35.223.142.181/32,34.135.127.45/32"
"""Where the sample events say that they come from."""
GUARDED = {
    "QueueType": "standard",
    "SecretTtlSeconds": "1",
    "InlineLimitKiB": "1",
    "AllowedSourceCidrs": LABELBOX,
}


@dataclass
class Talkative:
    """A deployed relay, what was sent to it, every secret that it had, and all that it answered."""

    stack: Stack
    sent: list[Sent] = field(default_factory=list)
    answers: list[Output] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    got: Counter[tuple[int, str]] = field(default_factory=Counter)
    """How often each status and word was answered."""
    wrong: list[str] = field(default_factory=list)

    def send(self, *requests: Sent) -> None:
        """Sends them one after the other, and notes which are not answered as they have to be."""
        for sent in requests:
            got = self._ask(sent)
            if got != (sent.status, sent.word):
                self.wrong.append(f"{sent.name}: {got}, not {sent.status} {sent.word}")

    def send_until(self, sent: Sent, happened: str) -> None:
        """Sends it again and again until it is answered as it has to be, and its line says so."""
        assert until(lambda: self._ask(sent) == (sent.status, sent.word) and happened in self._last_line()), sent.name

    def _ask(self, sent: Sent) -> tuple[int, str]:
        status, body = self._invoke(sent) if sent.event else self._request(sent)
        self.sent.append(sent)
        said = json.loads(body)
        if set(said) not in _ANSWERS:
            self.wrong.append(f"{sent.name}: {body!r} says more or less than the contract has")
        word = str(said.get("error") or said.get("status") or ("models" if set(said) == set(MODELS) else ""))
        self.got[status, word] += 1
        return status, word

    def _last_line(self) -> str:
        return [line for line in self.stack.logs() if line.startswith("{")][-1]

    def put_secret(self, value: str | dict[str, Any], *secrets: str) -> None:
        """Changes the secret, and remembers the secrets that are in it."""
        self.secrets += [secret for secret in secrets if secret not in self.secrets]
        self.stack.put_secret(value)

    def _request(self, sent: Sent) -> tuple[int, bytes]:
        request = sent.request
        answer = self.stack.send(request.method, request.path, request.headers, request.body)
        head = [f"{answer.version_string} {answer.status} {answer.reason}", *map(": ".join, answer.headers.items())]
        self._answered(sent, "\n".join(head).encode(), answer.data)
        return answer.status, answer.data

    def _invoke(self, sent: Sent) -> tuple[int, bytes]:
        client, name = self.stack.emulator.client("lambda"), self.stack.outputs["FunctionName"]
        answer = client.invoke(FunctionName=name, Payload=json.dumps(sent.event).encode())
        payload = answer.pop("Payload").read()
        self._answered(sent, json.dumps(answer, default=str).encode(), payload)
        said = json.loads(payload)
        return said.get("statusCode", 0), said.get("body", "").encode()

    def _answered(self, sent: Sent, head: bytes, body: bytes) -> None:
        self.answers.append(Output(f"the head of the answer to {sent.name}", head))
        self.answers.append(Output(f"the answer to {sent.name}", body))


def open_to_all(relay: Talkative) -> None:
    """All samples, what goes by way of the bucket, a rotation, and each refusal."""
    samples = load()
    [polygons] = [sample for sample in samples if sample.name == "label-updated-v1-polygons"]
    old, new, quoted = _secret(), _secret(), _secret('"\\ü')
    others = {"labelbox": SECRET, "training": SECRET, "quoted": [quoted]}
    relay.put_secret({**others, "rotating": old}, SECRET, old, quoted)
    relay.send(*map(of_sample, samples), *(of_uncarriable(each, polygons) for each in all_kinds()))
    relay.send(label("quoted", 200, "queued", quoted, "quoted"), label("before", 200, "queued", old, "rotating"))
    relay.put_secret({**others, "rotating": [new, old], "empty": ""}, new)
    relay.send(label("rotated", 200, "queued", new, "rotating"), label("after", 200, "queued", old, "rotating"))
    relay.send(health(), *signature_refusals(), *door_refusals())


def without_its_queue(relay: Talkative) -> None:
    """What spills. Whatever is in the queue is lost."""
    stack = relay.stack
    stack.emulator.client("sqs").delete_queue(QueueUrl=stack.queue_url("label"))
    relay.send(label("spilled", 200, "spilled"), label("large and spilled", 200, "spilled", size=1_100_000))


def without_its_bucket(relay: Talkative) -> None:
    """What is nowhere durable. Whatever is in the bucket is lost."""
    s3, bucket = relay.stack.emulator.client("s3"), relay.stack.outputs["PayloadBucketName"]
    for key in relay.stack.objects():
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)
    relay.send(label("nowhere", 503, "try_again"), label("large and nowhere", 503, "try_again", size=1_100_000))


def guarded(relay: Talkative, secrets_manager: Gate) -> None:
    """A start without a usable secret, the samples as events, a stranger, and each trouble with Secrets Manager."""
    client, arn = relay.stack.emulator.client("secretsmanager"), relay.stack.outputs["SecretArn"]
    relay.secrets.append(client.get_secret_value(SecretId=arn)["SecretString"])  # the one that the template generates
    broken, binary, current = _secret(), _secret(), _secret()
    events = [as_event(of_sample(sample)) for sample in load()]
    relay.put_secret('{"labelbox": "%s", "training": ["%s", 5]}' % (broken, broken), broken)
    relay.send(_failing(events[0], "a malformed secret"))
    relay.secrets.append(binary)
    client.put_secret_value(SecretId=arn, SecretBinary=binary.encode())
    relay.send(_failing(events[0], "a binary secret"))
    good = {"labelbox": [current, SECRET], "training": SECRET}
    relay.put_secret(good, current, SECRET)
    relay.send(*events, refused("a stranger", 403, "source_not_allowed"))
    relay.put_secret('{"labelbox": "%s"' % broken)
    relay.send_until(events[0], "the secret cannot be used")
    secrets_manager.close()
    try:
        relay.send_until(events[0], "gave no usable response")
    finally:
        secrets_manager.open()
    relay.put_secret(good)
    client.delete_secret(SecretId=arn)
    relay.send_until(_failing(events[0], "no secret any more"), "the secret store denied access")


def _secret(odd: str = "") -> str:
    return f"canary{odd}{uuid.uuid4().hex}"


def _failing(sent: Sent, name: str) -> Sent:
    return Sent(f"{name}: {sent.name}", sent.request, 503, "try_again", sent.event)
