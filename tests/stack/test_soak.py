"""A short soak, in which each trouble happens once; and that the account of a soak is right about what is wrong."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import own_instance

from dev import build, environment
from dev.gate import Gate
from dev.processes import Failed
from dev.soak import command, course, troubles
from dev.soak.account import Account, Experience, draw_up
from dev.soak.collectors import Collector
from dev.soak.course import Course
from dev.soak.deliveries import Event, digest
from dev.soak.ledger import Answer, Found, Ledger
from dev.soak.replay import SPILL, Replayed, replay
from dev.stack import Stack

SEED = "soak in the tests"
BODY = digest(b"body")

Site = tuple[Stack, dict[str, Gate], Path]


@pytest.fixture(scope="module", params=["fifo", pytest.param("standard", marks=pytest.mark.long)])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A stack of its own, as the troubles of a soak would be those of other tests."""
    environment.shield()
    with own_instance("soak-test").claim() as instance:
        build.build_quickly(instance)
        tool = build.build_tool(instance)
        with command.deployed(instance, request.param) as (stack, gates):
            yield stack, gates, tool


def test_nothing_is_lost_whatever_goes_wrong(site: Site) -> None:
    stack, gates, tool = site
    account = Course(stack, gates, tool, SEED).run(0)
    assert account.balances, account.wrong
    felt = {trouble.name for trouble in account.troubles if trouble.was_felt}
    assert felt >= {trouble.name for trouble in troubles.all_kinds()}
    assert sum(trouble.killed for trouble in account.troubles) > 0
    happened = (
        *("answered 200 queued", "answered 200 unrouted", "answered 200 spilled", "answered 502", "answered 503"),
        *("found in queues", "found by pointer", "found as dead letters", "sent from spill/ later", "forged"),
    )
    assert not [name for name in happened if not account.figures.get(name)], account.figures


class LongCut(troubles.Cut):
    """Lasts until many events are in `spill/`: a single one may be queued as well, being sent repeatedly."""

    def is_felt(self, site: troubles.Site, answers: Counter[str]) -> bool:
        return answers["spilled"] >= 40


def test_a_replay_that_deletes_without_sending_is_noticed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, gates, tool = site

    def delete_unsent(stack: Stack, _: Path) -> Replayed:
        spilled = stack.objects(SPILL)
        for key in spilled:
            stack.delete_object(key)
        return Replayed(len(spilled), ())

    monkeypatch.setattr(course, "replay", delete_unsent)
    monkeypatch.setattr(troubles, "all_kinds", lambda: [LongCut(("SQS",), "close", "spilled")])
    account = Course(stack, gates, tool, f"{SEED}, deleting").run(0)
    assert account.figures["lost"] and "spilled" in account.wrong["lost"][0]


def test_a_message_that_is_not_what_was_sent_is_noticed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, gates, tool = site
    monkeypatch.setattr(Collector, "_read_payload", lambda *_: digest(b"something else"))
    monkeypatch.setattr(troubles, "all_kinds", lambda: [troubles.Cut(("SQS",), "close", "spilled")])
    account = Course(stack, gates, tool, f"{SEED}, altering").run(0)
    assert account.figures["lost"] and account.figures["altered"]


def play(stack: Stack, folder: Path, said: str, status: int) -> Replayed:
    """Replays with a tool that does nothing but say this and end with this status."""
    tool = folder / "relayctl"
    tool.write_text(f"#!/bin/sh\necho '{said}'\nexit {status}\n")
    tool.chmod(0o700)
    return replay(stack, tool)


KEPT = '{"sent":2,"kept":[{"message":"key","reason":"not deleted"}]}'


def test_what_a_replay_kept_is_read_from_its_account(site: Site, tmp_path: Path) -> None:
    assert play(site[0], tmp_path, KEPT, 1) == Replayed(2, ("key: not deleted",))


@pytest.mark.parametrize(("said", "status"), [(KEPT, 3), (KEPT, 130), ("no account", 1)])
def test_a_replay_that_has_not_tried_every_message_fails(site: Site, tmp_path: Path, said: str, status: int) -> None:
    with pytest.raises(Failed):
        play(site[0], tmp_path, said, status)


def found(event: Event, number: int = 0, **differently: str) -> Found:
    as_sent = Found(f"message {number}", event.dedup_id, event.queue, event.topic, event.digest, False, False)
    return replace(as_sent, **differently)


EVENT = Event("label", "id", "label", "LABEL_UPDATED", BODY, 4)
FORGED = replace(EVENT, is_genuine=False)
RUN = Event("model run", None, "model_run", "MODEL_RUN_CREATED", BODY, 4)


def drawn_up(
    answers: list[Answer],
    *messages: Found,
    event: Event = EVENT,
    remade: tuple[str, ...] = (),
    is_fifo: bool = True,
    left: tuple[str, ...] = (),
    was_felt: bool = True,
) -> Account:
    """The account of one event, which was sent once for each answer."""
    ledger = Ledger()
    for answer in answers:
        ledger.send(event)
        ledger.answer(event, answer)
    for message in messages:
        ledger.find(message)
    happened = [Experience("queues deleted", 1.0, was_felt, {}, 0, 0, remade)]
    return draw_up(ledger.pages, ledger.strangers, happened, left, is_fifo)


QUEUED, SPILLED, REFUSED, DOWN = (Answer(word, 0.1) for word in ("queued", "spilled", "401", "503"))


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("lost", drawn_up([QUEUED])),
        ("lost", drawn_up([SPILLED])),
        ("lost", drawn_up([QUEUED], found(EVENT, digest="other"))),
        ("altered", drawn_up([QUEUED], found(EVENT, topic="LABEL_CREATED"), found(EVENT, 1))),
        ("duplicated", drawn_up([QUEUED], found(EVENT), found(EVENT, 1), remade=("label",))),
        ("duplicated", drawn_up([QUEUED, QUEUED], found(EVENT), found(EVENT, 1), remade=("review",))),
        ("lost", drawn_up([QUEUED, QUEUED], found(RUN, dedup_id="one"), event=RUN)),
        ("duplicated", drawn_up([QUEUED], found(RUN, dedup_id="one"), found(RUN, 1, dedup_id="two"), event=RUN)),
        (
            "duplicated",
            drawn_up(
                [QUEUED] * 3,
                *(found(RUN, number, dedup_id=id) for number, id in enumerate(("one", "two", "three", "three"))),
                event=RUN,
                remade=("model_run",),
            ),
        ),
        ("in a wrong queue", drawn_up([QUEUED], found(EVENT, queue="review"))),
        ("strangers", drawn_up([], found(EVENT))),
        ("forged, but let in", drawn_up([QUEUED], event=FORGED)),
        ("forged, but let in", drawn_up([REFUSED], found(EVENT), event=FORGED)),
        ("genuine, but refused", drawn_up([REFUSED])),
        ("genuine, but refused", drawn_up([Answer("200 without a status", 0.1)])),
        ("slowest answer, s", drawn_up([Answer("503", 10.1)])),
        ("left in spill/", drawn_up([SPILLED], found(EVENT), left=("spill/label/2026/01/01/id.json",))),
        ("troubles without effect", drawn_up([QUEUED], found(EVENT), was_felt=False)),
    ],
)
def test_what_is_wrong_is_in_the_account(name: str, account: Account) -> None:
    assert name in account.wrong, account.figures
    assert not account.balances


@pytest.mark.parametrize(
    "account",
    [
        drawn_up([QUEUED], found(EVENT)),
        drawn_up([DOWN]),
        drawn_up([DOWN], found(EVENT)),
        drawn_up([REFUSED], event=FORGED),
        drawn_up([QUEUED], found(EVENT), found(EVENT)),
        drawn_up([QUEUED, QUEUED], found(EVENT), found(EVENT, 1), remade=("label",)),
        drawn_up([QUEUED], found(EVENT), found(EVENT, 1), is_fifo=False),
        drawn_up([QUEUED, QUEUED], found(RUN, dedup_id="one"), found(RUN, 1, dedup_id="two"), event=RUN),
    ],
)
def test_what_may_happen_is_not_wrong(account: Account) -> None:
    assert account.balances, account.wrong
