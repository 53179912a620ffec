"""A stranger at the door of the running stack: thousands of requests with wrong signatures, and events among them."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Deploy
from troubles import processes_of

from dev.gate import Gate
from dev.samples import SECRET, sign
from dev.stack import Stack

SECONDS = 10
THREADS = 4
MOST = 5000
"""Requests of the stranger, if this machine is as quick as that."""
LEAST = 200
"""If it was that slow, it was no attack."""
PAUSE = 30
"""Seconds between two looks of an instance at its secret, however many strangers come."""


@pytest.fixture
def besieged(deployed: Deploy, secrets_manager: Gate) -> Iterator[Stack]:
    """A relay of its own, which has its secret and counts the ways to Secrets Manager from now on."""
    stack = deployed("relay-besieged")
    assert deliver(stack, b'{"id":"before"}') == 200
    yield stack
    stack.purge()


def deliver(stack: Stack, body: bytes, secret: str = SECRET, webhook: str = "labelbox") -> int:
    headers = [
        ("Content-Type", "application/json"),
        ("X-Hub-Signature", sign(body, secret)),
        ("X-Labelbox-Event", "LABEL_CREATED"),
    ]
    return stack.send("POST", f"/webhooks/{webhook}", headers, body).status


def test_a_burst_of_wrong_signatures_holds_nothing_up(besieged: Stack, secrets_manager: Gate) -> None:
    started, before = time.time(), secrets_manager.requests
    numbers = iter(range(MOST))
    lock = threading.Lock()

    def knock() -> list[int]:
        statuses = []
        while time.time() - started < SECONDS:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            webhook = "labelbox" if number % 2 else f"unknown-{number}"
            statuses.append(deliver(besieged, b'{"n":%d}' % number, "stranger", webhook))
        return statuses

    with ThreadPoolExecutor(THREADS) as strangers:
        attacks = [strangers.submit(knock) for _ in range(THREADS)]
        genuine = []
        while time.time() - started < SECONDS:
            genuine.append(deliver(besieged, b'{"id":"%d"}' % time.monotonic_ns()))
            time.sleep(0.1)
        refused = [status for attack in attacks for status in attack.result()]
    assert len(refused) >= LEAST and set(refused) == {401, 404}
    assert len(genuine) > SECONDS and set(genuine) == {200}
    assert besieged.count()["label"] == len(genuine) + 1

    lines = [json.loads(line) for line in besieged.logs(started) if line.startswith("{")]
    assert len(lines) >= len(refused) + len(genuine)
    assert {line["level"] for line in lines} == {"WARN", "INFO"}
    assert not any("valid_signature" in line or "RefusedWithValidSignature" in line for line in lines)
    assert max(len(json.dumps(line)) for line in lines) < 1500

    # What an instance asks when it starts is in no line; each may ask once more in each pause.
    instances, pauses = len(processes_of(besieged.outputs["FunctionName"])), 1 + int((time.time() - started) / PAUSE)
    looks = sum("SecretTime" in line for line in lines)
    assert 1 <= looks <= instances * pauses, (looks, instances)
    assert secrets_manager.requests - before >= looks
