"""Every sample event and every refusal through the deployed relay, for both kinds of queue."""

import json
import re

import pytest

from dev.demonstration import check_refusal, check_sample
from dev.refusals import REFUSALS, Refusal
from dev.samples import SECRET, Sample, dedup_id, load, sign
from dev.stack import Stack

JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize("sample", load(), ids=lambda sample: sample.name)
def test_a_sample_event_ends_as_its_manifest_says(empty: Stack, sample: Sample) -> None:
    assert not check_sample(empty, sample).wrong
    assert not any(empty.count().values())


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_what_has_to_be_refused_is_refused_and_not_queued(empty: Stack, refusal: Refusal) -> None:
    assert not check_refusal(empty, refusal).wrong
    assert not any(empty.count().values())


def test_a_message_has_all_that_the_contract_says(empty: Stack, body) -> None:
    sent = body()
    a_strangers_trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
    headers = [
        JSON,
        ("X-Amzn-Trace-Id", a_strangers_trace),
        ("X-Hub-Signature", sign(sent)),
        ("X-Labelbox-Event", "label_updated"),
        ("X-Labelbox-Id", "ckmdi74ew57lq063553kuzekq"),
    ]
    answer = json.loads(empty.send("POST", "/webhooks/labelbox", headers, sent).data)
    [message] = empty.take("label")
    expected_id = dedup_id(sent, "LABEL_UPDATED", "labelbox", "ckmdi74ew57lq063553kuzekq", is_timed=True)
    received_at = message.attributes.pop("received_at")
    assert len(received_at) == len("2026-01-01T00:00:00.000Z") and received_at.endswith("Z")
    assert message.attributes == {
        "event": "LABEL_UPDATED",
        "entity": "label",
        "entity_id": json.loads(sent)["id"],
        "delivery_id": "ckmdi74ew57lq063553kuzekq",
        "webhook": "labelbox",
        "occurred_at": "2021-03-17T13:51:59.000Z",
        "dedup_id": expected_id,
    }
    assert answer == {"status": "queued", "entity": "label", "message_id": message.id}
    # Lambda's own trace, of which the consumer's is to be a part.
    assert re.fullmatch(
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]", message.system["AWSTraceHeader"]
    )
    if empty.is_fifo:
        assert message.system["MessageGroupId"] == json.loads(sent)["id"]
        assert message.system["MessageDeduplicationId"] == expected_id
    else:
        assert "MessageGroupId" not in message.system


def deliver(
    stack: Stack, sent: bytes, topic: str, delivery_id: str, webhook: str = "labelbox", secret: str = SECRET
) -> None:
    """Sends an event that is queued."""
    signature = ("X-Hub-Signature", sign(sent, secret))
    headers = [JSON, signature, ("X-Labelbox-Event", topic), ("X-Labelbox-Id", delivery_id)]
    assert stack.send("POST", f"/webhooks/{webhook}", headers, sent).status == 200


def test_the_same_state_of_a_label_is_one_message_where_queues_deduplicate(empty: Stack, body) -> None:
    sent = body()
    for delivery_id in ("first", "second"):
        deliver(empty, sent, "LABEL_UPDATED", delivery_id)
    assert empty.count()["label"] == (1 if empty.is_fifo else 2)


def test_an_event_that_two_webhooks_send_is_two_messages(empty: Stack, body) -> None:
    sent = body()
    for webhook, secret in (("labelbox", SECRET), ("project-x", "new")):
        deliver(empty, sent, "LABEL_UPDATED", "delivery", webhook, secret)
    messages = [*empty.take("label"), *empty.take("label")]
    assert {message.attributes["webhook"] for message in messages} == {"labelbox", "project-x"}
    assert len(messages) == 2


def test_two_moves_with_the_same_body_are_two_events(empty: Stack, body) -> None:
    sent = body()
    for delivery_id in ("first", "second", "second"):
        deliver(empty, sent, "MOVE", delivery_id)
    assert empty.count()["workflow"] == (2 if empty.is_fifo else 3)


def test_a_training_run_that_is_asked_for_twice_is_two_events(empty: Stack) -> None:
    sent = b'{"modelRunId":"run","modelType":"ner"}'
    for _ in range(2):
        assert empty.send("POST", "/training/model_run", [("X-Hub-Signature", sign(sent))], sent).status == 200
    assert empty.count()["model_run"] == 2


def test_a_content_type_that_is_there_twice_counts_once(empty: Stack, body) -> None:
    sent = body()
    headers = [JSON, JSON, ("X-Hub-Signature", sign(sent)), ("X-Labelbox-Event", "LABEL_UPDATED")]
    assert empty.send("POST", "/webhooks/labelbox", headers, sent).status == 200


@pytest.mark.parametrize(
    ("name", "signatures", "status"),
    [
        ("upper-case hex", lambda sent: [sign(sent).upper().replace("SHA1=", "sha1=")], 200),
        ("truncated", lambda sent: [sign(sent)[:-2]], 401),
        ("unprefixed", lambda sent: [sign(sent).removeprefix("sha1=")], 401),
        ("prefix in upper case", lambda sent: [sign(sent).replace("sha1=", "SHA1=")], 401),
        ("doubled", lambda sent: [f"{sign(sent)},{sign(sent)}"], 401),
        ("empty", lambda sent: [""], 401),
        ("10 KB", lambda sent: ["sha1=" + "0" * 10_240], 401),
        ("of another webhook's secret", lambda sent: [sign(sent, "new")], 401),
    ],
)
def test_only_a_right_signature_gets_in(empty: Stack, body, name, signatures, status) -> None:
    sent = body()
    headers = [JSON, *(("X-Hub-Signature", signature) for signature in signatures(sent))]
    assert empty.send("POST", "/webhooks/labelbox", headers, sent).status == status
    assert empty.count()["unrouted"] == (status == 200)


@pytest.mark.parametrize(("webhook", "secret"), [("empty", ""), ("none", ""), ("empty", SECRET)])
def test_an_empty_secret_lets_nobody_in(empty: Stack, body, webhook: str, secret: str) -> None:
    sent = body()
    answer = empty.send("POST", f"/webhooks/{webhook}", [JSON, ("X-Hub-Signature", sign(sent, secret))], sent)
    assert answer.status == 401
    assert not any(empty.count().values())


@pytest.mark.parametrize("sent", [b"[1,2]", b"12", b"no json", b'{"deep":' + b"[" * 200 + b"]" * 200 + b"}"])
def test_a_signed_body_of_any_kind_is_kept(empty: Stack, sent: bytes) -> None:
    headers = [JSON, ("X-Hub-Signature", sign(sent)), ("X-Labelbox-Event", "LABEL_CREATED")]
    assert empty.send("POST", "/webhooks/labelbox", headers, sent).status == 200
    queue = "label" if sent.startswith(b"{") else "unrouted"
    [message] = empty.take(queue)
    assert message.body == sent


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/webhooks/labelbox"),
        ("POST", "/health"),
        ("POST", "/training/models"),
        ("GET", "/"),
        ("POST", "/webhooks"),
    ],
)
def test_the_gateway_has_no_other_routes(empty: Stack, method: str, path: str) -> None:
    answer = empty.send(method, path)
    assert (answer.status, json.loads(answer.data)) == (404, {"message": "Not Found"})


@pytest.mark.parametrize(("method", "expected"), [("GET", b'{"status":"ok"}'), ("HEAD", b"")])
def test_health_needs_nothing(empty: Stack, method: str, expected: bytes) -> None:
    before = checks_of_health(empty)
    answer = empty.send(method, "/health")
    assert (answer.status, answer.data) == (200, expected)
    assert checks_of_health(empty) == before + 1, "the emulator has a /health of its own"


def checks_of_health(stack: Stack) -> int:
    return sum('"route":"health"' in line for line in stack.logs())
