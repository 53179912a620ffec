"""What dev/emulator_main.py corrects in the emulator."""

import json
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import urllib3
from conftest import own_instance
from repair import wait_for

from dev import emulator, log_filter
from dev.paths import PROJECT
from dev.samples import event, label
from dev.stack import Stack

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.status = "413" }', True),
        ('{ $.status = "41" }', False),
        ('{ $.status = "4*" && $.count > 2 }', True),
        ('{ ($.status = "429") || ($.cause = "*too large*") }', True),
        ('{ ($.status = "429") || ($.cause = "too large") }', False),
        ('{ $.status = "429" || $.count = 3 && $.count != 3 }', False),
        ("{ $.count >= 3 && $.count < 4 }", True),
        ("{ $.inner.name = Ann }", True),
        ("{ $.missing NOT EXISTS }", True),
        ("{ $.none IS NULL }", True),
        ("{ $.missing != 1 }", True),
    ],
)
def test_json_filter_patterns_filter(pattern: str, expected: bool) -> None:
    """By the rules and examples of CloudWatch's documentation."""
    event = {"status": "413", "cause": "far too large!", "count": 3, "inner": {"name": "Ann"}, "none": None}
    assert log_filter.matches(pattern, json.dumps(event)) == expected


@pytest.mark.parametrize("pattern", ["{ $.a }", "{ $.a = 1 ) }", "{ $.a = 1 % }", "a"])
def test_a_pattern_that_is_not_understood_is_an_error(pattern: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        log_filter.matches(pattern, '{"a": 1}')


def test_all_urls_have_the_host_of_the_endpoint(empty: Stack) -> None:
    urls = [url for name, url in empty.outputs.items() if name.endswith("Url") and name != "DashboardUrl"]
    assert {urlsplit(url).netloc for url in urls} == {urlsplit(empty.emulator.endpoint).netloc}


@pytest.mark.parametrize("size", [10 * MIB + 1, 6 * MIB])
def test_what_the_gateway_or_lambda_would_refuse_gets_413(empty: Stack, size: int) -> None:
    assert empty.answer(event(label(size)))[0] == 413
    assert empty.take("label", seconds=0) == []


def test_receipt_handles_have_no_dash(empty: Stack) -> None:
    assert empty.answer(event(b'{"id":"l","updatedAt":"2021-03-17T13:51:59Z"}'))[0] == 200
    [message] = empty.take("label")
    assert "-" not in message.receipt


def test_a_record_of_another_version_names_no_emulator() -> None:
    instance = own_instance("old-record")
    instance.prepare()
    instance.record.write_text('{"pid": 1}')
    assert emulator.find(instance) is None


@pytest.mark.extended
def test_emulator_ends_with_a_process_that_is_killed() -> None:
    instance = own_instance("killed")
    script = f"""import time
from dev import emulator
with emulator.run(emulator.Instance("{instance.name}")) as running:
    print(running.endpoint, flush=True)
    time.sleep(600)"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout
        endpoint = starter.stdout.readline().strip()
        assert _is_listening(endpoint)
        starter.kill()
    try:
        wait_for(lambda: not _is_listening(endpoint))
    finally:
        emulator.stop(instance)


def _is_listening(endpoint: str) -> bool:
    try:
        return urllib3.request("GET", endpoint, retries=False).status > 0
    except urllib3.exceptions.HTTPError:
        return False
