"""The deployed stack's secret is rotated, deleted, restored. `tests/it/secrets.rs` has every case."""

import time

from conftest import Deploy
from repair import wait_for

from dev.samples import SECRET, event
from dev.stack import Stack


def send(stack: Stack, secret: str) -> int:
    status, _ = stack.answer(event(b'{"id":"label","n":%d}' % time.monotonic_ns(), secret=secret))
    return status


def test_rotation_takes_effect_at_once_with_a_cached_secret(deployed: Deploy) -> None:
    stack = deployed("relay-cached-secret", SecretTtlSeconds="3600")
    assert send(stack, SECRET) == 200
    stack.put_secret({"labelbox": ["rotated", SECRET]})
    assert [send(stack, secret) for secret in ("rotated", SECRET)] == [200, 200]
    stack.put_secret({"labelbox": "again"})
    assert send(stack, "again") == 401, "no second refresh within 30 s"
    assert send(stack, "rotated") == 200


def test_deleted_secret_is_dropped_until_it_is_restored(deployed: Deploy) -> None:
    stack = deployed("relay-secrets", SecretTtlSeconds="1")
    assert send(stack, SECRET) == 200
    client, secret = stack.emulator.client("secretsmanager"), stack.outputs["SecretArn"]
    client.delete_secret(SecretId=secret)
    wait_for(lambda: send(stack, SECRET) == 503)
    client.restore_secret(SecretId=secret)
    wait_for(lambda: send(stack, SECRET) == 200)
