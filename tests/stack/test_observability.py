"""What is counted and what can be asked: everything is made to happen, and has to be in the metrics and in the log."""

import json
import re
from collections.abc import Callable

import pytest
from conftest import Deploy
from insights import Event, Row, run
from watched import ELSEWHERE, SETTINGS, Watched, live_through_it_all, log_of

from dev.gate import Gate
from dev.metrics import PAGE, Metric, documented, emitted, total
from dev.stack import Stack

REASONS = {
    "signature_rejected": 3,
    "not_found": 1,
    "unsupported_media_type": 2,
    "method_not_allowed": 1,
    "malformed_base64": 1,
}
QUERY = re.compile(r"^### ([^\n]+)\n[^#]*?```text\n(.+?)```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def relay(deployed: Deploy, secrets_manager: Gate) -> Stack:
    """A relay to which everything has happened."""
    return live_through_it_all(deployed("relay-watched", **SETTINGS), secrets_manager).stack


@pytest.fixture(scope="module")
def observing(deployed: Deploy) -> Stack:
    """One that lets in whom it does not know."""
    stack = deployed("relay-watching", AllowedSourceCidrs=ELSEWHERE, SourceCheck="observe", LogLevel="error")
    assert Watched(stack).label(1, "observed") == 200
    return stack


@pytest.fixture(scope="module")
def guarded(deployed: Deploy) -> Stack:
    """One that doesn't."""
    stack = deployed("relay-watchful", AllowedSourceCidrs=ELSEWHERE)
    assert Watched(stack).label(1, "refused") == 403
    return stack


@pytest.fixture(scope="module")
def stale(relay: Stack) -> int:
    """How many events came while the secret was known to be old, which depends on the function's pace."""
    return sum(json.loads(line).get("delivery_id") == "stale" for line in relay.logs() if line.startswith("{"))


def test_each_thing_that_happens_is_counted(relay: Stack, stale: int) -> None:
    found = relay.metrics()
    assert {metric.namespace for metric in found} == {f"LabelboxRelay/{relay.name}"}
    refused = sum(REASONS.values())
    counts = {
        "Received": 11 + refused + stale + 3,
        "Queued": 10 + stale,
        "Unrouted": 2,
        "Spilled": 2,
        "Pointer": 2,
        "ArchiveFailed": 1,
        "Refused": refused,
        "RefusedWithValidSignature": 2,
        "Failed": 1,
        "SourceNotAllowed": 0,
    }
    assert {name: total(found, name) for name in counts} == counts
    assert total(found, "SecretStale") >= 1
    entities = {"label": 5 + stale, "workflow": 1, "review": 1, "model_run": 1, "unrouted": 2}
    assert by(found, "Queued", "Entity") == entities
    assert by(found, "Refused", "Reason") == REASONS


def test_sources_that_are_not_allowed_are_counted_whatever_becomes_of_them(observing: Stack, guarded: Stack) -> None:
    found = observing.metrics(), guarded.metrics()
    assert [total(each, "SourceNotAllowed") for each in found] == [1, 1]
    assert [total(each, "Queued") for each in found] == [1, 0]
    assert [total(each, "RefusedWithValidSignature") for each in found] == [0, 1]
    assert by(found[1], "Refused", "Reason") == {"source_not_allowed": 1}


def test_sizes_and_times_are_measured_where_there_are_any(relay: Stack) -> None:
    found = relay.metrics()
    sizes = values(found, "BodyBytes")
    assert len(sizes) < len(values(found, "Received")) and max(sizes) > 4000
    for name, least in (("TotalTime", 20), ("SecretTime", 1), ("PayloadTime", 2), ("QueueTime", 10), ("SpillTime", 3)):
        times = values(found, name)
        assert len(times) >= least, name
        assert all(0 <= each < 10_000 for each in times), name
    assert max(values(found, "TotalTime")) > max(values(found, "PayloadTime"))


def test_every_metric_that_is_documented_is_emitted_as_that_and_no_other(
    relay: Stack, observing: Stack, guarded: Stack
) -> None:
    found: dict[str, set[tuple[str, str]]] = {}
    for metric in [*relay.metrics(), *observing.metrics(), *guarded.metrics()]:
        dimensions = ",".join(name for name, _ in metric.dimensions)
        found.setdefault(metric.name, set()).add((metric.unit, dimensions))
    expected = {name: {(metric.unit, ""), (metric.unit, metric.by or "")} for name, metric in documented().items()}
    assert found == expected


def test_the_line_of_a_refused_request_with_a_valid_signature_says_so(relay: Stack) -> None:
    refused = [json.loads(line) for line in relay.logs() if '"Refused":1' in line]
    said = [(line["Reason"], line["valid_signature"]) for line in refused if "valid_signature" in line]
    counted = [line["Reason"] for line in refused if "RefusedWithValidSignature" in line]
    assert said == [("not_found", "true"), ("unsupported_media_type", "true")]
    assert counted == [reason for reason, _ in said]


def test_an_uptime_check_has_no_metrics(relay: Stack) -> None:
    get, head = (line for line in relay.logs() if '"route":"health"' in line)
    assert emitted([get, head]) == []


def test_an_invocation_without_a_request_is_logged_and_has_no_metrics(relay: Stack) -> None:
    [line] = [line for line in relay.logs() if '"invocation is not an HTTP request"' in line]
    assert json.loads(line)["level"] == "INFO"
    assert emitted([line]) == []


def test_a_line_that_the_level_hides_is_nothing_but_metrics(observing: Stack) -> None:
    [line] = [json.loads(line) for line in observing.logs() if line.startswith("{")]
    names = {"_aws", "Entity", "Received", "Queued", "SourceNotAllowed", "BodyBytes", "TotalTime", "QueueTime"}
    assert names <= set(line) <= names | {"SecretTime"}


def by(found: list[Metric], name: str, dimension: str) -> dict[str, float]:
    """The sums of a metric by the values of its dimension."""
    sums: dict[str, float] = {}
    for metric in found:
        if metric.name == name and metric.dimensions:
            [(key, value)] = metric.dimensions
            assert key == dimension
            sums[value] = sums.get(value, 0) + metric.value
    return sums


def values(found: list[Metric], name: str) -> list[float]:
    """The values of a metric as a whole."""
    return [metric.value for metric in found if (metric.name, metric.dimensions) == (name, ())]


@pytest.fixture(scope="module")
def events(relay: Stack, observing: Stack, guarded: Stack) -> list[Event]:
    """The lines of all three, and two as Lambda writes them on AWS: the emulator's say nothing of cold starts."""
    made = [
        Event(
            start,
            f"REPORT RequestId: 1\tDuration: 5.10 ms\tBilled Duration: 45 ms\tMemory Size: 128 MB\t"
            f"Max Memory Used: 22 MB\tInit Duration: {init} ms\t",
        )
        for start, init in ((1_700_000_000_000, "38.50"), (1_700_000_100_000, "41.25"))
    ]
    return [*log_of(relay), *log_of(observing), *log_of(guarded), *made]


def queries() -> dict[str, str]:
    """The queries of the document by their headings."""
    section = PAGE.read_text().split("## Queries", 1)[1]
    found = dict(QUERY.findall(section))
    assert len(found) == section.count("```") // 2
    return found


Check = Callable[[list[Row], int], None]


def errors(rows: list[Row], _: int) -> None:
    assert [row["message"] for row in rows] == ["request failed", "event spilled", "event spilled"]
    assert all(row["error"] and row["request_id"] for row in rows)


def failures(rows: list[Row], _: int) -> None:
    assert [(row["message"], row["events"]) for row in rows] == [("event spilled", 2), ("request failed", 1)]
    assert all("the queue did not accept the message" in str(row["error"]) for row in rows)


def refusals(rows: list[Row], _: int) -> None:
    assert rows[0] == {"Reason": "signature_rejected", "refused": 3}
    assert {str(row["Reason"]): row["refused"] for row in rows} == REASONS | {"source_not_allowed": 1}


def refusals_by_source(rows: list[Row], _: int) -> None:
    found = {(row["source_ip"], row["Reason"]): row["refused"] for row in rows}
    assert found[("198.51.100.7", "method_not_allowed")] == 1
    assert sum(float(count or 0) for count in found.values()) == sum(REASONS.values()) + 1
    assert rows[0]["refused"] == 3


def unknown_sources(rows: list[Row], _: int) -> None:
    # The line of the one that only observes has no address: its level hides it.
    assert sorted((row["requests"], row["queued"]) for row in rows) == [(1, 0), (1, 1)]


def stages(rows: list[Row], _: int) -> None:
    [row] = rows
    assert len(row) == 10
    for stage in ("total", "secret", "payload", "queue", "spill"):
        middle, most = row[f"{stage}_p50"], row[f"{stage}_p99"]
        assert isinstance(middle, float) and isinstance(most, float) and 0 < middle <= most


def one_event(rows: list[Row], _: int) -> None:
    assert [row["delivery_id"] for row in rows] == ["first", "again"]
    assert {row["message"] for row in rows} == {"event queued"}
    assert all(row["message_id"] and row["status"] == 200 for row in rows)


def by_entity(rows: list[Row], stale: int) -> None:
    sums: dict[str, float] = {}
    for row in rows:
        assert float(row["bin(1h)"] or 0) % 3_600_000 == 0
        sums[str(row["Entity"])] = sums.get(str(row["Entity"]), 0) + float(row["events"] or 0)
    # One label was let in by the relay that only observes.
    assert sums == {"label": 6 + stale, "workflow": 1, "review": 1, "model_run": 1, "unrouted": 2}


def largest(rows: list[Row], _: int) -> None:
    assert len(rows) == 20
    assert [row["entity_id"] for row in rows[:2]] == ["label-5", "label-3"]
    assert [row["payload_reason"] for row in rows[:2]] == ["too_large"] * 2


def repeated(rows: list[Row], _: int) -> None:
    assert [(row["entity_id"], row["deliveries"], row["ids"]) for row in rows] == [("label-1", 2, 2)]


def stale_secrets(rows: list[Row], _: int) -> None:
    assert all(
        "gave no usable response" in str(row["secret_error"]) and float(row["requests"] or 0) >= 1 for row in rows
    )


def spilled(rows: list[Row], _: int) -> None:
    assert [row["entity_id"] for row in rows] == ["label-4", "label-5"]
    assert all(str(row["message_id"]).startswith("spill/label/") and row["error"] for row in rows)


def unrouted(rows: list[Row], _: int) -> None:
    assert rows == [{"event": "NOBODY_KNOWS", "reason": "unknown_topic", "events": 2}]


def cold_starts(rows: list[Row], _: int) -> None:
    assert rows == [{"bin(1h)": 1_699_999_200_000, "starts": 2, "p50": 38.5, "longest": 41.25}]


EXPECTED: dict[str, Check] = {
    "Errors and failures, newest first": errors,
    "Failures and spills by error": failures,
    "Refusals by reason": refusals,
    "Refusals by source address": refusals_by_source,
    "Source addresses that are not allowed": unknown_sources,
    "Time by stage": stages,
    "One event": one_event,
    "Events per entity and hour": by_entity,
    "The largest bodies": largest,
    "Repeated deliveries of one event": repeated,
    "Stale secrets": stale_secrets,
    "Spilled events and their errors": spilled,
    "Unrouted events": unrouted,
    "Cold starts": cold_starts,
}


def test_every_query_of_the_document_is_tried() -> None:
    assert list(queries()) == list(EXPECTED)


@pytest.mark.parametrize("heading", EXPECTED)
def test_a_query_of_the_document_finds_what_happened(heading: str, events: list[Event], stale: int) -> None:
    rows = run(queries()[heading].replace("ID", "label-1"), events)
    assert rows, "it found nothing"
    EXPECTED[heading](rows, stale)


def test_an_event_is_found_by_each_of_its_ids(events: list[Event]) -> None:
    query = queries()["One event"]
    [row] = run(query.replace("ID", "first"), events)
    found = run(query.replace("ID", str(row["dedup_id"])), events)
    assert [row["delivery_id"] for row in found] == ["first", "again"]
    assert run(query.replace("ID", "nobody"), events) == []
