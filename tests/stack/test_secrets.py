"""The secret in the running stack: rotated, out of reach, gone, and restored."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
from conftest import SECRETS, Deploy

from dev.gate import Gate
from dev.samples import SECRET, sign
from dev.stack import Stack

SECONDS = 20


@pytest.fixture
def relay(deployed: Deploy, queue_type: str, secrets_manager: Gate) -> Iterator[Stack]:
    """A relay that believes a secret for one second only."""
    stack = deployed(f"relay-secrets-{queue_type}", QueueType=queue_type, SecretTtlSeconds="1")
    yield stack
    secrets_manager.open()
    stack.put_secret(SECRETS)
    wait_for(stack, SECRET, 200)


def send(stack: Stack, secret: str, webhook: str = "labelbox") -> int:
    sent = json.dumps({"id": "label", "n": time.monotonic_ns()}).encode()
    headers = [("Content-Type", "application/json"), ("X-Hub-Signature", sign(sent, secret))]
    return stack.send("POST", f"/webhooks/{webhook}", headers, sent).status


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"not within {SECONDS} s"


def wait_for(stack: Stack, secret: str, status: int) -> None:
    wait_until(lambda: send(stack, secret) == status)


def test_both_secrets_are_in_use_while_one_rotates(relay: Stack) -> None:
    assert send(relay, SECRET) == 200
    relay.put_secret({"labelbox": ["rotated", SECRET]})
    wait_for(relay, "rotated", 200)
    assert send(relay, SECRET) == 200
    relay.put_secret({"labelbox": "rotated"})
    wait_for(relay, SECRET, 401)
    assert send(relay, "rotated") == 200


def test_plain_text_serves_every_webhook(relay: Stack) -> None:
    relay.put_secret("plain text\n")
    wait_for(relay, "plain text", 200)
    assert send(relay, "plain text", "anything") == 200


def test_a_byte_order_mark_is_no_part_of_an_object(relay: Stack) -> None:
    relay.put_secret("\ufeff" + json.dumps({"labelbox": "after a mark"}))
    wait_for(relay, "after a mark", 200)
    assert send(relay, "after a mark", "another") == 404, "not plain text, which serves every webhook"


@pytest.mark.parametrize("value", [" \n", '["rotated"]', '"rotated"', '\ufeff{"labelbox": "rotated",}'])
def test_the_last_secret_serves_while_the_value_cannot_be_meant_as_one(relay: Stack, value: str) -> None:
    before = len(relay.logs())
    relay.put_secret(value)

    def is_told_and_serves() -> bool:
        assert send(relay, SECRET) == 200
        return any('"secret_error":"the secret cannot be used' in line for line in relay.logs()[before:])

    wait_until(is_told_and_serves)
    for secret in ("rotated", value):
        assert send(relay, secret) == 503, "the sender may be right, and the fault is ours"


def test_a_rotation_takes_effect_at_once_in_a_relay_that_keeps_its_secret(deployed: Deploy, queue_type: str) -> None:
    stack = deployed(f"relay-patient-{queue_type}", QueueType=queue_type, SecretTtlSeconds="3600")
    assert send(stack, SECRET) == 200
    stack.put_secret({"labelbox": ["rotated", SECRET]})
    assert send(stack, "rotated") == 200
    stack.put_secret({"labelbox": "again"})
    assert send(stack, "again") == 401, "a second look within 30 s"
    assert send(stack, "rotated") == 200


def test_the_last_secret_serves_while_secrets_manager_is_down(relay: Stack, secrets_manager: Gate) -> None:
    assert send(relay, SECRET) == 200
    before = relay.counted("SecretStale")
    secrets_manager.close()

    def serves_with_a_stale_secret() -> bool:
        assert send(relay, SECRET) == 200
        return relay.counted("SecretStale") > before

    wait_until(serves_with_a_stale_secret)
    relay.put_secret({"labelbox": "rotated", "later": "rotated"})
    for webhook in ("labelbox", "later"):
        assert send(relay, "rotated", webhook) == 503, "a 401 or a 404 would be final, and the fault is ours"
    secrets_manager.open()
    wait_for(relay, "rotated", 200)
    assert send(relay, "rotated", "later") == 200
    wait_for(relay, SECRET, 401)


def test_a_secret_that_is_gone_stops_serving(relay: Stack) -> None:
    assert send(relay, SECRET) == 200
    client = relay.emulator.client("secretsmanager")
    client.delete_secret(SecretId=relay.outputs["SecretArn"])
    try:
        wait_for(relay, SECRET, 503)
    finally:
        client.restore_secret(SecretId=relay.outputs["SecretArn"])
    wait_for(relay, SECRET, 200)


@pytest.mark.parametrize("trouble", ["close", "hang"])
def test_a_function_that_starts_without_its_secret_is_well_when_it_comes(
    deployed: Deploy, secrets_manager: Gate, trouble: str
) -> None:
    stack = deployed(f"relay-cold-{trouble}")
    getattr(secrets_manager, trouble)()
    try:
        started = time.monotonic()
        assert send(stack, SECRET) == 503
        assert time.monotonic() - started < 10, "cold start and all"
    finally:
        secrets_manager.open()
    assert send(stack, SECRET) == 200
