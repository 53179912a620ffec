"""Nothing leaks: all that can happen happens to relays that log all they can, and all that came out is searched."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field

import access_log
import pytest
from canaried import SHORTEST
from conftest import Deploy
from outlets import Outlets, record_bytes
from pieces import Leak, Output, Pieces, leaks
from talkative import GUARDED, TALKATIVE, Talkative, guarded, open_to_all, without_its_bucket, without_its_queue

from dev.gate import Gate

PIECE = 16
"""Bytes of a body that must not come out in a row."""
PIECE_OF_A_MAC = 8
ADDRESS = re.compile(rb"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+|https?://[^\s\"\\<>]+")

ANSWERS = {
    (200, "queued"),
    (200, "unrouted"),
    (200, "spilled"),
    (200, "models"),
    (200, "ok"),
    (400, "malformed_base64"),
    (401, "signature_rejected"),
    (403, "source_not_allowed"),
    (404, "not_found"),
    (404, ""),
    (405, "method_not_allowed"),
    (415, "unsupported_media_type"),
    (503, "try_again"),
}
"""Every status and word of the contract; the empty one is the gateway's own answer."""


@dataclass
class Past:
    """What was sent to the relays, and all that came out."""

    relays: list[Talkative]
    outputs: list[Output] = field(default_factory=list)
    at_home: set[tuple[str, str]] = field(default_factory=set)
    """By relay, what was sent of which the body was where it belongs."""

    def gather(self, relay: Talkative, *outlets: str) -> None:
        """Takes what is there now out of these outlets."""
        open_now = Outlets(relay.stack, relay.sent)
        for outlet in outlets:
            self.outputs += getattr(open_now, outlet)()
        self.at_home |= {(relay.stack.name, name) for name in open_now.at_home}

    def forbidden(self) -> dict[str, Pieces]:
        """What must not be in any of it."""
        bodies, macs, headers, secrets, addresses = {}, {}, {}, {}, {}
        for relay in self.relays:
            for sent in relay.sent:
                bodies[sent.body] = f"the body of {sent.name}"
                macs |= sent.macs(relay.secrets)
                headers |= sent.headers
            secrets |= {
                f"secret {number} of {relay.stack.name}": secret.encode() for number, secret in enumerate(relay.secrets)
            }
        for body, name in bodies.items():
            found = {each for each in ADDRESS.findall(body.replace(b"\\", b"")) if len(each) >= SHORTEST}
            addresses |= {f"address {number} in {name}": each for number, each in enumerate(sorted(found))}
        texts = {name: body for body, name in bodies.items() if len(body) >= PIECE}
        assert len(texts) == sum(len(body) >= PIECE for body in bodies), "two bodies have one name"
        return {
            "bodies": Pieces(PIECE, texts),
            "macs": Pieces(PIECE_OF_A_MAC, macs),
            "headers": Pieces(SHORTEST, headers),
            "secrets": Pieces(SHORTEST, secrets),
            "addresses": Pieces(SHORTEST, addresses),
        }


@pytest.fixture(scope="module")
def past(deployed: Deploy, secrets_manager: Gate) -> Past:
    """Two relays to which everything has happened."""
    open_one, guarded_one = (
        Talkative(deployed(f"relay-talkative-{name}", put_secret=False, **TALKATIVE, **settings))
        for name, settings in (("open", {}), ("guarded", GUARDED))
    )
    past = Past([open_one, guarded_one])
    since = record_bytes(open_one.stack)
    open_to_all(open_one)
    past.gather(open_one, "queues", "bucket", "settings")
    without_its_queue(open_one)
    past.gather(open_one, "bucket")
    without_its_bucket(open_one)
    guarded(guarded_one, secrets_manager)
    past.gather(guarded_one, "queues", "bucket", "settings")
    both = [*open_one.sent, *guarded_one.sent]
    past.outputs += Outlets(open_one.stack, both).record(since)
    for relay in past.relays:
        past.gather(relay, "logs", "metrics")
        past.outputs += relay.answers
    return past


def test_each_answer_of_the_contract_was_given(past: Past) -> None:
    assert [relay.wrong for relay in past.relays] == [[], []]
    got = sum((relay.got for relay in past.relays), Counter())
    assert set(got) == ANSWERS, got
    print(sum(got.values()), "requests", dict(got))


def test_the_relays_were_at_their_most_talkative_and_told_of_each_request(past: Past) -> None:
    for relay in past.relays:
        assert relay.stack.settings["LOG_LEVEL"] == "trace"
        told = Counter(int(status) for line in relay.stack.logs() for status in re.findall(r'"status":(\d+)', line))
        due = Counter(status for (status, word), count in relay.got.items() for _ in range(count) if word)
        assert told == due


def test_every_body_is_where_it_belongs(past: Past) -> None:
    durable = {"queued", "unrouted", "spilled"}
    due = {(relay.stack.name, sent.name) for relay in past.relays for sent in relay.sent if sent.word in durable}
    assert past.at_home == due


def test_the_gateway_s_own_log_is_told_nothing_that_a_sender_can_choose_but_the_method(past: Past) -> None:
    # The emulator writes no such log, so this is about the format alone.
    variables = set(re.findall(r"\$(?:context\.)?([\w.]+)", access_log.log_format(past.relays[0].stack)))
    assert variables == {
        *("requestId", "requestTime", "identity.sourceIp", "httpMethod", "routeKey", "status"),
        *("responseLength", "responseLatency", "integrationLatency", "integrationStatus", "integrationErrorMessage"),
        "error.responseType",
    }


@pytest.fixture(scope="module")
def forbidden(past: Past) -> dict[str, Pieces]:
    """All that must not come out, by its kind."""
    return past.forbidden()


@pytest.fixture(scope="module")
def found(past: Past, forbidden: dict[str, Pieces]) -> list[Leak]:
    """What came out and must not. Searching for all at once, one reads each output once."""
    return leaks(past.outputs, forbidden.values())


@pytest.mark.parametrize("kind", ["bodies", "macs", "headers", "secrets", "addresses"])
def test_nothing_leaks(forbidden: dict[str, Pieces], found: list[Leak], kind: str) -> None:
    of_kind = [leak for leak in found if leak.what in forbidden[kind].texts]
    assert not of_kind, "\n".join(map(str, of_kind))


def test_whatever_leaked_would_be_found(forbidden: dict[str, Pieces]) -> None:
    for kind, pieces in forbidden.items():
        for name, text in pieces.texts.items():
            piece = text[-pieces.size :]
            for written in (json.dumps(piece.decode("latin-1")), piece.hex(), str(list(piece))):
                line = f'{{"message":"request refused","error":{written}}}'.encode()
                assert leaks([Output("planted", line)], [pieces]), (kind, name)


def test_enough_was_sent_and_searched(past: Past, forbidden: dict[str, Pieces]) -> None:
    requests = sum(sum(relay.got.values()) for relay in past.relays)
    outputs = Counter(each.place.split(" of ")[0].split(" to ")[0] for each in past.outputs)
    size = sum(len(each.content) for each in past.outputs)
    print(f"\n{requests} requests; {len(past.outputs)} outputs, {size:,} bytes: {dict(outputs)}")
    for kind, pieces in forbidden.items():
        print(f"{len(pieces.texts)} {kind}: {pieces.count:,} pieces of {pieces.size} bytes")
    assert requests > 100 and outputs["the log"] > 3 * 100
    assert {"a metric", "a key in the bucket", "an object's metadata", "the head", "the answer"} <= set(outputs)
    assert forbidden["bodies"].count > 10_000_000 and len(forbidden["macs"].texts) > 800
