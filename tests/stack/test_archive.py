"""The archive: every accepted event is in it, as the queue got it, and the queries in examples/archive find it."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from conftest import Deploy

from dev.paths import PROJECT
from dev.samples import Request, event, load, offloaded
from dev.stack import QUEUES, Message, Stack

EVENTS: dict[str, Request] = {
    **{sample.name: sample.request for sample in load() if sample.expect["entity"]},
    **{kind.name: kind.request for kind in offloaded()},
}
"""One of each kind: every sample event, and what SQS cannot carry."""
EXAMPLES = PROJECT / "examples" / "archive"
KEY = re.compile(
    r"archive/(?P<entity>[a-z_]+)/(?P<folder>\d{4}/\d\d/\d\d/\d\d)/"
    r"(?P<received_at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)-(?P<dedup_id>[0-9a-f]{64})\.json"
)


@pytest.fixture(scope="module")
def archiving(deployed: Deploy, queue_type: str) -> Stack:
    return deployed(f"relay-archiving-{queue_type}", QueueType=queue_type, ArchiveDays="30")


@pytest.fixture(scope="module")
def taken(archiving: Stack) -> list[Message]:
    """What a consumer took of every kind of event. It deletes messages and payloads, as AWS's own clients do."""
    for request in EVENTS.values():
        assert archiving.answer(request)[0] == 200
    messages: list[Message] = []
    for entity in QUEUES:
        while some := archiving.take(entity, seconds=0):
            messages += some
    for key in filter(None, map(archiving.payload_key, messages)):
        archiving.delete_object(key)
    return messages


def records(stack: Stack) -> dict[str, dict[str, Any]]:
    """The archived records by their keys."""
    return {key: json.loads(stack.read_object(key)) for key in stack.objects("archive/") if key.endswith(".json")}


def test_every_accepted_event_is_archived_as_its_queue_got_it(archiving: Stack, taken: list[Message]) -> None:
    assert len(taken) == len(EVENTS)
    found = records(archiving)
    by_id = {(each.attributes["dedup_id"], each.attributes["received_at"]): each for each in taken}
    assert len(found) == len(by_id)
    for key, record in found.items():
        parts = KEY.fullmatch(key)
        assert parts, key
        message = by_id[parts["dedup_id"], parts["received_at"]]
        assert parts["folder"] == re.sub("[-T]", "/", parts["received_at"][:13])
        assert parts["entity"] == message.attributes["entity"]
        assert record["MessageBody"].encode() == message.body
        attributes = {name: each["StringValue"] for name, each in record["MessageAttributes"].items()}
        assert attributes == message.attributes
        assert record["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == message.system["AWSTraceHeader"]
        assert record.get("MessageGroupId") == message.system.get("MessageGroupId")


def test_a_pointers_body_is_still_there_when_its_payload_is_not(archiving: Stack, taken: list[Message]) -> None:
    assert archiving.objects("payloads/") == []
    found = records(archiving)
    pointers = [key for key in found if "ExtendedPayloadSize" in found[key]["MessageAttributes"]]
    bodies = {archiving.read_object(key.removesuffix(".json") + ".body") for key in pointers}
    assert bodies == {kind.body for kind in offloaded()}
    assert len(archiving.objects("archive/")) == len(EVENTS) + len(pointers)


def test_without_the_setting_nothing_is_archived(empty: Stack) -> None:
    assert empty.answer(event(b'{"id":"archived"}'))[0] == 200
    assert empty.objects("archive/") == []


def statements() -> list[str]:
    """A view, and queries on it."""
    return [each for each in (EXAMPLES / "duckdb.sql").read_text().split(";\n") if each.strip()]


@pytest.fixture(scope="module")
def database(
    archiving: Stack, taken: list[Message], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database beside a copy of the archive, with the view of the example."""
    folder = tmp_path_factory.mktemp("copy")
    for key in archiving.objects("archive/"):
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(archiving.read_object(key))
    with pytest.MonkeyPatch.context() as patch, duckdb.connect() as connection:
        patch.chdir(folder)
        connection.execute(statements()[0])
        yield connection


def test_the_documented_queries_find_events_and_bodies(
    database: duckdb.DuckDBPyConnection, taken: list[Message]
) -> None:
    count, history, of_project, bodies = statements()[1:]
    counted = {(topic, day): number for topic, day, number in database.execute(count).fetchall()}
    events = {(it.get("event"), it["received_at"][:10], it["dedup_id"]) for it in (each.attributes for each in taken)}
    assert counted == Counter((topic, day) for topic, day, _ in events)
    labels = [each.attributes for each in taken if each.attributes["entity"] == "label"]
    [(entity_id, times), *_] = Counter(each["entity_id"] for each in labels if "entity_id" in each).most_common()
    found = database.execute(history.replace("cl0sjr9nb9tfi0zatagsq5zw1", entity_id)).fetchall()
    assert len(found) == times > 1 and found == sorted(found)
    project = next(each.attributes["project_id"] for each in taken if "project_id" in each.attributes)
    found = database.execute(of_project.replace("ckm1qkb1v0bqx0797dvjt4wjt", project)).fetchall()
    assert {time for time, *_ in found} == {
        each.attributes["received_at"] for each in taken if project.encode() in each.body
    }
    found = database.execute(bodies.replace("ckm1qkb1v0bqx0797dvjt4wjt", "label1")).fetchall()
    assert len(found) == sum(b"label1" in kind.body for kind in offloaded()) > 0


def test_the_columns_of_the_athena_table_are_the_records_fields() -> None:
    table = (EXAMPLES / "athena.sql").read_text().partition("CREATE EXTERNAL TABLE")[2].partition(";")[0]
    columns = re.findall(r"^  (\w+) (?:string|map)", table, flags=re.MULTILINE)
    assert columns == ["MessageBody", "MessageAttributes", "MessageGroupId"]
    [entities] = re.findall("'projection.entity.values' = '([^']+)'", table)
    assert entities.split(",") == list(QUEUES)
    assert "s3://BUCKET/archive/${entity}/${hour}/" in table and "'yyyy/MM/dd/HH'" in table
