"""The example consumers at work: in whatever order and however often events come, the newest ones are left."""

import hashlib
import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from consumers import Consumer, Node, Python, Rust, consumer, ended, function  # noqa: F401 (a fixture)
from feed import Event, Feed, feed, slow_bucket
from sqs_extended_client import SQSExtendedClientSession

from dev.emulator import Emulator

CREATED, UPDATED, DELETED = "LABEL_CREATED", "LABEL_UPDATED", "LABEL_DELETED"
NOT_UTF8 = b'{"id":"\xff\xfe\x00"}'


@pytest.fixture
def fed(running: Emulator, queue_type: str) -> Iterator[Feed]:
    """A queue of each kind, with nothing in it."""
    with feed(running, queue_type) as new:
        yield new


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}.000Z"


def label(topic: str, second: int, payload: bytes | None = None, entity_id: str = "a label") -> Event:
    payload = json.dumps([entity_id, second]).encode() if payload is None else payload
    return Event(topic, "label", payload, entity_id, at(second), by_pointer=payload in (b"", NOT_UTF8))


def stream(rng: random.Random) -> list[Event]:
    """Events of many entities at few times, so that many have the same one, and of none, of all kinds of payloads."""
    events = []
    for entity, prefix in (("label", "LABEL"), ("review", "REVIEW"), ("workflow", "WORKFLOW")):
        for entity_id in ("1", "2", "3", "größer als 3", "event#5"):
            for n in range(rng.randint(2, 5)):
                what = rng.choice(["CREATED", "UPDATED", "UPDATED", "DELETED"])
                occurred_at = at(rng.randint(0, 3))
                payload, by_pointer = _payload(rng, f"{entity} {entity_id} {n}")
                events.append(Event(f"{prefix}_{what}", entity, payload, entity_id, occurred_at, by_pointer))
    for n in range(3):
        events.append(Event("MODEL_RUN_CREATED", "model_run", b'{"modelRunId":"run","n":%d}' % n, "run"))
        events.append(Event("MOVE", "workflow", b'{"dataRow":{"id":"1"},"n":%d}' % n, "1"))
        events.append(Event("TOMORROWS_TOPIC", "unrouted", b"[%d]" % n))
        events.append(Event("ISSUE_DELETED", "unrouted", b'{"n":%d}' % n, occurred_at=at(n)))
    events.append(Event("LABEL_UPDATED", "unrouted", b"", by_pointer=True))
    events.append(Event("LABEL_UPDATED", "unrouted", NOT_UTF8, by_pointer=True))
    events.append(Event("LABEL_UPDATED", "label", rng.randbytes(4_300_000), "large", at(9), by_pointer=True))
    return events


def _payload(rng: random.Random, unique: str) -> tuple[bytes, bool]:
    text = json.dumps({"of": unique, "text": "ü" * rng.choice([0, 100, 20_000])}).encode()
    return (text + b"\xff", True) if rng.random() < 0.1 else (text, rng.random() < 0.2)


def expected(deliveries: list[Event]) -> dict[str, tuple[str, str, str]]:
    """The rule: the newest is left of each entity, and of two with the same time the one that was received later."""
    final = {}
    for event in sorted(deliveries, key=lambda each: (each.occurred_at or "", each.received_at, each.dedup_id)):
        in_order = event.entity_id is not None and event.occurred_at is not None
        id = f"{event.entity}#{event.entity_id}" if in_order else f"event#{event.dedup_id}"
        final[id] = (event.dedup_id, event.received_at, hashlib.sha256(event.payload).hexdigest())
    return final


def found(fed: Feed, table: str | None = None) -> dict[str, tuple[str, str, str]]:
    """What the consumers have left: of each id, which delivery of which event, and which bytes they had for it."""
    items = fed.items(table)
    return {id: (item["dedup_id"], item["received_at"], item["sha256"]) for id, item in items.items()}


def deliver_shuffled(fed: Feed) -> list[Event]:
    """Delivers events up to three times each, received at few times, so that many of them are ties."""
    seed = int(os.environ.get("SEED", random.randrange(10**9)))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    events = stream(rng)
    assert len(events) == len({event.dedup_id for event in events})
    copies = [event for event in events for _ in range(rng.choice([1, 1, 2, 3]))]
    deliveries = [replace(event, received_at=at(10 + rng.randint(0, 9))) for event in copies]
    rng.shuffle(deliveries)
    for delivery in deliveries:
        fed.deliver(delivery)
    assert len(deliveries) > len(events)
    return deliveries


def test_of_a_shuffled_and_repeated_stream_the_newest_are_left(consumer: Consumer, fed: Feed) -> None:
    deliveries = deliver_shuffled(fed)
    done = consumer.drain(fed)
    assert done.all_done
    assert found(fed) == expected(deliveries)
    assert fed.left() == 0
    assert len(set(done.lines)) == len(done.lines) >= len(expected(deliveries)), "one consumer does no work twice"


def test_several_consumers_at_once_and_one_after_them_leave_the_same(fed: Feed, running: Emulator) -> None:
    deliveries = deliver_shuffled(fed)
    consumers = [kind.build(running.instance) for kind in (Python, Rust, Node)]
    for program in [consumer.start(fed) for consumer in consumers]:
        assert ended(program).all_done
    assert found(fed) == expected(deliveries)
    for delivery in deliveries:
        fed.deliver(delivery)
    late = Python().drain(fed)
    assert (late.all_done, late.lines) == (True, []), "all of it is known"
    assert found(fed) == expected(deliveries)


def test_the_table_says_what_the_newest_was(consumer: Consumer, fed: Feed) -> None:
    fed.deliver(label(UPDATED, 1, NOT_UTF8))
    assert consumer.drain(fed).all_done
    [item] = fed.items().values()
    del item["delivery_id"]
    assert item == {
        "id": "label#a label",
        "version": f"{at(1)} 2026-01-01T00:00:00.000Z {item['dedup_id']}",
        "event": UPDATED,
        "entity": "label",
        "entity_id": "a label",
        "occurred_at": at(1),
        "received_at": "2026-01-01T00:00:00.000Z",
        "dedup_id": label(UPDATED, 1, NOT_UTF8).dedup_id,
        "ExtendedPayloadSize": str(len(NOT_UTF8)),
        "bytes": str(len(NOT_UTF8)),
        # printf '{"id":"\377\376\000"}' | sha256sum
        "sha256": "59478ed6ed6515c8d7729a0a5e833866b85d52d080f7dacdacb51d6f9ee8dc1c",
    }


@pytest.mark.parametrize("kind", [Python, Node])
def test_events_of_a_forgotten_window_are_processed_again(
    kind: type[Python | Node], fed: Feed, running: Emulator
) -> None:
    consumer = kind.build(running.instance)
    # More than one page of a scan, which has up to 1 MB.
    events = [replace(label(UPDATED, 1, entity_id=f"{n} {'x' * 2000}"), received_at=at(n % 3)) for n in range(3 * 200)]
    assert consumer.invoke(fed, [fed.record(event, str(n)) for n, event in enumerate(events)]) == []
    assert consumer.forget(fed, (at(1), at(2))) == 200
    replayed = events[:30]
    for event in replayed:
        fed.deliver(event)
    done = consumer.drain(fed)
    assert (done.all_done, len(done.lines)) == (True, 10), "those received at another time are known"
    assert found(fed) == expected([each for n, each in enumerate(events) if n % 3 != 1 or n < 30])


def test_what_fails_stays_in_the_queue_and_the_rest_is_done(consumer: Consumer, fed: Feed) -> None:
    lost, short, well = label(UPDATED, 1, b"", "lost"), label(UPDATED, 1, NOT_UTF8, "short"), label(UPDATED, 1)
    fed.deliver(lost, keep_payload=False)
    fed.deliver(short, wrong_bytes=1)
    fed.deliver(well)
    done = consumer.drain(fed)
    assert not done.all_done
    assert fed.items().keys() == {"label#a label"}
    assert fed.left() == 2
    assert "NoSuchKey" in done.log and f"the payload has {len(NOT_UTF8)} bytes, not {len(NOT_UTF8) + 1}" in done.log

    assert consumer.invoke(fed, [fed.record(lost, "1"), fed.record(short, "2")]) == []
    assert found(fed) == expected([lost, short, well]), "nothing was remembered of what had failed"


def test_a_failure_holds_up_its_own_group_and_no_other(consumer: Consumer, fed: Feed) -> None:
    before, lost, behind = label(CREATED, 1), label(UPDATED, 2, b""), label(UPDATED, 3)
    other = label(UPDATED, 1, entity_id="another")
    records = [
        fed.record(before, "before"),
        fed.record(lost, "lost", keep_payload=False),
        fed.record(other, "other"),
        fed.record(behind, "behind"),
    ]
    failed = consumer.invoke(fed, records)
    assert failed == (["lost", "behind"] if fed.is_fifo else ["lost"])
    assert found(fed) == expected([before, other] if fed.is_fifo else [before, other, behind])


def test_of_what_lambda_passes_to_a_function_the_newest_are_left(consumer: Consumer, fed: Feed) -> None:
    events = stream(random.Random(1))[:10]
    records = [fed.record(event, str(n)) for n, event in enumerate([*reversed(events), *events])]
    assert consumer.invoke(fed, records) == []
    assert found(fed) == expected(events)
    assert consumer.invoke(fed, []) == []


@pytest.mark.parametrize(
    "instead", [{}, {"CodeUri": "examples/node/", "Runtime": "nodejs22.x"}], ids=["python", "node"]
)
def test_the_documents_function_leaves_what_failed_in_the_queue(
    instead: dict[str, str], fed: Feed, running: Emulator
) -> None:
    Node.build(running.instance)
    lost, events = label(UPDATED, 1, b"", "lost"), [label(CREATED, 1), label(DELETED, 3), label(UPDATED, 2)]
    fed.deliver(lost, keep_payload=False)
    for event in events:
        fed.deliver(event)
    with function(fed, **instead) as table:
        deadline = time.monotonic() + 60
        while fed.left() > 1:
            assert time.monotonic() < deadline, fed.left()
        assert found(fed, table) == expected(events)
    assert fed.left() == 1


def test_a_message_from_elsewhere_fails(consumer: Consumer, fed: Feed) -> None:
    foreign: dict[str, Any] = {"messageId": "1", "receiptHandle": "", "body": "hello", "attributes": {}}
    foreign["messageAttributes"] = {}
    assert consumer.invoke(fed, [foreign, fed.record(label(UPDATED, 1), "2")]) == ["1"]


def test_an_older_event_that_took_longer_does_not_undo_a_newer_one(consumer: Consumer, fed: Feed) -> None:
    older, newer = label(UPDATED, 1, NOT_UTF8), label(UPDATED, 2)

    def overtake() -> None:
        assert Python().invoke(fed, [fed.record(newer, "newer")]) == []
        assert found(fed) == expected([newer])

    with slow_bucket(NOT_UTF8, overtake) as address:
        assert consumer.invoke(fed, [fed.record(older, "older")], AWS_ENDPOINT_URL_S3=address) == []
    assert found(fed) == expected([newer])


@pytest.fixture
def amazons_client(running: Emulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The reader of pointers that AWS publishes."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
    return SQSExtendedClientSession().client("sqs")


def test_amazons_own_client_reads_what_is_text(amazons_client: Any, fed: Feed) -> None:
    payloads = {name: name.encode() + b"\n" + "ü\ufffe\x01".encode() * 500_000 for name in ("one", "two")}
    for name, payload in payloads.items():
        event = Event(UPDATED, "label", payload, name, at(1), by_pointer=True)
        fed.deliver(event)
        [message] = amazons_client.receive_message(QueueUrl=fed.queue, MessageAttributeNames=["All"])["Messages"]
        assert message["Body"].encode() == payload
        assert message["MessageAttributes"]["dedup_id"]["StringValue"] == event.dedup_id
        # It cannot delete here: it takes receipt handles apart at hyphens, and the emulator's have some of their own.


def test_amazons_own_client_reads_an_empty_payload_and_none_that_is_no_text(amazons_client: Any, fed: Feed) -> None:
    fed.deliver(label(UPDATED, 1, b""))
    [message] = amazons_client.receive_message(QueueUrl=fed.queue)["Messages"]
    assert message["Body"] == ""
    fed.deliver(label(UPDATED, 1, NOT_UTF8, "another"))
    with pytest.raises(UnicodeDecodeError):
        amazons_client.receive_message(QueueUrl=fed.queue)
