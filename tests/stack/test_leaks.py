"""Nothing confidential leaves the relay, except a body in its queue or in the bucket, whatever happens to it.

`scenario.py` puts canaries into bodies, headers and secrets. All places that somebody else can read are searched.
"""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
import scenario as canaries
from conftest import Deploy
from scenario import Scenario

from dev.stack import QUEUES, Stack

CANARIES = {name: getattr(canaries, name).encode() for name in ("BODY", "HEADER", "SECRET")}


def patterns(value: bytes) -> set[bytes]:
    """Returns how a value may be written: numbers without white space, and base64 without the ends that vary."""
    numbers = ",".join(map(str, value)).encode()
    encoded = {base64.b64encode(bytes(at) + value).rstrip(b"=")[4:-2] for at in range(3)}
    return {value, value.hex().encode(), quote(value, safe="").encode(), numbers, *encoded}


def leaks(content: bytes, confidential: dict[str, bytes]) -> set[str]:
    joined = b"".join(content.split())
    searched = [content, content.lower(), joined, content.replace(b"-", b"+").replace(b"_", b"/")]
    return {
        name
        for name, value in confidential.items()
        for pattern in patterns(value)
        if any(pattern in each for each in searched)
    }


@pytest.fixture(scope="module")
def found(scenario: Scenario) -> dict[str, str]:
    """Everything that left the relay, by place, except what belongs there: bodies in queues and objects."""
    stack = scenario.stack
    client = stack.emulator.client
    messages = [each for entity in QUEUES if entity != "label" for each in stack.take(entity, 0)]
    described = {
        "metrics": client("cloudwatch").list_metrics()["Metrics"],
        "keys and metadata of objects": scenario.bucket,
        "description of the stack": client("cloudformation").describe_stacks(StackName=stack.name),
        "configuration of the function": stack.function,
        "attributes of messages": [[each.attributes, each.system] for each in messages],
    }
    return {
        "responses": "\n".join(scenario.responses),
        "log": "\n".join(stack.logs()),
        "log of the emulator": stack.emulator.instance.log("emulator").read_text(),
        **{place: json.dumps(content, default=str) for place, content in described.items()},
    }


def test_no_output_contains_a_body_a_header_a_secret_or_a_mac(scenario: Scenario, found: dict[str, str]) -> None:
    macs = {f"MAC {number}": mac for number, mac in enumerate(scenario.macs)}
    assert len(macs) > 40
    leaked = {place: leaks(content.encode(), CANARIES | macs) for place, content in found.items()}
    assert not any(leaked.values()), leaked


def test_every_output_was_searched(scenario: Scenario, found: dict[str, str]) -> None:
    assert scenario.stack.settings["LOG_LEVEL"] == "trace"
    assert len(found) == 8 and all(len(content) > 2 for content in found.values())
    assert found["log"].count('"status":') >= scenario.sent
    assert found["keys and metadata of objects"].count("spill/") >= 2


@pytest.mark.parametrize("write", [bytes.decode, bytes.hex, quote, list, base64.b64encode], ids=lambda it: it.__name__)
def test_finds_a_value_in_every_notation(write: Callable[[bytes], object]) -> None:
    value = CANARIES["BODY"]
    assert leaks(f'{{"error":"{write(value)}"}}'.encode(), {"value": value}) == {"value"}


def test_access_log_contains_nothing_that_a_client_chooses_except_the_method(deployed: Deploy) -> None:
    stack: Stack = deployed("relay-defaults", put_secret=False)
    # From the format alone: the emulator writes no access log.
    variables = {value.removeprefix("$context.") for value in stack.access_log_format().values()}
    assert variables == {
        *("requestId", "requestTime", "identity.sourceIp", "httpMethod", "routeKey", "status"),
        *("responseLength", "responseLatency", "integrationLatency", "integrationStatus", "integrationErrorMessage"),
        "error.responseType",
    }
