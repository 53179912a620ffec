"""The operator's tool as a process, looking: what it shows, what that costs those whose messages they are, and what filters take."""

import base64
import fcntl
import itertools
import json
import os
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from local import environment
from local.emulator import Emulator
from local.stack import QUEUES

from repair import Done, Site, attributes, body_of, dedup_id, end, key_of, make_site

pytestmark = pytest.mark.long

MakeSite = Callable[..., Site]
POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer"
SECONDS = 30
"""For what comes soon."""


@pytest.fixture(scope="session")
def make(running: Emulator, relayctl: Path) -> MakeSite:
    """Makes stacks of which no two have the same name, and whose messages have five receives, as the template's have."""
    numbers = itertools.count()
    return lambda queue_type, receives=5: make_site(running, relayctl, f"look-{next(numbers)}", queue_type, receives)


@pytest.fixture
def site(make: MakeSite, queue_type: str) -> Site:
    """An empty stack of each kind."""
    return make(queue_type)


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


class Tailing:
    """A tail at work."""

    def __init__(self, site: Site, *arguments: str) -> None:
        self._run = site.start("tail", *arguments)
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self._run.stdout
        for line in self._run.stdout:
            self.lines.append(line)

    def wait_for(self, count: int) -> list[str]:
        """Waits for so many lines."""
        deadline = time.monotonic() + SECONDS
        while len(self.lines) < count:
            assert self._run.poll() is None, self._run.communicate()
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.05)
        return list(self.lines)

    def end(self, number: signal.Signals | None = signal.SIGINT) -> Done:
        """Ends it, or waits for its end."""
        if number is not None:
            self._run.send_signal(number)
        assert self._run.stderr
        status = self._run.wait(SECONDS)
        self._reading.join(SECONDS)
        return Done(status, "".join(self.lines), self._run.stderr.read())


# ---- tail


def test_a_tail_shows_each_message_once_and_takes_none(site: Site) -> None:
    for event in names(25):
        send(site, event)
    done = site.run("tail", "label", "--count", "25", "--json")
    assert (done.status, done.err) == (0, "")
    assert sorted(about(done)) == names(25)
    check_untouched(site, names(25), most_receives=1)


def test_what_nobody_takes_is_received_once_and_not_again_for_nothing(site: Site) -> None:
    send(site, "event")
    done = site.run("tail", "--idle", "8s", "--json")
    assert (done.status, about(done)) == (0, ["event"])
    check_untouched(site, ["event"], most_receives=1)


def test_a_message_costs_two_receives_at_most_however_many_come_after_it(site: Site) -> None:
    tailing = Tailing(site, "label", "--json")
    for round_number in range(4):
        for event in names(3, first=3 * round_number):
            send(site, event)
        tailing.wait_for(3 * round_number + 3)
    done = tailing.end()
    assert (done.status, sorted(about(done))) == (0, names(12))
    check_untouched(site, names(12), most_receives=2)


def test_messages_are_visible_to_consumers_while_a_tail_waits_for_more(site: Site) -> None:
    tailing = Tailing(site, "label", "--json")
    send(site, "event")
    tailing.wait_for(1)
    [message] = wait_for(lambda: site.messages())
    assert event_of(message) == "event"
    numbers = itertools.count()
    # One that comes just as another goes may look like that other.
    wait_for(lambda: send(site, f"later{next(numbers)}") and len(tailing.lines) > 1)
    assert tailing.end().status == 0


def wait_for(find: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_what_comes_behind_a_kept_message_of_its_group_is_told_of(make: MakeSite) -> None:
    site = make("fifo")
    tailing = Tailing(site, "label", "--json")
    for event in names(2):
        site.send(event, MessageGroupId="one")
        tailing.wait_for(int(event[-1]) + 1)
    site.send("event002", MessageGroupId="one")
    time.sleep(4)  # the tail has nothing to show for what it finds out
    done = tailing.end()
    assert about(done) == names(2)
    assert "label: about 1 messages came behind others of their FIFO group" in done.err
    check_untouched(site, names(3), most_receives=2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_a_tail_has_in_hand_is_given_back_when_it_is_ended(site: Site, number: signal.Signals) -> None:
    for event in names(30):
        send(site, event)
    tailing = Tailing(site, "label", "--receives", "1", "--json")
    tailing.wait_for(30)
    assert not site.messages(), "they are hidden"
    done = tailing.end(number)
    assert (done.status, done.err.count("\n")) == (0, 1), done
    check_untouched(site, names(30), most_receives=1)


def test_a_tail_that_is_killed_leaves_messages_that_come_back(make: MakeSite) -> None:
    site = make("fifo")
    send(site, "event")
    tailing = Tailing(site, "label", "--receives", "1", "--json")
    tailing.wait_for(1)
    tailing.end(signal.SIGKILL)
    assert wait_for(lambda: [event_of(message) for message in site.messages()]) == ["event"]


def test_a_tail_that_keeps_messages_for_too_long_ends_by_itself(site: Site) -> None:
    send(site, "event")
    done = site.run("tail", "label", "--receives", "1", "--keep", "1s", "--json")
    assert (done.status, about(done)) == (1, ["event"])
    assert done.err.startswith("relayctl: label: messages that nobody takes were hidden for as long")
    check_untouched(site, ["event"], most_receives=1)


def test_messages_without_a_receive_left_are_told_of(make: MakeSite, queue_type: str) -> None:
    site = make(queue_type, receives=2)
    for event in names(2):
        send(site, event)
    assert site.run("peek", "label", "--json").err == ""
    done = site.run("tail", "label", "--count", "2")
    assert done.status == 0
    assert done.out.count("receive 2 of 2, its last") == 2
    assert "relayctl: label: 2 messages have no receive left" in done.err and "relayctl redrive label" in done.err
    assert not site.messages()
    assert site.run("redrive", "label", "--json").account["deleted"] == 2
    check_untouched(site, names(2), most_receives=0)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--for", "1s"), 0),
        (("--idle", "1s"), 0),
        (("--for", "1s", "--count", "2"), 1),
        (("--idle", "1s", "--count", "2"), 1),
        (("--count", "1"), 0),
    ],
)
def test_a_tail_ends_when_it_should_and_says_whether_all_came(make: MakeSite, arguments: tuple[str, ...], status: int) -> None:
    site = make("standard")
    send(site, "event")
    done = site.run("tail", "label", *arguments)
    assert (done.status, done.err) == (status, ""), done


def test_an_end_that_was_asked_for_and_has_not_come_is_an_interruption(make: MakeSite) -> None:
    site = make("standard")
    send(site, "event")
    tailing = Tailing(site, "label", "--count", "2", "--json")
    tailing.wait_for(1)
    assert tailing.end().status == 130


def test_queues_are_those_asked_for_or_all(site: Site) -> None:
    for entity in QUEUES:
        send(site, entity, entity)
    done = site.run("tail", "review", "model-run", "review", "--idle", "3s", "--json")
    assert sorted(about(done)) == ["model_run", "review"]
    done = site.run("tail", "--count", "5", "--json")
    assert sorted(about(done)) == sorted(QUEUES)
    for entity in QUEUES:
        check_untouched(site, [entity], most_receives=2, entity=entity)


def test_dead_letters_are_shown_too(site: Site) -> None:
    send(site, "alive", "review")
    send(site, "dead")
    site.let_die()
    done = site.run("tail", "--dead-letters", "--count", "1", "--json")
    assert (done.status, about(done)) == (0, ["dead"])
    assert json.loads(done.out)["dead_letter"] is True
    assert about(site.run("peek", "label", "--dead-letters", "--json")) == ["dead"]
    assert [event_of(letter) for letter in site.dead_letters()] == ["dead"]
    check_untouched(site, ["alive"], most_receives=0, entity="review")


def test_a_consumer_and_a_tail_at_once_lose_nothing(site: Site) -> None:
    consumed: list[str] = []
    stop = threading.Event()

    def consume() -> None:
        while not stop.is_set():
            consumed.extend(event_of(message) for message in site.messages())

    consumer = threading.Thread(target=consume)
    tailing = Tailing(site, "label", "--json")
    consumer.start()
    try:
        for event in names(60):
            send(site, event)
            time.sleep(0.05)
        done = tailing.end()
        wait_for(lambda: len(consumed) >= 60)
    finally:
        stop.set()
        consumer.join(SECONDS)
    assert sorted(consumed) == names(60), "each was consumed, and once"
    assert len(set(about(done))) == len(about(done))
    assert not any(site.stack.count().values()) and not site.dead_letters()


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
    assert (done.status, done.err) == (0, "relayctl: label: no message can be had; consumers have 1 in hand\n")


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
    message_id = site.send("event", MessageAttributes={**attributes(entity="label"), "b": {"DataType": "Binary", "BinaryValue": b"\xff"}})
    message = json.loads(site.run("peek", "label", "--json").out)
    system = message.pop("system")
    assert message == {
        "message_id": message_id,
        "queue": "label",
        "dead_letter": False,
        "attributes": {"entity": "label", "b": "/w=="},
        "body": body_of("event"),
        "size": len(body_of("event").encode()),
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
    done = site.run("tail", "label", "--count", "5", "--json")
    assert (done.status, done.err) == (0, "")
    shown = {message["attributes"]["entity_id"]: message for message in map(json.loads, done.out.strip().split("\n"))}
    assert shown["large"]["body"] == "x" * 2_000_000
    assert base64.b64decode(shown["binary"]["body_base64"]) == b"\xff\x00"
    assert shown["empty"]["body"] == ""
    assert shown["large"]["payload"] == {"bucket": site.bucket, "key": "payloads/large/1", "size": 2_000_000}
    assert "it cannot be had: NoSuchKey" in shown["gone"]["body_error"]
    assert "not the pointer that it should be" in shown["no pointer"]["body_error"]
    for arguments in (("peek", "label"), ("peek", "label", "--full")):
        done = site.run(*arguments)
        assert (done.status, done.err) == (0, "")
        assert f"s3://{site.bucket}/payloads/large/1" in done.out and "1.91 MiB" in done.out
        assert done.out.count("its body is missing: ") == 2
        assert (len(done.out) > 2_000_000) == ("--full" in arguments)


def test_a_terminal_has_colours_and_its_own_width(make: MakeSite) -> None:
    site = make("standard")
    site.send("event", MessageBody="word " * 100)
    for variables, is_coloured in ({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False):
        shown = on_terminal(site, ("peek", "label"), columns=60, **variables)
        assert ("\x1b[32m" in shown) is is_coloured, shown
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
        "queues": [{"queue": entity, **counted.get(entity, nothing)} for entity in QUEUES],
        "total": {"waiting": 2, "in_flight": 1, "dead_letters": 1, "spilled": 1},
        "foreign_objects": 0,
    }
    site.put("spill/notes.txt", b"mine")
    done = site.run("count")
    rows = [line.split() for line in done.out.strip().split("\n")]
    assert rows[0] == ["queue", "waiting", "in", "flight", "dead", "letters", "spilled"]
    assert rows[1] == ["label", "2", "1", "0", "0"] and rows[6] == ["total", "2", "1", "1", "1"]
    assert "1 objects under spill/ are no spilled messages" in done.out
    [letter] = site.dead_letters("review")
    assert letter["Attributes"]["ApproximateReceiveCount"] == "6", "five times by its consumer, once by us"


# ---- filters


def send_some(site: Site, put: Callable[..., Any]) -> None:
    """Three messages that filters tell apart."""
    put(site, "old", received_at="2026-11-22T12:00:00.000Z", project_id="p1")
    put(site, "new", received_at="2026-11-23T12:00:00.000Z", project_id="p1", event="LABEL_CREATED")
    put(site, "other", received_at="2026-11-23T13:00:00.000Z", project_id="p2")


FILTERS = [
    (("--topic", "label_created"), ["new"]),
    (("--topic", "LABEL_*"), ["new", "old", "other"]),
    (("--topic", "REVIEW_*"), []),
    (("--project", "p1"), ["new", "old"]),
    (("--project", "p1", "--project", "p2"), ["new", "old", "other"]),
    (("--since", "2026-11-23T12:00:00Z"), ["new", "other"]),
    (("--until", "2026-11-23T12:00:00Z"), ["old"]),
    (("--project", "p1", "--since", "2026-11-23T00:00:00Z"), ["new"]),
    (("--until", "1s"), ["new", "old", "other"]),
]


def test_a_look_shows_what_filters_take(make: MakeSite, queue_type: str) -> None:
    site = make(queue_type, receives=100)
    send_some(site, send)
    for arguments, taken in FILTERS:
        done = site.run("peek", "label", "--json", *arguments)
        assert sorted(about(done)) == taken, arguments
        left = 3 - len(taken)
        assert done.err == (f"relayctl: {left} others are not what the filter asks for\n" if left else "")
    done = site.run("tail", "label", "--json", "--topic", "LABEL_CREATED", "--idle", "3s")
    assert (done.status, about(done)) == (0, ["new"])
    check_untouched(site, ["old", "new", "other"], most_receives=100)


@pytest.mark.parametrize(("arguments", "taken"), FILTERS)
def test_repairs_move_what_filters_take_and_leave_the_rest(make: MakeSite, arguments: tuple[str, ...], taken: list[str]) -> None:
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
        assert (done.status, done.err) == (0, "") and counts.items() <= done.account.items(), done
        assert sorted(map(event_of, site.messages())) == taken
    assert sorted(map(event_of, dead.dead_letters())) == left, "and they are visible"
    assert spilled.objects() == {key_of(event) for event in left}


def test_people_read_how_many_were_skipped(make: MakeSite) -> None:
    site = make("standard")
    send_some(site, spill)
    assert "skipped             2\n" in site.run("replay-spill", "--project", "p2").out


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
    assert "cannot be seen" in done.kept["label group one"]
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


LOOKS = [("tail", "label"), ("tail",), ("peek", "label"), ("count",)]


@pytest.mark.parametrize("command", LOOKS)
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"RELAY_STACK": "nobodys"}, "there is no stack nobodys in us-east-1; name yours with --stack"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS did not answer cloudformation:DescribeStacks"),
        ({"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9"}, "AWS did not answer sqs:GetQueueAttributes"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no usable AWS credentials"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "no AWS region is set; give --region"),
    ],
)
def test_what_makes_a_look_impossible_is_said_on_one_line(
    make: MakeSite, command: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    done = make("fifo").run(*command, "--json", **variables)
    assert (done.status, done.out) == (3, "")
    assert done.err.startswith(f"relayctl: {said}") and done.err.count("\n") == 1, done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("tail", "labels"),
        ("tail", "--count", "0"),
        ("tail", "--for", "5"),
        ("tail", "--since", "yesterday"),
        ("tail", "--topic", "*_X"),
        ("peek",),
        ("peek", "label", "review"),
        ("peek", "label", "--count", "11"),
        ("count", "label"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(make: MakeSite, arguments: tuple[str, ...]) -> None:
    done = make("standard").run(*arguments, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (done.status, done.out) == (2, "") and done.err.startswith("error: "), done


def test_a_queue_that_goes_away_ends_the_tail_and_the_others_are_given_back(site: Site) -> None:
    send(site, "event")
    tailing = Tailing(site, "label", "review", "--receives", "1", "--json")
    tailing.wait_for(1)
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("review"))
    done = tailing.end(None)
    assert done.status == 3 and re.match(r"relayctl: AWS could not do sqs:(Receive|Get)", done.err), done
    assert done.err.count("\n") == 1
    check_untouched(site, ["event"], most_receives=1)


def test_a_reader_that_goes_away_ends_the_tail_quietly(site: Site) -> None:
    for event in names(3):
        send(site, event)
    run = site.start("tail", "label", "--receives", "1", "--json")
    assert run.stdout and run.stderr
    run.stdout.close()
    assert (run.wait(SECONDS), run.stderr.read()) == (0, "")
    check_untouched(site, names(3), most_receives=1)


@pytest.mark.parametrize("command", LOOKS)
def test_a_full_disk_is_trouble_and_no_message_stays_hidden(make: MakeSite, command: tuple[str, ...]) -> None:
    site = make("fifo")
    send(site, "event")
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
    assert (run.returncode, run.stderr.count("\n")) == (3, 1), run
    assert run.stderr.startswith("relayctl: it could not be printed: No space left on device")
    check_untouched(site, ["event"], most_receives=1)


def test_a_payload_store_that_cannot_be_had_ends_no_look(make: MakeSite) -> None:
    site = make("standard")
    point(site, "large", pointer_to(site, "payloads/large/1"), 7)
    done = site.run("peek", "label", "--json", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    assert done.status == 0 and "it cannot be had: " in json.loads(done.out)["body_error"]
