"""`relayctl tail`, `logs`, `peek`, `count` and filters: what they show, and that they cost messages nothing."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Deploy, MakeSite
from repair import SECONDS, WAITING, Done, Run, Site, attributes, body_of, dedup_id, event_of, key_of, names

from dev.stack import QUEUES
from dev.tcp_proxy import TcpProxy

pytestmark = pytest.mark.extended


def about(done: Done) -> list[str]:
    """What the messages are about that were printed for scripts."""
    return [message["attributes"]["entity_id"] for message in done.lines]


def known(name: str, entity: str, **more: str) -> dict[str, Any]:
    """Its attributes."""
    usual = {"event": "LABEL_UPDATED", "entity": entity, "entity_id": name, "dedup_id": dedup_id(name)}
    return attributes(**{**usual, **more})


def check_untouched(site: Site, events: list[str], most_receives: int) -> None:
    """All labels are there and visible, in the order of their groups, and were received that often at most."""
    messages = site.messages()
    assert sorted(map(event_of, messages)) == sorted(events)
    if site.stack.is_fifo:
        assert [event_of(message) for message in messages] == events
    # Once more by us.
    counts = [int(message["Attributes"]["ApproximateReceiveCount"]) for message in messages]
    assert max(counts) <= most_receives + 1, counts
    assert not site.dead_letters()


# ---- tail and logs


def logged(name: str, **more: Any) -> dict[str, Any]:
    """The log line of an event, as docs/configuration.md describes it."""
    line = {
        "timestamp": "2026-11-23T13:00:00.123Z",
        "level": "INFO",
        "message": "event queued",
        "route": "webhook",
        "webhook": "labelbox",
        "status": 200,
        "duration_ms": 12.4,
        "entity": "label",
        "event": "LABEL_CREATED",
        "entity_id": name,
    }
    return {**line, **more}


def test_a_tail_shows_each_request_of_the_relay_and_receives_nothing(deployed: Deploy, relayctl: Path) -> None:
    site = Site(deployed("tail"), relayctl)
    run = Run(site, "tail", "--json")
    run.wait_for_note("waiting for events")
    for topic in (["LABEL_CREATED"], ["--any-topic", "NEW_TOPIC"]):
        assert site.run("trigger", *topic).status == 0
    headers = [("content-type", "application/json"), ("x-hub-signature", "sha1=00")]
    assert site.stack.send("POST", "/webhooks/labelbox", headers, b"{}").status == 401
    run.wait_for(3)
    done = run.end()
    assert (done.status, done.err) == (0, WAITING), done
    assert [(line["message"], line["status"]) for line in done.lines] == [
        ("event queued", 200),
        ("event queued as unrouted", 200),
        ("request refused", 401),
    ]
    first = done.lines[0]
    text = site.run("tail", "--since", "10m", "--count", "3").out.splitlines()
    assert f" 200 queued   label     LABEL_CREATED      {first['entity_id']} " in text[0], text
    assert f" message {first['message_id']}" in text[0]
    assert " 200 unrouted unrouted  NEW_TOPIC " in text[1] and " reason unknown_topic" in text[1], text
    assert " 401 refused  webhook labelbox " in text[2] and "signature" in text[2], text
    [message] = site.messages()
    assert message["Attributes"]["ApproximateReceiveCount"] == "1", "once, by this test"


def test_a_tail_says_what_the_log_level_hides(make: MakeSite) -> None:
    done = make(log_level="warn").run("tail", "--for", "1s")
    assert done.err == "relayctl: the stack's LogLevel is warn: events that are queued are not in the log\n" + WAITING


def test_a_tail_shows_what_ended_the_function(make: MakeSite) -> None:
    site = make()
    id = "7c9567b5-7a7c-4ae4-a1a2-03a6d6e54c42"
    site.log(
        f"START RequestId: {id} Version: $LATEST",
        f"2026-11-23T13:00:00.000Z {id} Task timed out after 10.00 seconds",
        f"RequestId: {id} Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
        "thread 'main' (1) panicked at src/main.rs:7:5:",
        {"timestamp": "2026-11-23T13:00:01.000Z", "level": "ERROR", "message": "start failed", "error": "no\nregion"},
        {"level": "WARN", "message": "the payload was written twice"},
        logged("a"),
    )
    done = site.run("tail", "--since", "1h", "--for", "1s", "--status", "failed")
    assert [line.partition(" -   failed   ")[2] for line in done.out.splitlines()] == [
        f"function crashed: 2026-11-23T13:00:00.000Z {id} Task timed out after 10.00 seconds",
        f"function crashed: RequestId: {id} Error: Runtime exited with error: signal: killed Runtime.ExitError",
        "function crashed: thread 'main' (1) panicked at src/main.rs:7:5:",
        "start failed: no region",
    ]
    assert site.run("tail", "--since", "1h", "--for", "1s").out.count("\n") == 5


def test_a_tail_shows_late_lines_of_other_instances_and_each_line_once(make: MakeSite) -> None:
    site = make()
    run = Run(site, "tail", "--since", "1m", "--json")
    run.wait_for_note("waiting")
    for number, (name, stream, ago) in enumerate([("first", "one", 0), ("late", "two", 10), ("last", "one", 0)], 1):
        site.log(logged(name), stream=stream, ago=ago)
        run.wait_for(number)
    assert [line["entity_id"] for line in run.end().lines] == ["first", "late", "last"]


@pytest.fixture(scope="module")
def filtered(make: MakeSite) -> Site:
    site = make()
    review = {"entity": "review", "event": "REVIEW_CREATED"}
    site.log(logged("a"), logged("b", **review), logged("spilled", message="event spilled"))
    return site


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("label", "--status", "spilled", "--for", "1s"), 0, ""),
        (("--for", "1s", "--count", "9"), 1, "relayctl: 3 of 9 requests in 1s\n"),
        (("--count", "1"), 0, ""),
    ],
)
def test_a_tail_ends_when_it_should_and_says_whether_all_came(
    filtered: Site, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = filtered.run("tail", "--since", "1h", *arguments)
    assert (done.status, done.err, done.out.count("\n")) == (status, WAITING + says, 3 if says else 1), done


def test_a_tail_that_ends_while_aws_does_not_respond_fails(make: MakeSite) -> None:
    site = make()
    site.log(logged("a"))
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
    site = make()
    site.client("logs").delete_log_group(logGroupName=f"/{site.stack.name}")
    for command in ("tail", "logs"):
        error = site.run(command).error
        assert "logs:FilterLogEvents failed: ResourceNotFoundException" in error and "relayctl doctor" in error


def test_logs_are_printed_as_they_are_and_followed(make: MakeSite) -> None:
    site = make()
    site.log("old", ago=7200)
    site.log("START RequestId: r1 Version: $LATEST", logged("a"), "odd \x1b[2J\u202e")
    lines = ["START RequestId: r1 Version: $LATEST\n", json.dumps(logged("a")) + "\n", "odd \ufffd[2J\ufffd\n"]
    run = Run(site, "logs", "--follow")
    run.wait_for(3)
    site.log("new")
    assert run.wait_for(4) == [*lines, "new\n"]
    assert run.end().status == 0
    assert site.run("logs", "--since", "3h").out.startswith("old\n")
    first = site.run("logs", "--json").lines[0]
    assert first["message"] == "START RequestId: r1 Version: $LATEST"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["timestamp"])


# ---- peek


def test_a_peek_shows_the_front_and_gives_it_back_at_once(site: Site) -> None:
    for event in names(12):
        site.send(event)
    done = site.run("peek", "label", "--json")
    assert (done.status, done.err) == (0, "")
    assert about(done) == names(10)
    assert about(site.run("peek", "label", "--count", "1", "--json")) == ["event000"]
    check_untouched(site, names(12), most_receives=2)


def test_a_peek_says_that_there_is_nothing_and_why(make: MakeSite) -> None:
    site = make()
    done = site.run("peek", "label")
    assert (done.status, done.out, done.err) == (0, "", "relayctl: label: there are no messages\n")
    assert site.run("peek", "label", "--dead-letters").err == "relayctl: label dead letters: there are no messages\n"
    site.send("event")
    site.client("sqs").receive_message(QueueUrl=site.stack.queue_url("label"), VisibilityTimeout=60)
    done = site.run("peek", "label")
    assert (done.status, done.err) == (0, "relayctl: label: no message is visible; 1 in flight\n")


def test_no_peek_sends_a_message_to_the_dead_letter_queue(make: MakeSite, queue_type: str) -> None:
    site = make(queue_type, receives=2)
    site.send("event")
    notes = []
    for _ in range(5):
        done = site.run("peek", "label", "--json")
        assert (done.status, about(done)) == (0, ["event"])
        notes.append(done.err)
    sent_again = "relayctl: sent again as new, because this was the last receive: 1 message\n"
    assert notes == ["", sent_again, "", sent_again, ""]
    filtered = site.run("peek", "label", "--topic", "MOVE")
    assert (filtered.status, filtered.out) == (0, "")
    [message] = site.messages()
    assert (message["Body"], message["MessageAttributes"]) == (body_of("event"), known("event", "label"))
    assert message["Attributes"]["AWSTraceHeader"] == "Root=1-5759e988-event"
    assert message["Attributes"].get("MessageGroupId") == ("event" if site.stack.is_fifo else None)
    assert not site.dead_letters()


def test_people_get_two_lines_of_a_message_and_the_whole_body_when_asked_for(make: MakeSite) -> None:
    site = make()
    body = '{"id": 1,\n  "text": "' + "long " * 100 + '\x7f\x9b"}'
    more = {"project_id": "p1", "received_at": "2026-11-23T12:00:00.000Z"}
    site.send("event", MessageBody=body, MessageAttributes=known("event", "label", **more))
    first, second = site.run("peek", "label").out.splitlines()
    size = len(body.encode())
    expected = f"2026-11-23T12:00:00.000Z label     LABEL_UPDATED      event project p1 {size} B, receive 1 of 5"
    assert first == expected
    assert second.startswith('  {"id": 1, "text": "long long') and second.endswith("…") and len(second) == 200
    whole = site.run("peek", "label", "--full").out
    assert body.replace("\x7f\x9b", "\ufffd\ufffd") in whole, "and nothing steers the terminal"
    for variables, is_coloured in ({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False):
        screen = site.type([], "peek", "label", columns=60, **variables).screen
        assert ("\x1b[1m" in screen) is is_coloured, screen
        assert [len(line) for line in screen.splitlines() if "long" in line] == [60], screen


def test_scripts_get_all_that_there_is_of_a_message(site: Site) -> None:
    message_id = site.send(
        "event", MessageAttributes={**attributes(entity="label"), "b": {"DataType": "Binary", "BinaryValue": b"\xff"}}
    )
    [message] = site.run("peek", "label", "--json").lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["system"].pop("sent_at"))
    of_fifo = ("event", dedup_id("event")) if site.stack.is_fifo else (None, None)
    assert message == {
        "message_id": message_id,
        "queue": "label",
        "dead_letter": False,
        "attributes": {"entity": "label", "b": "/w=="},
        "body": body_of("event"),
        "size": len(body_of("event").encode()),
        "payload": None,
        "system": {
            "receive_count": 1,
            "max_receive_count": 5,
            "group_id": of_fifo[0],
            "deduplication_id": of_fifo[1],
            "trace": "Root=1-5759e988-event",
        },
    }


def test_pointers_are_resolved_and_what_cannot_be_had_is_said(make: MakeSite) -> None:
    site = make()
    for event, content in {"large": b"x" * 2_000_000, "binary": b"\xff\x00"}.items():
        site.send(event, **site.pointer(event, site.put(f"payloads/{event}/1", content), len(content)))
    site.send("gone", **site.pointer("gone", "payloads/gone/1", 7))
    site.send("no pointer", **{**site.pointer("no pointer", "x", 7), "MessageBody": '{"s3Key": 1}'})
    done = site.run("peek", "label", "--json")
    assert (done.status, done.err) == (1, "")
    shown = {message["attributes"]["entity_id"]: message for message in done.lines}
    assert shown["large"]["body"] == "x" * 2_000_000
    assert shown["large"]["payload"] == {"bucket": site.bucket, "key": "payloads/large/1"}
    assert shown["binary"]["body_base64"] == "/wA="
    assert "NoSuchKey" in shown["gone"]["body_error"]
    assert "not the pointer that it should be" in shown["no pointer"]["body_error"]
    done = site.run("peek", "label")
    assert f"s3://{site.bucket}/payloads/large/1" in done.out and "1.91 MiB" in done.out
    assert done.out.count("the body cannot be read: ") == 2 and len(done.out) < 2_000_000


# ---- count


def test_counts_are_those_of_each_queue_and_change_nothing(make: MakeSite) -> None:
    site = make("fifo")
    for event in names(3):
        site.send(event)
    site.client("sqs").receive_message(QueueUrl=site.stack.queue_url("label"), VisibilityTimeout=60)
    site.send("dead", "review")
    site.dead_letter_all("review")
    site.spill("spilled", "review")
    site.put("spill/label/", b"")
    site.put("spill/notes.txt", b"mine")
    done = site.run("count", "--json")
    assert (done.status, done.err) == (0, "")
    nothing = {"waiting": 0, "in_flight": 0, "dead_letters": 0, "spilled": 0}
    counted = {
        "label": {**nothing, "waiting": 2, "in_flight": 1},
        "review": {**nothing, "dead_letters": 1, "spilled": 1},
    }
    assert done.summary == {
        "target": {"account": "000000000000", "region": "us-east-1", "stack": site.stack.name},
        "queues": [{"queue": entity, **counted.get(entity, nothing)} for entity in QUEUES],
        "total": {"waiting": 2, "in_flight": 1, "dead_letters": 1, "spilled": 1},
        "foreign_objects": 1,
        "missing": [],
    }
    done = site.run("count")
    rows = [line.split() for line in done.out.strip().split("\n")]
    assert rows[0] == ["queue", "waiting", "in", "flight", "dead", "letters", "spilled"]
    assert rows[1] == ["label", "2", "1", "0", "0"] and rows[6] == ["total", "2", "1", "1", "1"]
    assert "not spilled messages, though under spill/: 1 object\n" in done.out
    [letter] = site.dead_letters("review")
    assert letter["Attributes"]["ApproximateReceiveCount"] == "6", "five times by its consumer, once by us"


# ---- filters


@pytest.mark.parametrize(
    ("arguments", "taken"),
    [
        (("--topic", "label_c*"), ["new"]),
        (("--project", "p1", "--project", "p2"), ["new", "old", "other"]),
        (("--since", "2026-11-23", "--until", "2026-11-23T13:00:00Z"), ["new"]),
    ],
)
def test_what_filters_take_is_shown_and_moved_and_the_rest_stays(
    make: MakeSite, arguments: tuple[str, ...], taken: list[str]
) -> None:
    dead, spilled = make("fifo"), make()
    put: Callable[..., str]
    for put in (dead.send, spilled.spill):
        for name, day, more in (
            ("old", 22, {"project_id": "p1"}),
            ("new", 23, {"project_id": "p1", "event": "LABEL_CREATED"}),
            ("other", 24, {"project_id": "p2"}),
        ):
            received_at = f"2026-11-{day}T12:00:00.000Z"
            put(name, MessageAttributes=known(name, "label", received_at=received_at, **more))
    peek = dead.run("peek", "label", "--json", *arguments)
    assert sorted(about(peek)) == taken
    assert peek.err == f"relayctl: looked at 3 messages; {len(taken)} shown\n"
    dead.dead_letter_all()
    left = sorted({"old", "new", "other"} - set(taken))
    for site, command in (dead, ("redrive", "label")), (spilled, ("replay-spill",)):
        dry = site.run(*command, "--json", "--dry-run", *arguments)
        assert (dry.status, dry.summary["would_send"], dry.summary["skipped"]) == (0, len(taken), len(left))
        done = site.run(*command, "--json", *arguments)
        counts = {"found": 3, "sent": len(taken), "deleted": len(taken), "skipped": len(left), "kept": []}
        assert (done.status, done.warnings) == (0, "") and counts.items() <= done.summary.items(), done
        assert sorted(map(event_of, site.messages())) == taken
    assert sorted(map(event_of, dead.dead_letters())) == left, "and they are visible"
    assert spilled.objects() == {key_of(event) for event in left}


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(14, range(8, 13)), (12, range(10, 12))],
    ids=["neither at the front nor at the end", "out of reach"],
)
def test_a_filter_keeps_the_order_within_a_group_and_names_what_it_cannot_reach(
    make: MakeSite, count: int, chosen: range
) -> None:
    site = make("fifo", receives=1)
    events = names(count)
    wanted = [events[number] for number in chosen]
    for event in events:
        project = "p2" if event in wanted else "p1"
        site.send(event, MessageGroupId="one", MessageAttributes=known(event, "label", project_id=project))
    site.dead_letter_all()
    done = site.run("redrive", "label", "--project", "p2", "--json")
    reached = [] if done.status else wanted
    assert list(map(event_of, site.messages())) == reached
    assert list(map(event_of, site.dead_letters())) == [event for event in events if event not in reached]
    if count == 14:
        assert (done.status, done.summary["deleted"], done.summary["skipped"]) == (0, 5, 9), done
    else:
        assert (done.status, done.summary["sent"], done.summary["skipped"]) == (1, 0, 10), done
        assert "SQS does not show what may come after" in done.kept["label group one"]


def test_a_redrive_of_all_goes_on_past_a_queue_that_is_broken(make: MakeSite) -> None:
    site = make("fifo")
    for entity in QUEUES:
        site.send(entity, entity)
        site.dead_letter_all(entity)
    site.client("sqs").delete_queue(QueueUrl=site.stack.dead_letter_queue_url("workflow"))
    done = site.run("redrive", "all", "--json")
    assert (done.status, done.summary["deleted"]) == (1, 4), done
    assert "NonExistentQueue" in done.kept["workflow"] or "QueueDoesNotExist" in done.kept["workflow"]
    assert site.run("redrive", "workflow").status == 3


# ---- output that cannot be written


def test_a_reader_that_goes_away_ends_the_tail_quietly(filtered: Site) -> None:
    run = filtered.start("tail", "--since", "1h")
    assert run.stdout and run.stderr
    run.stdout.close()
    assert (run.wait(SECONDS), run.stderr.read()) == (0, WAITING)


def test_a_full_disk_is_an_error_and_no_message_stays_hidden(make: MakeSite) -> None:
    site = make("fifo")
    site.send("event")
    site.log(logged("event"))
    commands = [("tail", "--since", "1h"), ("logs",), ("peek", "label"), ("count",), ("replay-spill",)]
    for command in commands:
        with Path("/dev/full").open("w") as full:
            run = site.start(*command, output=full)
        _, err = run.communicate(timeout=SECONDS)
        error = Done(run.returncode, "", err).error
        assert error.startswith("relayctl: the ") and "No space left on device" in error, command
    check_untouched(site, ["event"], most_receives=1)
