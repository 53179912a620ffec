"""The claims that are numbers: throughput, latency, cold starts."""

import base64
import re
import statistics
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dev import build, environment
from dev.accept.relay import NotShown, Relay
from dev.load import Load, received

_REPORT = re.compile(r"\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms.*?\tInit Duration: ([\d.]+) ms", re.DOTALL)
_MEMORY = (128, 256, 512)
_COLD_STARTS = 50
_AT_ONCE = 10
_REQUESTS = 200
_SECONDS = 10
_SENDERS = 16
_HEALTH = (
    b'{"version":"2.0","rawPath":"/health","routeKey":"GET /health","headers":{},"isBase64Encoded":false,'
    b'"requestContext":{"http":{"method":"GET","sourceIp":"198.51.100.7"}}}'
)


def fifo_throughput(relay: Relay) -> str:
    """Batches of ten messages, each of another group, as fast as this machine sends."""
    sqs, queue = relay.client("sqs"), relay.stack.queue_url("review")
    deadline = time.monotonic() + (_SECONDS if relay.cloud.is_aws else 0.5)

    def send(_: int) -> tuple[int, int]:
        sent = failed = 0
        while time.monotonic() < deadline:
            entries = [
                {"Id": str(n), "MessageBody": "x", "MessageGroupId": unique, "MessageDeduplicationId": unique}
                for n, unique in enumerate(uuid.uuid4().hex for _ in range(10))
            ]
            answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
            sent, failed = sent + len(answer.get("Successful", [])), failed + len(answer.get("Failed", []))
        return sent, failed

    started = time.monotonic()
    with ThreadPoolExecutor(_SENDERS) as pool:
        totals = list(pool.map(send, range(_SENDERS)))
    seconds = time.monotonic() - started
    sqs.purge_queue(QueueUrl=queue)
    sent, failed = (sum(each) for each in zip(*totals, strict=True))
    return relay.only_aws(f"{sent / seconds:.0f} messages/s in {seconds:.0f} s, {failed} throttled")


def latency(relay: Relay) -> str:
    """Signed events one after another, from this machine."""
    count = _REQUESTS if relay.cloud.is_aws else 10
    with Load(relay.stack, senders=1) as load:
        load.wait_for(count)
    received(relay.stack, 3 if relay.cloud.is_aws else 0)
    return relay.only_aws(f"{len(load.seconds)} requests from here: {_percentiles(load.seconds)}")


def cold_starts(relay: Relay) -> str:
    """Invocations of new instances, by what Lambda reports of each, beside a function that does nothing."""
    name = relay.stack.outputs["FunctionName"]
    contestants = {"relay": name}
    if relay.cloud.is_aws:
        contestants["a function that does nothing"] = _create_noop(relay, relay.stack.function["Role"])
    found = []
    for memory in _MEMORY:
        for contestant, function in contestants.items():
            reports = _cold_starts(relay, function, memory)
            found.append(f"{contestant}, {memory} MB: {_summary(reports)}")
    return relay.only_aws("; ".join(found))


def _create_noop(relay: Relay, role: str) -> str:
    [program] = build.build_to_compare(relay.cloud.instance, "noop")
    relay.client("lambda").create_function(
        FunctionName=relay.noop,
        Runtime="provided.al2023",
        Role=role,
        Handler="bootstrap",
        Architectures=[environment.host_architecture()],
        Code={"ZipFile": build.zipped(program)},
    )
    relay.client("lambda").get_waiter("function_active_v2").wait(FunctionName=relay.noop)
    return relay.noop


def _cold_starts(relay: Relay, function: str, memory: int) -> list[tuple[float, float, float]]:
    """Duration, billed duration and init duration in ms of each. A changed function has no warm instances."""
    client, reports = relay.client("lambda"), list[tuple[float, float, float]]()

    def invoke(_: int) -> dict[str, Any]:
        answer: dict[str, Any] = client.invoke(FunctionName=function, LogType="Tail", Payload=_HEALTH)
        return answer

    for attempt in range(3 * _COLD_STARTS // _AT_ONCE if relay.cloud.is_aws else 1):
        client.update_function_configuration(FunctionName=function, MemorySize=memory, Description=str(attempt))
        client.get_waiter("function_updated_v2").wait(FunctionName=function)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for answer in pool.map(invoke, range(_AT_ONCE)):
                tail = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
                if report := _REPORT.search(tail):
                    duration, billed, init = (float(each) for each in report.groups())
                    reports.append((duration, billed, init))
        if len(reports) >= _COLD_STARTS:
            break
    return reports


def _summary(reports: Sequence[tuple[float, float, float]]) -> str:
    if not reports:
        return "no REPORT line has an Init Duration"
    duration, billed, init = (statistics.median(each) for each in zip(*reports, strict=True))
    return f"init {init:.0f} ms, duration {duration:.1f} ms, billed {billed:.0f} ms (medians of {len(reports)})"


def _percentiles(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:
        raise NotShown("too few requests were answered")
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"
