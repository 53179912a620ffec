"""The deployed stack's secret is rotated, unreachable, deleted, restored. `tests/it/secrets.rs` has every case."""

import json
import time
from collections.abc import Iterator

import pytest
from conftest import SECRETS, Deploy
from scenario import wait_until

from dev.samples import SECRET, sign
from dev.stack import Stack
from dev.tcp_proxy import TcpProxy


@pytest.fixture
def relay(deployed: Deploy, secrets_manager: TcpProxy) -> Iterator[Stack]:
    """A relay that caches its secret for one second."""
    stack = deployed("relay-secrets", SecretTtlSeconds="1")
    yield stack
    secrets_manager.open()
    stack.put_secret(SECRETS)
    wait_for(stack, SECRET, 200)


def send(stack: Stack, secret: str, webhook: str = "labelbox") -> int:
    body = json.dumps({"id": "label", "n": time.monotonic_ns()}).encode()
    headers = [("Content-Type", "application/json"), ("X-Hub-Signature", sign(body, secret))]
    return stack.send("POST", f"/webhooks/{webhook}", headers, body).status


def wait_for(stack: Stack, secret: str, status: int) -> None:
    wait_until(lambda: send(stack, secret) == status)


def test_rotation_takes_effect_at_once_with_a_cached_secret(deployed: Deploy) -> None:
    stack = deployed("relay-cached-secret", SecretTtlSeconds="3600")
    assert send(stack, SECRET) == 200
    stack.put_secret({"labelbox": ["rotated", SECRET]})
    assert [send(stack, secret) for secret in ("rotated", SECRET)] == [200, 200]
    stack.put_secret({"labelbox": "again"})
    assert send(stack, "again") == 401, "no second refresh within 30 s"
    assert send(stack, "rotated") == 200


def test_last_valid_secret_stays_in_use_while_the_value_is_unusable(relay: Stack) -> None:
    assert send(relay, SECRET) == 200
    before = len(relay.logs())
    relay.put_secret('{"labelbox": "rotated",}')

    def is_logged() -> bool:
        assert send(relay, SECRET) == 200, relay.logs()[before:]
        return any('"secret_error":"the secret cannot be used' in line for line in relay.logs()[before:])

    wait_until(is_logged)
    assert send(relay, "rotated") == 503


def test_last_secret_stays_in_use_while_secrets_manager_is_unreachable(relay: Stack, secrets_manager: TcpProxy) -> None:
    assert send(relay, SECRET) == 200
    before = relay.counted("SecretStale")
    secrets_manager.close()

    def is_counted() -> bool:
        assert send(relay, SECRET) == 200
        return relay.counted("SecretStale") > before

    wait_until(is_counted)
    relay.put_secret({"labelbox": "rotated", "later": "rotated"})
    assert [send(relay, "rotated", webhook) for webhook in ("labelbox", "later")] == [503, 503]
    secrets_manager.open()
    wait_for(relay, "rotated", 200)
    assert send(relay, "rotated", "later") == 200
    wait_for(relay, SECRET, 401)


def test_deleted_secret_is_dropped(relay: Stack) -> None:
    assert send(relay, SECRET) == 200
    client = relay.emulator.client("secretsmanager")
    client.delete_secret(SecretId=relay.outputs["SecretArn"])
    try:
        wait_for(relay, SECRET, 503)
    finally:
        client.restore_secret(SecretId=relay.outputs["SecretArn"])
    wait_for(relay, SECRET, 200)


@pytest.mark.parametrize("mode", ["close", "hang"])
def test_function_that_starts_without_its_secret_recovers(
    deployed: Deploy, secrets_manager: TcpProxy, mode: str
) -> None:
    stack = deployed(f"relay-cold-{mode}")
    getattr(secrets_manager, mode)()
    try:
        started = time.monotonic()
        assert send(stack, SECRET) == 503
        assert time.monotonic() - started < 10
    finally:
        secrets_manager.open()
    assert send(stack, SECRET) == 200
