"""The claims about AWS, each with a function that returns what AWS did, or raises `Wrong` or `NotShown`."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from dev import demonstration
from dev.accept import measurements
from dev.accept.relay import Relay, Wrong
from dev.load import DURABLE, Load, received
from dev.samples import REJECTIONS, event, label, load, offloaded
from dev.stack import QUEUES, Message

_MB = 1_000_000
_MINUTES = 60
_T = TypeVar("_T")


def deployed(relay: Relay) -> str:
    started = time.monotonic()
    relay.deploy(TrainingModels=",".join(demonstration.MODELS), LogLevel="info", AlarmEmail=relay.email)
    return f"{time.monotonic() - started:.0f} s to create the stack"


def samples(relay: Relay) -> str:
    rows = [demonstration.check_sample(relay.stack, sample) for sample in load()]
    rows += [demonstration.check_pointer(relay.stack, each) for each in offloaded()]
    rows += [demonstration.check_rejection(relay.stack, each) for each in REJECTIONS]
    wrong = [f"{row.cells[0]}: {', '.join(row.errors)}" for row in rows if row.errors]
    if wrong:
        raise Wrong("; ".join(wrong))
    return f"{len(rows)} requests, all as expected, in {len(QUEUES)} queues"


def setting(relay: Relay) -> str:
    found = _change(relay, LogLevel="debug")
    if relay.stack.settings["LOG_LEVEL"] != "debug":
        raise Wrong("requests do not reach the changed setting")
    return found


def code_and_setting(relay: Relay) -> str:
    before = relay.stack.function["CodeSha256"]
    with relay.changed_code():
        found = _change(relay, LogLevel="info")
    if relay.stack.function["CodeSha256"] == before or relay.stack.settings["LOG_LEVEL"] != "info":
        raise Wrong("requests do not reach the changed code and setting")
    return found


def queue_type(relay: Relay) -> str:
    there = _change(relay, QueueType="standard")
    back = _change(relay, QueueType="fifo")
    return f"to standard: {there}; back to fifo: {back}"


def key(relay: Relay) -> str:
    first, second = relay.create_key(), relay.create_key()
    steps = {"set": first, "changed": second, "emptied": ""}
    return "; ".join(f"{word}: {_change(relay, KmsKeyArn=arn)}" for word, arn in steps.items())


def body_sizes(relay: Relay) -> str:
    """What the gateway answers near its own limit and Lambda's, and whether it logs that."""
    bodies = {f"{size / _MB} MB": label(size) for size in (5_900_000, 6_100_000, 9_900_000, 10_100_000)}
    bodies["invalid UTF-8"] = b'{"id":"\xff\xfe"}'
    found, since = [], time.time()
    for name, body in bodies.items():
        answer = relay.stack.send(*event(body, delivery_id=uuid.uuid4().hex))
        found.append(f"{name}: {answer.status} `{answer.data[:80].decode(errors='replace')}`")
    log = f"/aws/vendedlogs/{relay.name}-access"
    _until(relay, lambda: len(_logged(relay, log, since)), len(bodies), minutes=1)
    statuses = [str(json.loads(line)["status"]) for line in _logged(relay, log, since)]
    return relay.only_aws("; ".join([*found, f"access log: {', '.join(statuses) or 'nothing'}"]))


def duplicate(relay: Relay) -> str:
    """SQS confirms a duplicate with MD5s; the relay spills what it cannot confirm."""
    body = _label()
    answers = [_send(relay, body)[1] for _ in range(2)]
    if any(answer.get("status") != "queued" for answer in answers):
        raise Wrong(f"the answers are {answers}")
    messages = _take(relay, body)
    if len(messages) != 1:
        raise Wrong(f"{len(messages)} messages")
    same = answers[0]["message_id"] == answers[1]["message_id"]
    return f"one message; both answers `queued`, with {'the same' if same else 'another'} message id"


def missing_right(relay: Relay) -> str:
    """Without the right to a queue its events spill, and arrive after the right is back."""
    iam, role = relay.client("iam"), relay.stack.role
    documents = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in _policies(relay)
    }
    [name] = [name for name, document in documents.items() if "QueueEvents" in json.dumps(document)]
    less = [each for each in documents[name]["Statement"] if each["Sid"] != "QueueEvents"]
    iam.put_role_policy(
        RoleName=role, PolicyName=name, PolicyDocument=json.dumps({**documents[name], "Statement": less})
    )
    try:
        status, waited = _until(relay, lambda: _send(relay, _label())[1].get("status"), "spilled")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(documents[name]))
    if status != "spilled":
        return relay.only_aws(f"the answer stays `{status}`")
    _, again = _until(relay, lambda: _send(relay, _label())[1].get("status"), "queued")
    relay.stack.purge()
    return f"`spilled` {waited:.0f} s after the right was removed, `queued` {again:.0f} s after it was back"


def log_filters(relay: Relay) -> str:
    """The filter patterns of docs/operating.md find the lines that they are for."""
    since = time.time()

    def count(pattern: str) -> int:
        return len(_logged(relay, relay.stack.log_group, since, pattern))

    _send(relay, _label(), signature="")
    _send(relay, _label(), path="/webhooks/nobody")
    found = {}
    for pattern in ('{ $.Reason = "signature_rejected" }', '{ $.Reason = "not_found" }'):
        found[pattern], _ = _until(relay, partial(count, pattern), 1)
    if any(lines != 1 for lines in found.values()):
        return relay.only_aws(f"lines by pattern: {found}")
    return "; ".join(f"`{pattern}`: {lines} line" for pattern, lines in found.items())


def alarm(relay: Relay) -> str:
    """An unrouted event makes its alarm fire, and notify if there is an address."""
    _send(relay, _label(), topic="NEW_TOPIC")
    cloudwatch = relay.client("cloudwatch")
    resource = relay.client("cloudformation").describe_stack_resource(
        StackName=relay.name, LogicalResourceId="UnroutedAlarm"
    )
    name = resource["StackResourceDetail"]["PhysicalResourceId"]

    def state() -> str:
        return str(cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])

    found, waited = _until(relay, state, "ALARM", minutes=10 if relay.cloud.is_aws else 0)
    if found != "ALARM":
        return relay.only_aws(f"the alarm stays {found}")
    if not relay.email:
        return f"ALARM {waited:.0f} s after the event; no mail, since no EMAIL was given"

    def notified() -> bool:
        history = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")["AlarmHistoryItems"]
        return any("Successfully executed action" in each["HistorySummary"] for each in history)

    if not _until(relay, notified, True)[0]:
        raise Wrong("the alarm fired, and did not notify")
    return f"ALARM {waited:.0f} s after the event, and a notification to the topic of {relay.email}"


def deletion(relay: Relay) -> str:
    """A deleted stack leaves queues, bucket and secret, and nothing else."""
    body = _label()
    _send(relay, body)
    stack = relay.stack
    relay.delete_stack()
    if len(_take(relay, body)) != 1:
        raise Wrong("an event that waited in the queue is gone")
    left = relay.leftovers()
    kinds = [service for service, _ in left]
    retained = {("sqs", url.rpartition("/")[2]) for name, url in stack.outputs.items() if name.endswith("QueueUrl")}
    retained |= {("s3", stack.outputs["PayloadBucketName"]), ("secretsmanager", stack.outputs["SecretArn"])}
    # The changes of QueueType before have left their queues, too.
    if not retained <= left or set(kinds) != {"s3", "secretsmanager", "sqs"}:
        raise Wrong(f"retained: {sorted(left)}")
    relay.delete_the_rest()
    if left := relay.leftovers():
        raise Wrong(f"could not be deleted: {sorted(left)}")
    return f"retained with their events, then deleted: {kinds.count('sqs')} queues, the bucket, the secret"


Claim = Callable[[Relay], str]
CLAIMS: tuple[tuple[str, Claim], ...] = (
    ("The template deploys", deployed),
    ("Sample events, large bodies and requests to refuse end as on the emulator", samples),
    ("A changed setting refuses and loses no event under load", setting),
    ("Changed code and setting refuse and lose no event under load", code_and_setting),
    ("A key that is set, changed and emptied refuses and loses no event under load", key),
    ("Another queue type, and back, refuses and loses no event under load", queue_type),
    ("What API Gateway answers to large and invalid bodies, and logs of them", body_sizes),
    ("A FIFO duplicate is confirmed, and not spilled", duplicate),
    ("Without a right to its queue an event spills", missing_right),
    ("The log filters of docs/operating.md find their lines", log_filters),
    ("An alarm fires", alarm),
    ("FIFO throughput with many groups", measurements.fifo_throughput),
    ("Latency through API Gateway", measurements.latency),
    ("Cold starts at 128, 256 and 512 MB", measurements.cold_starts),
    ("A deleted stack leaves what holds events or secrets, and nothing else", deletion),
)


def _change(relay: Relay, **parameters: str) -> str:
    """Updates the stack under load, and accounts for every event."""
    before, policies = relay.stack, len(_policies(relay))
    with Load(before) as load:
        load.wait_for(5)
        after = relay.deploy(**parameters)
        load.wait_for(20)
    refused = sorted(load.count().keys() - DURABLE)
    stacks = {stack.queue_url("label"): stack for stack in (before, after)}.values()
    found: Counter[str] = Counter()
    for stack in stacks:
        events = received(stack, 3 if relay.cloud.is_aws else 0)
        # A standard queue of AWS may deliver an event twice.
        found.update(set(events) if relay.cloud.is_aws and not stack.is_fifo else events)
    spilled = relay.stack.objects("spill/")
    for name in spilled:
        relay.stack.delete_object(name)
    lost = max(0, len(load.answers.keys() - found) - len(spilled))
    repeated = found.total() - len(found)
    told = f"{len(load.answers)} events, {len(spilled)} spilled"
    if refused or lost or repeated:
        raise Wrong(f"{told}, {lost} lost, {repeated} repeated; other answers: {refused or 'none'}")
    if _until(relay, lambda: len(_policies(relay)), policies)[0] != policies:
        raise Wrong(f"the role keeps policies for what was replaced: {_policies(relay)}")
    return told


def _policies(relay: Relay) -> list[str]:
    names: list[str] = relay.client("iam").list_role_policies(RoleName=relay.stack.role)["PolicyNames"]
    return names


def _label() -> bytes:
    return json.dumps({"id": uuid.uuid4().hex, "updatedAt": "2021-03-17T13:51:59Z"}).encode()


def _send(relay: Relay, body: bytes, **changes: str) -> tuple[int, Any]:
    return relay.stack.answer(event(body, delivery_id=uuid.uuid4().hex, **changes))


def _take(relay: Relay, body: bytes) -> list[Message]:
    """Takes all that waits in the Label queue. Returns the messages with this body."""
    found: list[Message] = []
    while messages := relay.stack.take("label", seconds=3 if relay.cloud.is_aws else 0):
        found += [message for message in messages if message.body == body]
    return found


def _until(relay: Relay, find: Callable[[], _T], wanted: _T, minutes: float = 2) -> tuple[_T, float]:
    """Repeats something until it finds what is wanted, or for so long. Returns the last result and the seconds."""
    started = time.monotonic()
    longest = minutes * _MINUTES if relay.cloud.is_aws else 2
    while (found := find()) != wanted and time.monotonic() - started < longest:
        time.sleep(relay.pause)
    return found, time.monotonic() - started


def _logged(relay: Relay, group: str, since: float, pattern: str = "") -> list[str]:
    """The lines of a log that a pattern finds."""
    logs, start = relay.client("logs"), int(since * 1000)
    events = logs.filter_log_events(logGroupName=group, filterPattern=pattern, startTime=start)["events"]
    return [event["message"] for event in events]
