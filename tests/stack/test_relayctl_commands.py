"""The main commands of relayctl, once each on the deployed relay. Their variants and errors are in `make test-all`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Deploy
from repair import Site, wait_for

from dev.paths import EVENTS
from dev.samples import sign
from dev.stack import Stack

SECRET, ROTATED = "a-secret-of-the-tests", "another-secret-of-the-tests"
PAYLOAD = EVENTS / "label-created-v1.payload.json"


@pytest.fixture(scope="module")
def stack(deployed: Deploy) -> Stack:
    stack = deployed("relay-commands", put_secret=False, SecretTtlSeconds="1")
    stack.put_secret({"labelbox": SECRET})
    return stack


@pytest.fixture
def site(stack: Stack, relayctl: Path) -> Iterator[Site]:
    yield Site(stack, relayctl)
    stack.purge()


def test_finds_the_stack(site: Site) -> None:
    assert site.run("outputs", "--json").summary["WebhookUrl"] == site.stack.outputs["WebhookUrl"]
    assert site.run("whoami", "--json").summary["stack"] == site.stack.name
    assert site.stack.outputs["DashboardUrl"] in site.run("open", "--print").out
    assert "relayctl" in site.run("completions", "bash").out


def test_doctor_finds_the_relay_healthy(site: Site) -> None:
    done = site.run("doctor", "--json")
    assert done.status == 0, done.out
    assert not any(site.stack.count().values())


def test_sends_and_reads_events(site: Site) -> None:
    sent = site.run("trigger", "LABEL_CREATED", "--json")
    assert sent.status == 0
    assert site.run("send", str(PAYLOAD), "--topic", "REVIEW_CREATED").status == 0
    signed = site.run("sign", str(PAYLOAD), "--topic", "MOVE").out
    assert f"x-hub-signature: {sign(PAYLOAD.read_bytes(), SECRET)}\n" in signed and SECRET not in signed
    assert site.run("count", "--json").summary["total"]["waiting"] == 2
    message_id = json.loads(site.run("peek", "label", "--json").out)["message_id"]
    assert message_id in sent.out
    assert message_id in site.run("tail", "label", "--since", "5m", "--count", "1", "--for", "20s").out
    assert message_id in site.run("logs").out
    [message] = site.stack.take("label")
    assert message.id == message_id


def test_redrives_dead_letters_and_replays_spilled_messages(site: Site) -> None:
    site.send("dead")
    site.dead_letter_all()
    assert site.run("redrive", "label", "--json").summary["sent"] == 1
    site.spill("spilled")
    assert site.run("replay-spill", "--json").summary["sent"] == 1
    assert site.stack.count()["label"] == 2
    assert site.run("count", "--json").summary["total"]["dead_letters"] == 0


def test_rotates_the_secret(site: Site) -> None:
    assert site.run("secret", "rotate", "labelbox", "--stdin", given=ROTATED).status == 0
    assert SECRET not in site.run("secret", "show-names").out

    def is_accepted(secret: str) -> bool:
        body = json.dumps({"id": secret}).encode()
        headers = [("Content-Type", "application/json"), ("X-Hub-Signature", sign(body, secret))]
        return site.stack.send("POST", "/webhooks/labelbox", headers, body).status == 200

    wait_for(lambda: is_accepted(ROTATED))
    assert is_accepted(SECRET)
