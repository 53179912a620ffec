"""`relayctl tail`, `logs`, `peek`, `count` and filters: what they show, and that they cost messages nothing."""

import base64
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeSite
from repair import POINTER, SECONDS, Done, Run, Site, attributes, body_of, dedup_id, key_of

from dev import environment
from dev.stack import QUEUES, Stack
from dev.tcp_proxy import TcpProxy

pytestmark = pytest.mark.extended


def names(count: int, first: int = 0) -> list[str]:
    return [f"event{number:03}" for number in range(first, first + count)]


def event_of(message: dict[str, Any]) -> str:
    """What a message is about, as SQS has it."""
    return str(message["MessageAttributes"]["entity_id"]["StringValue"])


def about(done: Done) -> list[str]:
    """What the messages are about that were printed for scripts."""
    return [json.loads(line)["attributes"]["entity_id"] for line in done.out.split("\n") if line]


def known(name: str, entity: str, **more: str) -> dict[str, Any]:
    """Its attributes."""
    usual = {"event": "LABEL_UPDATED", "entity": entity, "entity_id": name, "dedup_id": dedup_id(name)}
    return attributes(**{**usual, **more})


def send(site: Site, name: str, entity: str = "label", **more: str) -> str:
    """Sends a message whose attributes tell filters more."""
    return site.send(name, entity, MessageAttributes=known(name, entity, **more))


def spill(site: Site, name: str, entity: str = "label", **more: str) -> str:
    """Spills a message whose attributes tell filters more."""
    return site.spill(name, entity, MessageAttributes=known(name, entity, **more))


def check_untouched(site: Site, events: list[str], most_receives: int, entity: str = "label") -> None:
    """All messages are there and visible, in the order of their groups, and were received that often at most."""
    messages = site.messages(entity)
    assert sorted(map(event_of, messages)) == sorted(events)
    if site.stack.is_fifo:
        assert [event_of(message) for message in messages] == events
    # Once more by us.
    counts = [int(message["Attributes"]["ApproximateReceiveCount"]) for message in messages]
    assert max(counts) <= most_receives + 1, counts
    assert not site.dead_letters(entity)


# ---- tail and logs

WAITING = "relayctl: waiting for events; Ctrl-C ends\n"


class Log:
    """The log group of a site, into which a test writes."""

    def __init__(self, site: Site) -> None:
        self._logs = site.client("logs")
        cloudformation = site.client("cloudformation")
        resource = cloudformation.describe_stack_resource(
            StackName=site.stack.name, LogicalResourceId="FunctionLogGroup"
        )
        self._group = resource["StackResourceDetail"]["PhysicalResourceId"]
        self._streams: set[str] = set()

    def write(self, *lines: str | dict[str, Any], stream: str = "one", ago: float = 0) -> None:
        if stream not in self._streams:
            self._logs.create_log_stream(logGroupName=self._group, logStreamName=stream)
            self._streams.add(stream)
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        moment = int((time.time() - ago) * 1000)
        events = [{"timestamp": moment, "message": text + "\n"} for text in texts]
        self._logs.put_log_events(logGroupName=self._group, logStreamName=stream, logEvents=events)


def logged(name: str, **more: Any) -> dict[str, Any]:
    """The log line of an event, as docs/configuration.md describes it."""
    line = {
        "timestamp": "2026-11-23T13:00:00.123Z",
        "level": "INFO",
        "message": "event queued",
        "request_id": "r1",
        "route": "webhook",
        "webhook": "labelbox",
        "status": 200,
        "duration_ms": 12.4,
        "entity": "label",
        "event": "LABEL_CREATED",
        "entity_id": name,
        "project_id": "p1",
        "delivery_id": "d1",
        "message_id": "m1",
    }
    return {**line, **more}


REFUSED = {
    "timestamp": "2026-11-23T13:00:01.000Z",
    "message": "request refused",
    "route": "webhook",
    "webhook": "labelbox",
    "status": 401,
    "error": "the signature \u202edoes not match",
    "source_ip": "192.0.2.1",
    "duration_ms": 0.6,
}


def entity_ids(done: Done) -> list[str | None]:
    return [json.loads(line).get("entity_id") for line in done.out.split("\n") if line]


def test_a_tail_shows_each_request_of_the_relay_and_receives_nothing(
    deployed: Callable[..., Stack], relayctl: Path
) -> None:
    site = Site(deployed("tail"), relayctl)
    run = Run(site, "tail", "--json")
    run.wait_for_note("waiting for events")
    for topic in (["LABEL_CREATED"], ["--any-topic", "NEW_TOPIC"]):
        assert site.run("trigger", *topic).status == 0
    response = site.stack.send(
        "POST", "/webhooks/labelbox", [("content-type", "application/json"), ("x-hub-signature", "sha1=00")], b"{}"
    )
    assert response.status == 401
    lines = [json.loads(line) for line in run.wait_for(3)]
    done = run.end()
    assert done.status == 0 and done.err.startswith(WAITING), done
    assert [(line["message"], line["status"]) for line in lines] == [
        ("event queued", 200),
        ("event queued as unrouted", 200),
        ("request refused", 401),
    ]
    assert lines[0]["entity"] == "label" and lines[0]["event"] == "LABEL_CREATED" and lines[0]["message_id"]
    text = site.run("tail", "--since", "10m", "--count", "3").out.splitlines()
    assert f" 200 queued   label     LABEL_CREATED      {lines[0]['entity_id']} " in text[0], text
    assert f" message {lines[0]['message_id']}" in text[0]
    assert " 200 unrouted unrouted  NEW_TOPIC " in text[1] and " reason unknown_topic" in text[1], text
    assert " 401 refused  webhook labelbox " in text[2] and "signature" in text[2], text
    [message] = site.messages()
    assert message["Attributes"]["ApproximateReceiveCount"] == "1", "once, by this test"


def test_a_tail_says_what_the_log_level_hides(deployed: Callable[..., Stack], relayctl: Path) -> None:
    site = Site(deployed("tail-warn", LogLevel="warn"), relayctl)
    assert site.run("trigger", "LABEL_CREATED").status == 0
    assert site.run("trigger", "--any-topic", "NEW_TOPIC").status == 0
    done = site.run("tail", "--since", "10m", "--count", "1", "--json")
    assert done.err == "relayctl: the stack's LogLevel is warn: events that are queued are not in the log\n" + WAITING
    assert json.loads(done.out)["message"] == "event queued as unrouted"
    for entity in ("label", "unrouted"):
        site.messages(entity)


def test_a_tail_shows_what_ended_the_function(make: MakeSite) -> None:
    site = make("standard")
    id = "7c9567b5-7a7c-4ae4-a1a2-03a6d6e54c42"
    Log(site).write(
        f"START RequestId: {id} Version: $LATEST",
        f"2026-11-23T13:00:00.000Z {id} Task timed out after 10.00 seconds",
        f"RequestId: {id} Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
        "thread 'main' (1) panicked at src/main.rs:7:5:",
        {"timestamp": "2026-11-23T13:00:01.000Z", "level": "ERROR", "message": "start failed", "error": "no\nregion"},
        {"level": "WARN", "message": "the payload was written twice"},
        f"REPORT RequestId: {id} Duration: 10000.00 ms Status: timeout",
        logged("a"),
    )
    done = site.run("tail", "--since", "1h", "--for", "1s", "--status", "failed")
    lines = [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", "", line) for line in done.out.splitlines()]
    assert lines == [
        f"-   failed   function crashed: 2026-11-23T13:00:00.000Z {id} Task timed out after 10.00 seconds",
        f"-   failed   function crashed: RequestId: {id} Error: Runtime exited with error: signal: killed"
        " Runtime.ExitError",
        "-   failed   function crashed: thread 'main' (1) panicked at src/main.rs:7:5:",
        "-   failed   start failed: no region",
    ]
    done = site.run("tail", "--since", "1h", "--for", "1s", "--json")
    messages = [json.loads(line)["message"] for line in done.out.splitlines()]
    assert messages == ["function crashed"] * 3 + ["start failed", "event queued"]
    assert site.run("tail", "label", "--since", "1h", "--for", "1s").out.count("\n") == 1


def test_a_tail_shows_late_lines_of_other_instances_and_each_line_once(make: MakeSite) -> None:
    site = make("standard")
    log = Log(site)
    run = Run(site, "tail", "--since", "1m", "--json")
    run.wait_for_note("waiting")
    log.write(logged("first"))
    run.wait_for(1)
    log.write(logged("late"), stream="two", ago=10)
    run.wait_for(2)
    log.write(logged("last"))
    run.wait_for(3)
    assert entity_ids(run.end()) == ["first", "late", "last"]


@pytest.fixture(scope="module")
def filtered(make: MakeSite) -> Site:
    site = make("standard")
    review = {"entity": "review", "event": "REVIEW_CREATED", "project_id": "p2"}
    Log(site).write(logged("a"), logged("b", **review), REFUSED, logged("spilled", message="event spilled"))
    return site


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("label", "--status", "spilled", "--for", "1s"), 0, ""),
        (("--for", "1s", "--count", "9"), 1, "relayctl: 4 of 9 requests in 1s\n"),
        (("--count", "1"), 0, ""),
    ],
)
def test_a_tail_ends_when_it_should_and_says_whether_all_came(
    filtered: Site, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = filtered.run("tail", "--since", "1h", *arguments)
    assert (done.status, done.err) == (status, WAITING + says), done


def test_a_tail_that_ends_while_aws_does_not_respond_fails(make: MakeSite) -> None:
    site = make("standard")
    Log(site).write(logged("a"))
    with TcpProxy() as proxy:
        proxy.forward_to(site.stack.emulator.endpoint)
        run = Run(site, "tail", "--since", "1h", "--for", "12s", AWS_ENDPOINT_URL=proxy.url)
        run.wait_for(1)
        proxy.close()
        done = run.end(None)
    assert done.status == 3
    assert done.err.splitlines()[-1].startswith("relayctl: no response from AWS to logs:FilterLogEvents: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_is_the_end_of_a_tail_unless_another_was_asked_for(filtered: Site, number: signal.Signals) -> None:
    for arguments, status in ((), 0), (("--count", "9"), 130):
        run = Run(filtered, "tail", "--since", "1h", *arguments)
        run.wait_for(1)
        done = run.end(number)
        assert (done.status, done.err) == (status, WAITING), "there is nothing to finish"


def test_a_log_group_that_is_gone_is_named(make: MakeSite) -> None:
    site = make("standard")
    log = Log(site)
    site.client("logs").delete_log_group(logGroupName=log._group)
    for command in ("tail", "logs"):
        done = site.run(command)
        assert done.status == 3
        assert "logs:FilterLogEvents failed: ResourceNotFoundException" in done.err and "relayctl doctor" in done.err, (
            done.err
        )


def test_logs_are_printed_as_they_are(make: MakeSite) -> None:
    site = make("standard")
    log = Log(site)
    log.write("old", ago=7200)
    log.write("START RequestId: r1 Version: $LATEST", logged("a"), "odd \x1b[2J\u202e")
    done = site.run("logs")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "START RequestId: r1 Version: $LATEST",
        json.dumps(logged("a")),
        "odd \ufffd[2J\ufffd",
    ]
    assert site.run("logs", "--since", "3h").out.startswith("old\n")
    lines = [json.loads(line) for line in site.run("logs", "--json").out.splitlines()]
    assert lines[0]["message"] == "START RequestId: r1 Version: $LATEST"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[0]["timestamp"])


def test_logs_follow_what_is_yet_to_come(make: MakeSite) -> None:
    site = make("standard")
    log = Log(site)
    log.write("one")
    run = Run(site, "logs", "--follow")
    run.wait_for(1)
    log.write("two")
    assert run.wait_for(2) == ["one\n", "two\n"]
    assert run.end().status == 0


# ---- peek


def test_a_peek_shows_the_front_and_gives_it_back_at_once(site: Site) -> None:
    for event in names(12):
        send(site, event)
    done = site.run("peek", "label", "--json")
    assert (done.status, done.err) == (0, "")
    assert about(done) == names(10)
    assert about(site.run("peek", "label", "--count", "1", "--json")) == ["event000"]
    check_untouched(site, names(12), most_receives=2)


def test_a_peek_says_that_there_is_nothing_and_why(site: Site) -> None:
    done = site.run("peek", "label")
    assert (done.status, done.out, done.err) == (0, "", "relayctl: label: there are no messages\n")
    done = site.run("peek", "label", "--dead-letters")
    assert (done.status, done.err) == (0, "relayctl: label dead letters: there are no messages\n")
    send(site, "event")
    site.client("sqs").receive_message(QueueUrl=site.stack.queue_url("label"), VisibilityTimeout=60)
    done = site.run("peek", "label")
    assert (done.status, done.err) == (0, "relayctl: label: no message is visible; 1 in flight\n")


def test_no_peek_sends_a_message_to_the_dead_letter_queue(make: MakeSite, queue_type: str) -> None:
    site = make(queue_type, receives=2)
    send(site, "event")
    notes = []
    for _ in range(5):
        done = site.run("peek", "label", "--json")
        assert (done.status, about(done)) == (0, ["event"])
        notes.append(done.err)
    sent_again = "relayctl: sent again as new, because this was the last receive: 1 message\n"
    assert notes == ["", sent_again, "", sent_again, ""]
    [message] = site.messages()
    assert (message["Body"], message["MessageAttributes"]) == (body_of("event"), known("event", "label"))
    assert message["Attributes"]["AWSTraceHeader"] == "Root=1-5759e988-event"
    assert message["Attributes"].get("MessageGroupId") == ("event" if site.stack.is_fifo else None)
    assert not site.dead_letters()


def test_a_filter_does_not_cost_a_message_its_last_receive(make: MakeSite) -> None:
    site = make("fifo", receives=1)
    send(site, "event")
    done = site.run("peek", "label", "--topic", "MOVE")
    assert (done.status, done.out) == (0, "")
    assert [event_of(message) for message in site.messages()] == ["event"]
    assert not site.dead_letters()


# ---- what is printed


def test_people_get_two_lines_of_a_message_without_colours(site: Site) -> None:
    more = {"project_id": "p1", "received_at": "2026-11-23T12:00:00.000Z"}
    send(site, "event", **more)
    done = site.run("peek", "label")
    size = len(body_of("event").encode())
    assert done.out.splitlines()[0] == (
        f"2026-11-23T12:00:00.000Z label     LABEL_UPDATED      event project p1 {size} B, receive 1 of 5"
    )
    assert done.out.splitlines()[1].split() == body_of("event").split()
    assert "\x1b" not in done.out


def test_a_body_is_cut_to_a_line_and_whole_when_asked_for(site: Site) -> None:
    body = '{"id": 1,\n  "text": "' + "long " * 100 + '\x7f\x9b"}'
    site.send("event", MessageBody=body)
    line = site.run("peek", "label").out.splitlines()[1]
    assert line.startswith('  {"id": 1, "text": "long long') and line.endswith("…") and len(line) == 200
    whole = site.run("peek", "label", "--full").out
    assert body.replace("\x7f\x9b", "\ufffd\ufffd") in whole, "and nothing steers the terminal"


def test_scripts_get_all_that_there_is_of_a_message(site: Site) -> None:
    message_id = site.send(
        "event", MessageAttributes={**attributes(entity="label"), "b": {"DataType": "Binary", "BinaryValue": b"\xff"}}
    )
    message = json.loads(site.run("peek", "label", "--json").out)
    system = message.pop("system")
    assert message == {
        "message_id": message_id,
        "queue": "label",
        "dead_letter": False,
        "attributes": {"entity": "label", "b": "/w=="},
        "body": body_of("event"),
        "size": len(body_of("event").encode()),
        "payload": None,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", system.pop("sent_at"))
    of_fifo = ("event", dedup_id("event")) if site.stack.is_fifo else (None, None)
    assert system == {
        "receive_count": 1,
        "max_receive_count": 5,
        "group_id": of_fifo[0],
        "deduplication_id": of_fifo[1],
        "trace": "Root=1-5759e988-event",
    }


def point(site: Site, event: str, body: str, size: int) -> None:
    of_size = {"ExtendedPayloadSize": {"DataType": "Number", "StringValue": str(size)}}
    site.send(event, MessageBody=body, MessageAttributes=attributes(entity="label", entity_id=event) | of_size)


def pointer_to(site: Site, key: str) -> str:
    return json.dumps([POINTER, {"s3BucketName": site.bucket, "s3Key": key}])


def test_pointers_are_resolved_and_what_cannot_be_had_is_said(site: Site) -> None:
    contents = {"large": b"x" * 2_000_000, "binary": b"\xff\x00", "empty": b""}
    for event, content in contents.items():
        point(site, event, pointer_to(site, site.put(f"payloads/{event}/1", content)), len(content))
    point(site, "gone", pointer_to(site, "payloads/gone/1"), 7)
    point(site, "no pointer", '{"s3Key": 1}', 7)
    done = site.run("peek", "label", "--json")
    assert (done.status, done.err) == (1, "")
    shown = {message["attributes"]["entity_id"]: message for message in map(json.loads, done.out.strip().split("\n"))}
    assert shown["large"]["body"] == "x" * 2_000_000
    assert base64.b64decode(shown["binary"]["body_base64"]) == b"\xff\x00"
    assert shown["empty"]["body"] == ""
    assert shown["large"]["payload"] == {"bucket": site.bucket, "key": "payloads/large/1"}
    assert "NoSuchKey" in shown["gone"]["body_error"]
    assert "not the pointer that it should be" in shown["no pointer"]["body_error"]
    for arguments in (("peek", "label"), ("peek", "label", "--full")):
        done = site.run(*arguments)
        assert (done.status, done.err) == (1, "")
        assert f"s3://{site.bucket}/payloads/large/1" in done.out and "1.91 MiB" in done.out
        assert done.out.count("the body cannot be read: ") == 2
        assert (len(done.out) > 2_000_000) == ("--full" in arguments)


def test_a_terminal_has_colours_and_its_own_width(make: MakeSite) -> None:
    site = make("standard")
    site.send("event", MessageBody="word " * 100)
    for variables, is_coloured in ({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False):
        shown = on_terminal(site, ("peek", "label"), columns=60, **variables)
        assert ("\x1b[1m" in shown) is is_coloured, shown
        body = [line for line in shown.splitlines() if "word" in line]
        assert [len(line) for line in body] == [60], shown


def on_terminal(site: Site, arguments: tuple[str, ...], columns: int, **variables: str) -> str:
    """What a run prints on a terminal."""
    emulator = site.stack.emulator
    settings = environment.for_emulator(emulator.instance, emulator.endpoint)
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    run = subprocess.run(
        [str(site.program), *arguments],
        env={**settings, "RELAY_STACK": site.stack.name, **variables},
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
    )
    os.close(theirs)
    assert run.returncode == 0, run.stderr
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    return shown


# ---- count


def test_counts_are_those_of_each_queue_and_change_nothing(site: Site) -> None:
    for event in names(3):
        send(site, event)
    site.client("sqs").receive_message(QueueUrl=site.stack.queue_url("label"), VisibilityTimeout=60)
    send(site, "dead", "review")
    site.let_die("review")
    site.spill("spilled", "review")
    site.put("spill/label/", b"")
    done = site.run("count", "--json")
    assert (done.status, done.err) == (0, "")
    nothing = {"waiting": 0, "in_flight": 0, "dead_letters": 0, "spilled": 0}
    counted = {
        "label": {**nothing, "waiting": 2, "in_flight": 1},
        "review": {**nothing, "dead_letters": 1, "spilled": 1},
    }
    assert json.loads(done.out) == {
        "target": {"account": "000000000000", "region": "us-east-1", "stack": site.stack.name},
        "queues": [{"queue": entity, **counted.get(entity, nothing)} for entity in QUEUES],
        "total": {"waiting": 2, "in_flight": 1, "dead_letters": 1, "spilled": 1},
        "foreign_objects": 0,
        "missing": [],
    }
    site.put("spill/notes.txt", b"mine")
    done = site.run("count")
    rows = [line.split() for line in done.out.strip().split("\n")]
    assert rows[0] == ["queue", "waiting", "in", "flight", "dead", "letters", "spilled"]
    assert rows[1] == ["label", "2", "1", "0", "0"] and rows[6] == ["total", "2", "1", "1", "1"]
    assert "not spilled messages, though under spill/: 1 object\n" in done.out
    [letter] = site.dead_letters("review")
    assert letter["Attributes"]["ApproximateReceiveCount"] == "6", "five times by its consumer, once by us"


# ---- filters


def send_some(site: Site, put: Callable[..., Any]) -> None:
    """Three messages that filters tell apart."""
    put(site, "old", received_at="2026-11-22T12:00:00.000Z", project_id="p1")
    put(site, "new", received_at="2026-11-23T12:00:00.000Z", project_id="p1", event="LABEL_CREATED")
    put(site, "other", received_at="2026-11-23T13:00:00.000Z", project_id="p2")


FILTERS = [
    (("--topic", "label_c*"), ["new"]),
    (("--project", "p1", "--project", "p2"), ["new", "old", "other"]),
    (("--since", "2026-11-23", "--until", "2026-11-23T13:00:00Z"), ["new"]),
]


def test_a_look_shows_what_filters_take(make: MakeSite, queue_type: str) -> None:
    site = make(queue_type, receives=100)
    send_some(site, send)
    for arguments, taken in FILTERS:
        done = site.run("peek", "label", "--json", *arguments)
        assert sorted(about(done)) == taken, arguments
        assert done.err == f"relayctl: looked at 3 messages; {len(taken)} shown\n"
    check_untouched(site, ["old", "new", "other"], most_receives=100)


@pytest.mark.parametrize(("arguments", "taken"), FILTERS)
def test_repairs_move_what_filters_take_and_leave_the_rest(
    make: MakeSite, arguments: tuple[str, ...], taken: list[str]
) -> None:
    dead, spilled = make("fifo"), make("standard")
    send_some(dead, send)
    dead.let_die()
    send_some(spilled, spill)
    left = sorted({"old", "new", "other"} - set(taken))
    for site, command in (dead, ("redrive", "label")), (spilled, ("replay-spill",)):
        dry = site.run(*command, "--json", "--dry-run", *arguments)
        assert (dry.status, dry.account["would_send"], dry.account["skipped"]) == (0, len(taken), len(left))
        assert not any(site.stack.count().values())
        done = site.run(*command, "--json", *arguments)
        counts = {"found": 3, "sent": len(taken), "deleted": len(taken), "skipped": len(left), "kept": []}
        assert (done.status, done.warnings) == (0, "") and counts.items() <= done.account.items(), done
        assert sorted(map(event_of, site.messages())) == taken
    assert sorted(map(event_of, dead.dead_letters())) == left, "and they are visible"
    assert spilled.objects() == {key_of(event) for event in left}


def test_a_filter_keeps_the_order_within_a_group_and_finds_what_is_behind(make: MakeSite) -> None:
    site = make("fifo", receives=1)
    for number, event in enumerate(names(14)):
        # Not those at the front and at the end.
        project = "p2" if 8 <= number < 13 else "p1"
        site.send(event, MessageGroupId="one", MessageAttributes=known(event, "label", project_id=project))
    site.let_die()
    done = site.run("redrive", "label", "--project", "p2", "--json")
    assert (done.account["deleted"], done.account["skipped"]) == (5, 9), done
    assert list(map(event_of, site.messages())) == names(5, first=8)
    assert list(map(event_of, site.dead_letters())) == [*names(8), "event013"]


def test_what_a_filter_cannot_reach_in_a_group_is_named(make: MakeSite) -> None:
    site = make("fifo", receives=1)
    for number, event in enumerate(names(12)):
        project = "p2" if number >= 10 else "p1"
        site.send(event, MessageGroupId="one", MessageAttributes=known(event, "label", project_id=project))
    site.let_die()
    done = site.run("redrive", "label", "--project", "p2", "--json")
    assert (done.status, done.account["sent"], done.account["skipped"]) == (1, 0, 10)
    assert "SQS does not show what may come after" in done.kept["label group one"]
    assert list(map(event_of, site.dead_letters())) == names(12)


def test_a_redrive_of_all_goes_on_past_a_queue_that_is_broken(make: MakeSite) -> None:
    site = make("fifo", receives=1)
    for entity in QUEUES:
        send(site, entity, entity)
        site.let_die(entity)
    site.client("sqs").delete_queue(QueueUrl=site.stack.dead_letter_queue_url("workflow"))
    done = site.run("redrive", "all", "--json")
    assert (done.status, done.account["deleted"]) == (1, 4), done
    assert "NonExistentQueue" in done.kept["workflow"] or "QueueDoesNotExist" in done.kept["workflow"]
    assert site.run("redrive", "workflow").status == 3


# ---- what makes it impossible


LOOKS = [("tail", "--since", "1h"), ("logs",), ("peek", "label"), ("count",)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("tail", "labels"),
        ("tail", "--topic", "*_X"),
        ("tail", "--status", "done"),
        ("forward", "label"),
        ("trigger", "LABEL_CREATED", "--count", "0"),
        ("peek",),
        ("peek", "label", "review"),
        ("peek", "label", "--count", "11"),
        ("count", "label"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(make: MakeSite, arguments: tuple[str, ...]) -> None:
    done = make("standard").run(*arguments, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (done.status, done.out) == (2, "") and done.err.startswith("error: "), done


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("tail", "--for", "5"), "such as 5s, 5m or 1h"),
        (("tail", "--count", "0"), "give a whole number from 1 on"),
        (("peek", "label", "--since", "1h", "--until", "2h"), "--since must be before --until"),
        (("count", "--archive", "--since", "1h", "--until", "2h"), "--since must be before --until"),
        (("redrive", "all", "--since", "1h", "--until", "2h"), "--since must be before --until"),
        (("replay-spill", "--since", "1h", "--until", "2h"), "--since must be before --until"),
        (
            ("tail", "--since", "yesterday"),
            "give a day (2026-11-23, in UTC), a time (2026-11-23T13:00:00Z), or how long ago",
        ),
        (("logs", "--since", "2026-11-23T13:00:00"), "give its time zone, such as Z for UTC"),
        (("forward", "label", "localhost:3000/x"), "did you mean http://localhost:3000/x?"),
        (("forward", "label", "ftp://localhost/"), "give an http or https URL, such as http://localhost:3000/events"),
    ],
)
def test_a_wrong_value_is_told_what_a_right_one_looks_like(
    make: MakeSite, arguments: tuple[str, ...], says: str
) -> None:
    done = make("standard").run(*arguments)
    assert done.status == 2 and says in done.err, done


def test_help_has_the_options_of_the_command_before_those_that_all_have(make: MakeSite) -> None:
    text = make("standard").run("tail", "--help").out
    headings = re.findall(r"^(\w+):$", text, re.MULTILINE)
    assert headings.index("Options") < headings.index("Filters") < headings.index("Target") < headings.index("Output")
    target = text[text.index("\nTarget:") : text.index("\nOutput:")]
    assert re.findall(r"^ +(--\w+)", target, re.MULTILINE) == ["--stack", "--profile", "--region"]


def test_a_reader_that_goes_away_ends_the_tail_quietly(filtered: Site) -> None:
    run = filtered.start("tail", "--since", "1h")
    assert run.stdout and run.stderr
    run.stdout.close()
    assert (run.wait(SECONDS), run.stderr.read()) == (0, WAITING)


@pytest.mark.parametrize("command", LOOKS)
def test_a_full_disk_is_trouble_and_no_message_stays_hidden(make: MakeSite, command: tuple[str, ...]) -> None:
    site = make("fifo")
    send(site, "event")
    Log(site).write(logged("event"))
    emulator = site.stack.emulator
    settings = environment.for_emulator(emulator.instance, emulator.endpoint)
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [str(site.program), *command],
            env={**settings, "RELAY_STACK": site.stack.name},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
        )
    err = run.stderr.removeprefix(WAITING)
    assert (run.returncode, err.count("\n")) == (3, 1), run
    assert err.startswith("relayctl: the output cannot be written: No space left on device")
    check_untouched(site, ["event"], most_receives=1)
