"""All that comes out of a deployed relay, each part with its place, but for what belongs where it is."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from canaried import Sent
from pieces import Output

from dev.stack import QUEUES, Message, Stack

_TOLD = ("event", "entity_id", "project_id", "delivery_id", "webhook", "occurred_at")
"""Attributes and fields with values from the body or from headers: see README.md and docs/configuration.md."""


class Outlets:
    """A stack, and what was sent to it."""

    def __init__(self, stack: Stack, sent: Iterable[Sent]) -> None:
        self._stack = stack
        self._sent = list(sent)
        accepted = [sent for sent in self._sent if sent.status == 200]
        self._by_id = {sent.dedup_id(""): sent for sent in accepted}
        self._runs = [sent for sent in accepted if sent.request.path == "/training/model_run"]
        for line in stack.logs():
            if '"dedup_id"' in line:
                self._identify_run(json.loads(line))
        self._webhooks = {sent.told.get("webhook") for sent in self._sent}
        self.at_home: set[str] = set()
        """What was sent of which the body was where it belongs."""

    def logs(self) -> Iterator[Output]:
        """Every line of every stream of the stack's groups, whoever wrote it."""
        logs = self._stack.emulator.client("logs")
        for page in logs.get_paginator("describe_log_groups").paginate():
            for group in (each for each in page["logGroups"] if self._stack.name in each["logGroupName"]):
                pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
                for event in (event for page in pages for event in page["events"]):
                    yield Output("a log stream's name", event["logStreamName"].encode())
                    yield Output("the log", self._line(event["message"].rstrip("\n")))

    def record(self, since: int) -> Iterator[Output]:
        """What the emulator itself wrote down after so many bytes: all that functions say on either output."""
        for line in _record(self._stack).read_bytes()[since:].decode(errors="replace").splitlines():
            yield Output("the emulator's record", self._line(line))

    def metrics(self) -> Iterator[Output]:
        """The names and dimensions that CloudWatch knows, and those of the function's log lines."""
        listed = self._stack.emulator.client("cloudwatch").list_metrics()["Metrics"]
        of_lines = {(each.namespace, each.name, each.unit, each.dimensions) for each in self._stack.metrics()}
        for metric in (*listed, *sorted(of_lines)):
            yield Output("a metric", json.dumps(metric, default=str).encode())

    def queues(self) -> Iterator[Output]:
        """Every message of every queue, taken out of it."""
        for entity in QUEUES:
            for queue in (self._stack.queue_url(entity), self._stack.dead_letter_queue_url(entity)):
                if self._stack.count_in(queue) == 0:
                    continue
                while messages := self._stack.receive(queue, 0):
                    for message in messages:
                        self._stack.delete(queue, message)
                        yield from self._message(message)

    def bucket(self) -> Iterator[Output]:
        """Every object: its key, what is said of it, and its content."""
        s3, bucket = self._stack.emulator.client("s3"), self._stack.outputs["PayloadBucketName"]
        for key in self._stack.objects():
            yield Output("a key in the bucket", key.encode())
            answer = s3.get_object(Bucket=bucket, Key=key)
            content = answer.pop("Body").read()
            tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
            yield Output("an object's metadata", json.dumps([answer, tags], default=str).encode())
            if key.startswith("spill/"):
                yield from self._record(key, json.loads(content))
            else:
                yield from self._at_home("a payload", content, self._by_id.get(key.split("/")[1]))

    def settings(self) -> Iterator[Output]:
        """What anybody sees who may look at the stack and its function."""
        described = self._stack.emulator.client("cloudformation").describe_stacks(StackName=self._stack.name)["Stacks"]
        for what in (described, self._stack.function):
            yield Output("the stack's description", json.dumps(what, default=str).encode())

    def _line(self, line: str) -> bytes:
        """A line without the values that it may have, each of which must be the one of its event."""
        if not line.startswith("{"):
            return line.encode()
        fields = json.loads(line, object_pairs_hook=_each_once)
        self._identify_run(fields)
        sent = self._by_id.get(fields.get("dedup_id", ""))
        may = sent.told if sent else {}
        kept = {name: value for name, value in fields.items() if name not in _TOLD or value != may.get(name)}
        if not sent and "webhook" in kept and kept["webhook"] in self._webhooks:
            kept.pop("webhook")  # the name in the address
        return json.dumps(kept, ensure_ascii=False).encode()

    def _identify_run(self, line: Mapping[str, Any]) -> None:
        """The invocation's id is part of a training run's `dedup_id`, and only the line says it."""
        self._by_id |= {run.dedup_id(line["request_id"]): run for run in self._runs if "dedup_id" in line}

    def _message(self, message: Message) -> Iterator[Output]:
        sent = self._by_id.get(message.attributes.get("dedup_id", ""))
        if "ExtendedPayloadSize" in message.attributes:
            yield Output("a pointer", message.body)
        else:
            yield from self._at_home("a message", message.body, sent)
        yield from self._attributes(message.attributes, sent)
        yield from self._attributes(message.system, sent)

    def _record(self, key: str, record: Mapping[str, Any]) -> Iterator[Output]:
        sent = self._by_id.get(key.rpartition("/")[2].removesuffix(".json"))
        body = record["MessageBody"].encode()
        if "ExtendedPayloadSize" in record["MessageAttributes"]:
            yield Output("a spilled pointer", body)
        else:
            yield from self._at_home("a spilled message", body, sent)
        rest = {name: value for name, value in record.items() if name != "MessageBody"}
        for name in ("MessageAttributes", "MessageSystemAttributes"):
            values = {key: value["StringValue"] for key, value in rest.pop(name, {}).items()}
            yield from self._attributes(values, sent)
        yield from self._attributes(rest, sent)

    def _attributes(self, attributes: Mapping[str, str], sent: Sent | None) -> Iterator[Output]:
        for name, value in attributes.items():
            yield Output("an attribute's name", name.encode())
            may = {_group(sent)} if sent and name == "MessageGroupId" else {sent.told.get(name)} if sent else set()
            if value not in may:
                yield Output(f"the attribute {name}", value.encode())

    def _at_home(self, place: str, content: bytes, sent: Sent | None) -> Iterator[Output]:
        """A body belongs where exactly its own event is; anything else there is searched."""
        if sent and content == sent.body:
            self.at_home.add(sent.name)
        else:
            yield Output(place, content)


def record_bytes(stack: Stack) -> int:
    """How long the emulator's record is."""
    return len(_record(stack).read_bytes())


def _record(stack: Stack) -> Path:
    return stack.emulator.instance.log("emulator")


def _group(sent: Sent) -> str | None:
    entity_id = sent.told.get("entity_id", "")
    is_usable = 0 < len(entity_id) <= 128 and entity_id.isascii() and entity_id.isprintable() and " " not in entity_id
    return entity_id if is_usable else hashlib.sha256(entity_id.encode()).hexdigest()


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, in which a second value would hide the first."""
    assert len({name for name, _ in pairs}) == len(pairs), f"a field is there twice: {pairs}"
    return dict(pairs)
