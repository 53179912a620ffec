"""A short soak in which each fault occurs once, and the evaluation of a soak."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import QUEUE_TYPES, own_instance

from dev.paths import Instance
from dev.samples import Request
from dev.soak import Soak, deployed
from dev.soak.events import Event
from dev.soak.faults import Fault, Unreachable
from dev.soak.journal import FaultRecord, Found, Journal, Report, Response
from dev.stack import Stack
from dev.tcp_proxy import TcpProxy

SEED = "soak of the tests"
EVENT = Event("label", Request("POST", "/", (), b""), "id", "label", "LABEL_UPDATED", "digest")
FORGED, RUN = replace(EVENT, kind="forged"), replace(EVENT, dedup_id=None)
AS_SENT = Found("1", "id", "label", "LABEL_UPDATED", "digest")
AGAIN = replace(AS_SENT, message_id="2")
QUEUED, SPILLED, REJECTED, DOWN = (Response(outcome, 0.1) for outcome in ("queued", "spilled", "401", "503"))


@pytest.fixture(scope="module", params=QUEUE_TYPES)
def site(
    request: pytest.FixtureRequest, copy_build: Callable[[Instance], None]
) -> Iterator[tuple[Stack, dict[str, TcpProxy]]]:
    with own_instance("soak-test").claim() as instance:
        copy_build(instance)
        with deployed(instance, request.param) as (stack, proxies):
            yield stack, proxies


@pytest.mark.extended
def test_no_fault_violates_an_invariant(site: tuple[Stack, dict[str, TcpProxy]], relayctl: Path) -> None:
    report = Soak(*site, relayctl, SEED).run(0)
    assert report.is_valid, report.violations
    assert len(report.faults) == 12 and sum(fault.killed for fault in report.faults) > 0
    outcomes = (f"responses: {outcome}" for outcome in ("queued", "unrouted", "spilled", "401", "502", "503"))
    assert all(report.figures.get(name) for name in (*outcomes, "messages with a pointer", "replayed")), report.figures


class DeletesSpilledMessages(Soak):
    def faults(self) -> list[Fault]:
        return [LongOutage(self.stack, self._random, {"SQS": self._proxies["SQS"]}, "close", "spilled")]

    def replay(self) -> tuple[int, tuple[str, ...]]:
        for key in self.stack.objects("spill/"):
            self.stack.delete_object(key)
        return 0, ()


class LongOutage(Unreachable):
    """Lasts until many events are spilled: some may have reached their queue."""

    def has_effect(self, responses: Counter[str]) -> bool:
        return responses["spilled"] >= 40


@pytest.mark.extended
def test_deleted_messages_are_reported_as_lost(site: tuple[Stack, dict[str, TcpProxy]], relayctl: Path) -> None:
    report = DeletesSpilledMessages(*site, relayctl, f"{SEED}, deleting").run(0)
    assert any("spilled" in each for each in report.violations["lost"])


def report(
    responses: list[Response], *found: Found, event: Event = EVENT, is_fifo: bool = True, had_effect: bool = True
) -> Report:
    """Evaluates one event that was sent once for each response."""
    journal = Journal()
    for response in responses:
        journal.send(event)
        journal.respond(event, response)
    for message in found:
        journal.find(message)
    return journal.report([FaultRecord("fault", 1.0, had_effect, {}, 0, 0)], [], is_fifo=is_fifo)


@pytest.mark.parametrize(
    ("violated", "result"),
    [
        ("lost", report([QUEUED])),
        ("lost", report([SPILLED])),
        ("lost", report([QUEUED], replace(AS_SENT, digest="other"))),
        ("lost", report([QUEUED, QUEUED], AS_SENT, event=RUN)),
        ("altered", report([QUEUED], replace(AS_SENT, topic="LABEL_CREATED"), AGAIN)),
        ("duplicated", report([QUEUED, QUEUED], AS_SENT, AGAIN)),
        ("duplicated", report([QUEUED], AS_SENT, replace(AGAIN, dedup_id="other", digest="digest"), event=RUN)),
        ("in a wrong queue", report([QUEUED], replace(AS_SENT, queue="review"))),
        ("never sent", report([], AS_SENT)),
        ("forged, but accepted", report([QUEUED], event=FORGED)),
        ("forged, but accepted", report([REJECTED], AS_SENT, event=FORGED)),
        ("genuine, but rejected", report([REJECTED])),
        ("slower than 10 s", report([Response("503", 10.1)])),
        ("faults without effect", report([QUEUED], AS_SENT, had_effect=False)),
    ],
)
def test_violation_is_reported(violated: str, result: Report) -> None:
    assert result.violations[violated]
    assert not result.is_valid


@pytest.mark.parametrize(
    "result",
    [
        report([QUEUED], AS_SENT),
        report([DOWN]),
        report([DOWN], AS_SENT),
        report([REJECTED], event=FORGED),
        report([QUEUED], AS_SENT, AS_SENT),
        report([SPILLED], AS_SENT, AGAIN),
        report([QUEUED, QUEUED], AS_SENT, AGAIN, is_fifo=False),
        report([QUEUED, QUEUED], AS_SENT, replace(AGAIN, dedup_id="other"), event=RUN),
    ],
)
def test_what_may_happen_is_no_violation(result: Report) -> None:
    assert result.is_valid, result.violations
