"""`relayctl replay`, `peek --archive` and `count --archive`: what arrives again, its order, and what is reported."""

import json
import random
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Deploy, MakeSite
from repair import Done, Run, Site, attributes, body_of, dedup_id, event_of, spilled

from dev.stack import QUEUES, Message, Stack

pytestmark = pytest.mark.extended

NOON = datetime(2025, 11, 23, 12, tzinfo=UTC)
WINDOW = ("--since", "2025-11-23T12:00:00Z", "--until", "2025-11-23T14:00:00Z")


def written(time: datetime) -> str:
    """A time as the relay writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"


@dataclass
class Archived:
    """An event as the contract says that it is archived."""

    event: str
    at: datetime = NOON
    entity: str = "label"
    group: str | None = None
    body: str | None = None
    payload: bytes | None = None
    more: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Without its ending."""
        return f"archive/{self.entity}/{self.at:%Y/%m/%d/%H}/{written(self.at)}-{dedup_id(self.event)}"

    def record(self, site: Site) -> dict[str, Any]:
        record = spilled(self.event, self.entity, site.stack.is_fifo)
        record["MessageAttributes"] |= attributes(received_at=written(self.at), **self.more)
        record["MessageBody"] = body_of(self.event) if self.body is None else self.body
        if site.stack.is_fifo and self.group:
            record["MessageGroupId"] = self.group
        if self.payload is not None:
            # The payload itself is gone: a consumer's library has deleted it.
            pointer = site.pointer(self.event, f"payloads/{dedup_id(self.event)}/gone", len(self.payload))
            record["MessageBody"] = pointer["MessageBody"]
            size = pointer["MessageAttributes"]["ExtendedPayloadSize"]
            record["MessageAttributes"]["ExtendedPayloadSize"] = size
        return record

    def put(self, site: Site) -> str:
        if self.payload is not None:
            site.put(f"{self.key}.body", self.payload)
        return site.put(f"{self.key}.json", json.dumps(self.record(site)).encode())


def names(messages: list[dict[str, Any]]) -> list[str]:
    return [event_of(message) for message in messages]


def counts(done: Done) -> tuple[int, int, int, int]:
    summary = done.summary
    return summary["found"], summary["sent"], summary["skipped"], len(summary["kept"])


def test_a_window_arrives_again_unchanged_in_order_and_as_often_as_asked(site: Site) -> None:
    # Hours that sort after one another, in an order of writing that is another.
    times = [timedelta(), timedelta(milliseconds=1), timedelta(minutes=59), timedelta(hours=1), timedelta(minutes=119)]
    archived = [Archived(f"event{number}", NOON + time) for number, time in enumerate(times)]
    archived.insert(2, Archived("large", NOON + timedelta(minutes=2), payload=random.Random(1).randbytes(3_000_000)))
    # A repetition has a later received_at, which decides ties: a FIFO queue must not drop it.
    archived.insert(3, Archived("event0", NOON + timedelta(minutes=3)))
    outside = [Archived("before", NOON - timedelta(milliseconds=1)), Archived("after", NOON + timedelta(hours=2))]
    for each in reversed([*outside, *archived]):
        each.put(site)
    copies = set()
    for _ in range(2):
        done = site.run("replay", *WINDOW, "--json")
        assert (done.status, counts(done)) == (0, (7, 7, 0, 0)), done
        messages = site.messages()
        if not site.stack.is_fifo:
            messages.sort(key=lambda message: message["MessageAttributes"]["received_at"]["StringValue"])
        assert names(messages) == [each.event for each in archived]
        for message, each in zip(messages, archived, strict=True):
            record = each.record(site)
            if each.payload:
                copies.add(key := json.loads(message["Body"])[1]["s3Key"])
                assert site.stack.read_object(key) == each.payload
                assert key.split("/")[:2] == ["payloads", dedup_id("large")]
                record["MessageBody"] = site.pointer("large", key, len(each.payload))["MessageBody"]
            assert message["Body"] == record["MessageBody"]
            assert message["MessageAttributes"] == record["MessageAttributes"]
            assert message["Attributes"]["AWSTraceHeader"] == f"Root=1-5759e988-{each.event}"
            assert message["Attributes"].get("MessageGroupId") == record.get("MessageGroupId")
            fresh = message["Attributes"].get("MessageDeduplicationId", "")
            assert fresh.startswith(f"{dedup_id(each.event)}-") == site.stack.is_fifo and len(fresh) <= 128
    assert len(copies) == 2, "each message has a copy of its own"


def test_filters_choose(make: MakeSite) -> None:
    site = make("fifo")
    for minute, (event, entity, topic, project) in enumerate(
        [
            ("a", "label", "LABEL_CREATED", "p1"),
            ("b", "label", "LABEL_DELETED", "p2"),
            ("c", "workflow", "WORKFLOW_ACTION", "p1"),
            ("d", "unrouted", "ISSUE_CREATED", "p3"),
        ]
    ):
        at = NOON + timedelta(minutes=minute)
        Archived(event, at, entity, more={"event": topic, "project_id": project}).put(site)
    for words, expected in [
        (("--entity", "workflow", "--entity", "unrouted"), "cd"),
        (("--topic", "label_*", "--entity-id", "b", "--entity-id", "c"), "b"),
        (("--id", dedup_id("d")), "d"),
        (("--entity", "label", "--project", "p1"), "a"),
    ]:
        done = site.run("replay", *WINDOW, *words, "--json")
        assert done.status == 0, done
        arrived = [name for entity in QUEUES for name in names(site.messages(entity))]
        assert "".join(sorted(arrived)) == expected, words
        assert done.summary["sent"] == len(expected)


def test_all_can_go_to_another_queue(site: Site) -> None:
    # Of the other kind.
    is_fifo = not site.stack.is_fifo
    name = f"{site.stack.name}-other{'.fifo' if is_fifo else ''}"
    settings = {"FifoQueue": "true"} if is_fifo else {}
    archived = [Archived(f"e{n}", NOON + timedelta(minutes=n), entity) for n, entity in enumerate([*QUEUES, *QUEUES])]
    for each in archived:
        each.put(site)
    missing = f"http://127.0.0.1:4566/000000000000/{name}"
    assert f"there is no queue {missing}" in site.run("replay", *WINDOW, "--to", missing).error
    url = site.client("sqs").create_queue(QueueName=name, Attributes=settings)["QueueUrl"]
    done = site.run("replay", *WINDOW, "--to", url, "--json")
    assert (done.status, counts(done)) == (0, (10, 10, 0, 0)), done
    assert not any(site.stack.count().values())
    arrived = names(site.take(url))
    assert (arrived if is_fifo else sorted(arrived)) == [each.event for each in archived]


def test_a_deleted_queue_of_another_is_named_with_the_command_that_resumes(make: MakeSite) -> None:
    site = make()
    sqs, name = site.client("sqs"), f"{site.stack.name}-lost"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    for minute in range(3):
        Archived(f"event{minute}", NOON + timedelta(minutes=minute)).put(site)
    run = Run(site, "replay", *WINDOW, "--rate", "1", "--to", url)
    sent = {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]}
    run.wait_until(lambda: sqs.get_queue_attributes(**sent)["Attributes"]["ApproximateNumberOfMessages"] != "0")
    sqs.delete_queue(QueueUrl=url)
    done = run.end(None)
    assert done.status == 3, done
    [resume] = re.findall(
        f"relayctl: --to: there is no queue {url} any more; when it is back, resume with: (.*)", done.err
    )
    sqs.create_queue(QueueName=name)
    assert site.run(*resume.split()[1:]).status == 0
    assert {"event1", "event2"} <= set(names(site.take(url)))


def test_a_dry_run_changes_nothing_and_finds_a_missing_queue(site: Site) -> None:
    Archived("large", payload=b"x" * 10).put(site)
    Archived("small").put(site)
    before = set(site.stack.objects(""))
    done = site.run("replay", *WINDOW, "--dry-run", "--json")
    assert (done.status, done.summary["would_send"], done.summary["sent"]) == (0, 2, 0), done
    assert set(site.stack.objects("")) == before and not any(site.stack.count().values())
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("label"))
    assert "the queue of label does not exist" in site.run("replay", *WINDOW, "--dry-run").error


def test_what_is_no_event_is_named_and_left_out(make: MakeSite) -> None:
    site = make("fifo")

    def at(minute: int) -> datetime:
        return NOON + timedelta(minutes=minute)

    good = [Archived("first"), Archived("last", at(59))]
    for each in good:
        each.put(site)
    record = json.dumps(Archived("x", at(1)).record(site)).encode()
    hour = "archive/label/2025/11/23/12/"
    stamp = written(at(2))
    no_body = Archived("no body", at(5), payload=b"12345")
    cut_body = Archived("cut body", at(6), payload=b"12345")
    for each in (no_body, cut_body):
        each.put(site)
    site.stack.delete_object(f"{no_body.key}.body")
    site.put(f"{cut_body.key}.body", b"1234")
    bad = {
        site.put(f"{hour}notes.txt", b"hello"): "not that of an archived event",
        site.put(f"{hour}{stamp}-{dedup_id('half')}.json", record[:-9]): "not a stored message",
        site.put(f"{hour}{stamp}-{dedup_id('x')}.json", record): "received_at differ",
        site.put(f"{hour}{stamp}-{dedup_id('huge')}.json", b"x" * (4 * 2**20 + 1)): "more than a message can have",
        f"{no_body.key}.json": "body beside it is missing, or not whole",
        f"{cut_body.key}.json": "body beside it is missing, or not whole",
    }
    site.put("archive/label/2025/11/23/12/", b"")
    # Of another time: nobody asked for it.
    site.put("archive/label/readme.txt", b"")
    done = site.run("replay", *WINDOW, "--json")
    assert (done.status, counts(done)) == (1, (2 + len(bad), 2, 0, len(bad))), done
    assert done.kept.keys() == bad.keys()
    for key, reason in bad.items():
        assert reason in done.kept[key]
    assert names(site.messages()) == ["first", "last"]
    assert done.summary["resume"] is None


def test_without_an_archive_or_events_one_line_says_so(make: MakeSite) -> None:
    site = make()
    for option in ("--json", "--dry-run"):
        error = site.run("replay", *WINDOW, option).error
        assert "has no archived events" in error and "ArchiveDays" in error
    assert "no such unfinished replay" in site.run("replay", "--resume").error


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_sent(make: MakeSite) -> None:
    site = make()
    Archived("event").put(site)
    error = site.run("replay", *WINDOW, XDG_STATE_HOME="/dev/null").error
    assert "/dev/null/relayctl/replay" in error and "XDG_STATE_HOME" in error
    assert not any(site.stack.count().values())


def test_a_queue_that_refuses_ends_the_replay_which_can_be_resumed(site: Site) -> None:
    sqs, queue = site.client("sqs"), site.stack.queue_url("label")
    for minute in range(3):
        Archived(f"event{minute}", NOON + timedelta(minutes=minute)).put(site)
    settings = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    run = Run(site, "replay", *WINDOW, "--rate", "1", "--json")
    run.wait_until(lambda: site.stack.count()["label"])
    sqs.delete_queue(QueueUrl=queue)
    done = run.end(None)
    assert done.status == 3, done
    assert "the queue of label does not exist" in done.err
    resume = done.summary["resume"].split()[1:]
    assert resume[:2] == ["replay", "--resume"]
    kept = {"FifoQueue", "DeduplicationScope", "FifoThroughputLimit"} & settings.keys()
    sqs.create_queue(QueueName=queue.rsplit("/", 1)[1], Attributes={name: settings[name] for name in kept})
    assert site.run(*resume).status == 0
    assert {"event1", "event2"} <= set(names(site.messages()))
    assert site.run(*resume).status == 3, "it is complete"


def test_a_message_that_is_refused_holds_back_its_group_only(make: MakeSite) -> None:
    site = make("fifo")
    # SQS accepts no such character.
    for minute, (event, group, body) in enumerate(
        [("a1", "a", None), ("b1", "b", "\x00"), ("a2", "a", None), ("b2", "b", None), ("c1", "c", None)]
    ):
        Archived(event, NOON + timedelta(minutes=minute), group=group, body=body).put(site)
    done = site.run("replay", *WINDOW, "--json")
    assert (done.status, counts(done)) == (1, (5, 3, 0, 2)), done
    reasons = {key.rsplit("-", 1)[1]: reason for key, reason in done.kept.items()}
    assert "held back by" in reasons[f"{dedup_id('b2')}.json"]
    assert names(site.messages()) == ["a1", "a2", "c1"]


def test_peek_and_count_look_into_the_archive(make: MakeSite) -> None:
    site = make()
    archived = [
        Archived("a", NOON, more={"event": "LABEL_CREATED", "project_id": "p1"}),
        Archived("b", NOON + timedelta(hours=13), more={"event": "LABEL_CREATED", "project_id": "p2"}),
        Archived("c", NOON + timedelta(hours=14), payload=b"\xff\x00", more={"project_id": "p1"}),
        Archived("d", NOON + timedelta(hours=14), "review", more={"event": "REVIEW_CREATED"}),
    ]
    for each in archived:
        each.put(site)

    def peek(*words: str) -> list[dict[str, Any]]:
        done = site.run("peek", "label", "--archive", "--json", *words)
        assert done.status == 0, done
        return done.lines

    def entity_ids(*words: str) -> list[str]:
        return [each["attributes"]["entity_id"] for each in peek(*words)]

    first, _, third = peek()
    assert (first["body"], third["body_base64"], third["size"]) == (body_of("a"), "/wA=", 2)
    assert third["payload"]["key"] == f"{archived[2].key}.body"
    assert entity_ids() == ["a", "b", "c"]
    assert entity_ids("--since", "2025-11-24", "--count", "1") == ["b"]
    assert entity_ids("--entity-id", "c", "--project", "p1") == ["c"]
    text = site.run("peek", "label", "--archive", "--id", dedup_id("a")).out
    assert text.startswith("2025-11-23T12:00:00.000Z label     LABEL_CREATED      a project p1 "), text
    counted = site.run("count", "--archive", "--json")
    assert (counted.status, counted.summary["total"]) == (0, 4), counted
    rows = [(row["day"], row["entity"], row["topic"], row["events"]) for row in counted.summary["archived"]]
    assert rows == [
        ("2025-11-23", "label", "LABEL_CREATED", 1),
        ("2025-11-24", "label", "LABEL_CREATED", 1),
        ("2025-11-24", "label", "LABEL_UPDATED", 1),
        ("2025-11-24", "review", "REVIEW_CREATED", 1),
    ]
    for words, total in ((["--topic", "label_created", "--until", "2025-11-25"], 2), (["--entity", "review"], 1)):
        assert site.run("count", "--archive", *words, "--json").summary["total"] == total
    lines = [line.split() for line in site.run("count", "--archive").out.splitlines()]
    assert lines[0] == ["day", "entity", "topic", "events"] and lines[-1] == ["total", "4"]
    assert not any(site.stack.count().values())
    broken = site.put("archive/label/2025/11/24/00/notes.txt", b"")
    for words in (["peek", "label"], ["count"]):
        done = site.run(*words, "--archive")
        assert done.status == 1 and broken in done.err, done
    for words in (["peek", "unrouted"], ["count", "--since", "2025-12-01", "--until", "2025-12-02"]):
        assert "has no archived events" in site.run(*words, "--archive").error


def test_two_operators_at_once_send_all(make: MakeSite) -> None:
    site = make()
    for second in range(200):
        Archived(f"event{second}", NOON + timedelta(seconds=second)).put(site)
    runs = [Run(site, "replay", *WINDOW, "--json") for _ in range(2)]
    for run in runs:
        done = run.end(None)
        assert (done.status, counts(done)) == (0, (200, 200, 0, 0)), done
    arrived = names(site.messages())
    assert sorted(arrived) == sorted([f"event{second}" for second in range(200)] * 2)


def take(stack: Stack, entity: str) -> Iterator[Message]:
    while messages := stack.take(entity):
        yield from messages


def test_what_the_function_has_archived_is_replayed(
    deployed: Deploy, relayctl: Path, queue_type: str, tmp_path: Path
) -> None:
    """A consumer that deletes payloads with their messages, as AWS's own clients do, gets them back."""
    site = Site(deployed(f"replayed-{queue_type}", QueueType=queue_type, ArchiveDays="30"), relayctl)
    stack = site.stack
    large = tmp_path / "large.json"
    large.write_text(json.dumps({"id": "large", "padding": "x" * 1_500_000}))
    for words in (
        ["trigger", "LABEL_UPDATED", "--count", "300"],
        ["trigger", "LABEL_UPDATED", "--count", "20", "--set", "id=one", "--concurrency", "1"],
        ["trigger", "MOVE", "--count", "20"],
        ["send", "--topic", "LABEL_CREATED", str(large), str(large)],
    ):
        assert site.run(*words).status == 0

    def take_all() -> dict[str, tuple[bytes, dict[str, str]]]:
        taken = [message for entity in QUEUES for message in take(stack, entity)]
        events = {}
        for message in taken:
            events[message.attributes["dedup_id"]] = (stack.payload(message) or message.body, message.attributes)
            if key := stack.payload_key(message):
                stack.delete_object(key)
        assert len(events) == len(taken)
        return events

    before = take_all()
    assert len(before) == 342
    done = site.run("replay", "--since", "1h", "--json")
    assert (done.status, counts(done)) == (0, (342, 342, 0, 0)), done
    after = take_all()
    assert after == before
    for entity in QUEUES if stack.is_fifo else ():
        received = [attributes["received_at"] for _, attributes in after.values() if attributes["entity"] == entity]
        assert received == sorted(received)


def test_interrupted_replays_bring_each_event_back_in_order(make: MakeSite) -> None:
    """A consumer with a defect has deleted all events. They are replayed, interrupted three times."""
    site, two, archived = make("fifo"), ("label", "workflow"), []
    groups = random.Random(20)
    for number in range(5000):
        entity, at = two[number % 2], NOON + timedelta(milliseconds=number * 1300)
        archived.append(Archived(f"e{number}", at, entity, group=f"{entity}{groups.randrange(250)}"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: each.put(site), archived))
    received: list[dict[str, Any]] = []
    queues = [site.stack.queue_url(entity) for entity in two]
    words = command = ("replay", "--since", "2025-11-23", "--until", "2025-11-24", "--rate", "500")
    for number in (signal.SIGINT, signal.SIGKILL, signal.SIGINT):
        run = Run(site, *words)
        run.wait_until(lambda: sum(site.stack.count()[entity] for entity in two) >= 300)
        done = run.end(number)
        assert done.status == (130 if number == signal.SIGINT else -signal.SIGKILL), done
        received += [message for queue in queues for message in site.take(queue)]
        if number == signal.SIGINT:
            resume = re.findall(r"resume with: relayctl (.*)", done.out)[0]
            assert resume in done.err and resume.endswith(f" --stack {site.stack.name}"), done
        words = tuple(resume.split())
        replays = site.run("replay", "--list", "--json").summary["replays"]
        [listed] = [each for each in replays if each["resume"] == f"relayctl {resume}"]
        assert listed["command"] == f"relayctl {' '.join(command)}"
        assert f"replay {listed['id']}, begun " in site.run("replay", "--list").out
    done = site.run(*words)
    resumed = f"resumes replay {listed['id']}, begun {listed['begun']}: {listed['command']}; what was received before "
    assert done.status == 0 and f"{resumed}2025-11-23T1" in done.err, done
    assert resume not in site.run("replay", "--list").out
    received += [message for queue in queues for message in site.take(queue)]
    # What comes twice comes after what it repeats, or after what was sent before the loss of power.
    arrived = {name: message for message in reversed(received) for name in names([message])}
    assert arrived.keys() == {each.event for each in archived}
    order = list(dict.fromkeys(names(received)))
    group = {each.event: each.group or "" for each in archived}
    assert sorted(order, key=lambda name: group[name]) == sorted(group, key=lambda name: group[name])
    for each in archived:
        message, record = arrived[each.event], each.record(site)
        assert message["MessageAttributes"] == record["MessageAttributes"]
        assert (message["Body"], message["Attributes"]["MessageGroupId"]) == (record["MessageBody"], each.group)
