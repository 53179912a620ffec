"""Each alarm of the template, and how that comes about which it watches. A new alarm needs a row."""

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import access_log
import psutil
from alarms import Alarm
from watched import Watched

from dev.metrics import Metric
from dev.samples import sign
from dev.stack import QUEUES, Stack

OLD_SECONDS = 12 * 60 * 60
"""Half of the day for which the whole relay's queues keep events."""
RECEIVES = 5
"""Times that a consumer may fail with a message."""
TOO_LONG_SECONDS = 8.5
TOPICS = {
    "label": "LABEL_CREATED",
    "workflow": "WORKFLOW_ACTION",
    "review": "REVIEW_CREATED",
    "unrouted": "NOBODY_KNOWS",
}


@dataclass(frozen=True)
class Site:
    """A relay to which everything has happened, and one that is whole, for what is done to it now."""

    watched: Watched
    whole: Stack
    emitted: list[Metric]
    """What the first one had emitted when all had happened."""
    sent: int
    """Requests that it had got until then."""


@dataclass(frozen=True)
class Trouble:
    """How an alarm comes about."""

    drive: Callable[[Site, Alarm], list[float]]
    """Lets it happen, and returns the metric's values of one period."""
    value: float | None
    """The statistic of these values; `None` where it has no data, or no exact one."""
    calm: float = 0
    """The statistic at which the alarm is just not told."""
    lasting: int = 1
    """Periods for which it has to last."""
    to_the_whole: bool = False
    """Whether it happens to the relay that is whole."""


def in_the_log(site: Site, alarm: Alarm) -> list[float]:
    """What the function has emitted as exactly the metric that the alarm watches."""
    wanted = (alarm.namespace, alarm.metric, tuple(sorted(alarm.dimensions.items())))
    return [each.value for each in site.emitted if (each.namespace, each.name, each.dimensions) == wanted]


def log_at_the_gateway(*lines: dict[str, str]) -> Callable[[Site, Alarm], list[float]]:
    """These lines in the access log, and one of an event that was queued."""

    def drive(site: Site, alarm: Alarm) -> list[float]:
        queued = {"status": "200", "integrationStatus": "200", "integrationErrorMessage": "-"}
        stack = site.watched.stack
        written = [access_log.line(stack, **each) for each in (queued, *lines)]
        return access_log.count(stack, alarm.metric, written)

    return drive


TOO_LARGE = (
    {"status": "413", "error__message": "Request Entity Too Large"},
    {"status": "500", "integrationStatus": "413"},
    {
        "status": "500",
        "integrationErrorMessage": "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    },
)


def fail_at_the_gateway(site: Site, alarm: Alarm) -> list[float]:
    """The gateway passes on the relay's 503; the emulator counts none, so its answers are counted."""
    assert alarm.dimensions == {"ApiId": site.watched.stack.api.rpartition("/")[2]}
    return [float(site.watched.label(1000 + number, "failed") >= 500) for number in range(2)]


def crash(site: Site, alarm: Alarm) -> list[float]:
    """The function cannot start with a setting like this."""
    client, name = site.whole.emulator.client("lambda"), site.whole.outputs["FunctionName"]
    given = site.whole.settings
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**given, "SECRET_TTL_SECONDS": "soon"}}
    )
    try:
        site.whole.emulator.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        return [max(lambda_metric(site.whole, alarm))]
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": given})


def throttle(site: Site, alarm: Alarm) -> list[float]:
    """No execution at all is left for the function. The emulator counts that as an error, too, which AWS does not."""
    assert alarm.metric == "Throttles"
    client, name = site.whole.emulator.client("lambda"), site.whole.outputs["FunctionName"]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        client.invoke(FunctionName=name, Payload=b"{}")
    except client.exceptions.TooManyRequestsException:
        return [max(lambda_metric(site.whole, alarm))]
    finally:
        client.delete_function_concurrency(FunctionName=name)
    raise AssertionError("it ran")


def be_slow(site: Site, alarm: Alarm) -> list[float]:
    """The function's process stands still with a request in it."""
    client, name = site.whole.emulator.client("lambda"), site.whole.outputs["FunctionName"]
    client.invoke(FunctionName=name, Payload=b"{}")
    [process] = processes_of(name)
    process.suspend()
    # The invocation may take seconds to begin on a busy machine.
    timer = threading.Timer(TOO_LONG_SECONDS + 5, process.resume)
    timer.start()
    try:
        client.invoke(FunctionName=name, Payload=b"{}")
    finally:
        timer.join()
    return [value for value in lambda_metric(site.whole, alarm) if value > TOO_LONG_SECONDS * 1000]


def let_die(entity: str) -> Callable[[Site, Alarm], list[float]]:
    """A consumer fails with an event as often as it may."""

    def drive(site: Site, alarm: Alarm) -> list[float]:
        stack = site.whole
        queue, dead = stack.queue_url(entity), stack.dead_letter_queue_url(entity)
        assert alarm.dimensions == {"QueueName": dead.rpartition("/")[2]}
        send(stack, entity)
        for _ in range(RECEIVES):
            for message in stack.receive(queue, 5):
                stack.put_back(queue, message)
        assert stack.receive(queue, 1) == []
        return [float(stack.count_in(dead))]

    return drive


def grow_old(entity: str) -> Callable[[Site, Alarm], list[float]]:
    """Nobody takes an event. Its age is that of a clock which is half a day ahead."""

    def drive(site: Site, alarm: Alarm) -> list[float]:
        stack, queue = site.whole, site.whole.queue_url(entity)
        assert alarm.dimensions == {"QueueName": queue.rpartition("/")[2]}
        send(stack, entity)
        [message] = stack.receive(queue, 5)
        stack.delete(queue, message)
        age = time.time() - int(message.system["SentTimestamp"]) / 1000
        assert 0 <= age < 60
        return [age + OLD_SECONDS]

    return drive


def be_quiet(site: Site, alarm: Alarm) -> list[float]:
    """Nothing comes: the metric, which had data before, has none."""
    assert sum(in_the_log(site, alarm)) == site.sent
    return []


def send(stack: Stack, entity: str) -> None:
    """Sends an event that no FIFO queue has seen."""
    body = b'{"id":"%d"}' % time.monotonic_ns()
    path = "/training/model_run" if entity == "model_run" else "/webhooks/labelbox"
    headers = [
        ("Content-Type", "application/json"),
        ("X-Hub-Signature", sign(body)),
        ("X-Labelbox-Event", TOPICS.get(entity, "")),
    ]
    answer = stack.send("POST", path, headers, body)
    assert (answer.status, json.loads(answer.data)["entity"]) == (200, entity)


def processes_of(function: str) -> list[psutil.Process]:
    """The function's processes, our own children's children."""
    return [
        process
        for process in psutil.Process(os.getpid()).children(recursive=True)
        if process.environ().get("AWS_LAMBDA_FUNCTION_NAME") == function
    ]


def lambda_metric(stack: Stack, alarm: Alarm) -> list[float]:
    """What the emulator has counted for the function, as exactly the metric that the alarm watches."""
    now = datetime.now(UTC)
    answer = stack.emulator.client("cloudwatch").get_metric_statistics(
        Namespace=alarm.namespace,
        MetricName=alarm.metric,
        Dimensions=alarm.definition["Dimensions"],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Maximum"],
    )
    return [point["Maximum"] for point in answer["Datapoints"]]


TROUBLES = {
    "SpilledAlarm": Trouble(in_the_log, 2),
    "UnroutedAlarm": Trouble(in_the_log, 2),
    "TooLargeAlarm": Trouble(log_at_the_gateway(*TOO_LARGE), 3),
    "FailedAlarm": Trouble(in_the_log, 1),
    "ApiErrorAlarm": Trouble(fail_at_the_gateway, 2),
    "ApiThrottleAlarm": Trouble(log_at_the_gateway({"status": "429", "error__message": "Too Many Requests"}), 1),
    "FunctionThrottleAlarm": Trouble(throttle, 1, to_the_whole=True),
    "FunctionErrorAlarm": Trouble(crash, 1, to_the_whole=True),
    "SecretStaleAlarm": Trouble(in_the_log, None),
    "ArchiveFailedAlarm": Trouble(in_the_log, 1),
    "RefusedSignatureAlarm": Trouble(in_the_log, 10, calm=9),
    "SourceNotAllowedAlarm": Trouble(in_the_log, 10, calm=9),
    "UnknownWebhookAlarm": Trouble(in_the_log, 10, calm=9),
    "UnsupportedMediaTypeAlarm": Trouble(in_the_log, 10, calm=9),
    "ValidSignatureRefusedAlarm": Trouble(in_the_log, 2),
    "FunctionDurationAlarm": Trouble(be_slow, None, calm=8000, lasting=2, to_the_whole=True),
    "QuietAlarm": Trouble(be_quiet, None, calm=1, lasting=24),
    **{f"{name}DeadLetterAlarm": Trouble(let_die(entity), 1, to_the_whole=True) for entity, name in QUEUES.items()},
    **{
        f"{name}AgeAlarm": Trouble(grow_old(entity), None, calm=OLD_SECONDS, to_the_whole=True)
        for entity, name in QUEUES.items()
    },
}
