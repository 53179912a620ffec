"""Every sample event and every rejection on the deployed relay."""

import json
import re
from collections.abc import Callable

import pytest

from dev.demonstration import check_rejection, check_sample
from dev.samples import REJECTIONS, SECRET, Rejection, Sample, dedup_id, event, load
from dev.stack import Stack

MakeBody = Callable[[], bytes]


@pytest.mark.parametrize("sample", load(), ids=lambda sample: sample.name)
def test_sample_has_the_result_in_its_manifest(empty: Stack, sample: Sample) -> None:
    assert not check_sample(empty, sample).errors
    assert not any(empty.count().values())


@pytest.mark.parametrize("rejection", REJECTIONS, ids=lambda rejection: rejection.name)
def test_rejects_invalid_requests_without_enqueueing(empty: Stack, rejection: Rejection) -> None:
    assert not check_rejection(empty, rejection).errors
    assert not any(empty.count().values())


def test_message_has_the_attributes_of_the_contract(empty: Stack, body: MakeBody) -> None:
    sent = body()
    request = event(sent, "label_updated", delivery_id="ckmdi74ew57lq063553kuzekq")
    trace = ("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793")
    _, response = empty.answer(request._replace(headers=(trace, *request.headers)))
    [message] = empty.take("label")
    expected_id = dedup_id(sent, "LABEL_UPDATED", "labelbox", "ckmdi74ew57lq063553kuzekq", is_timed=True)
    received_at = message.attributes.pop("received_at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", received_at)
    assert message.attributes == {
        "event": "LABEL_UPDATED",
        "entity": "label",
        "entity_id": json.loads(sent)["id"],
        "delivery_id": "ckmdi74ew57lq063553kuzekq",
        "webhook": "labelbox",
        "occurred_at": "2021-03-17T13:51:59.000Z",
        "dedup_id": expected_id,
    }
    assert response == {"status": "queued", "entity": "label", "message_id": message.id}
    # Lambda's trace, which the consumer's continues, and not the client's.
    continued = message.system["AWSTraceHeader"]
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]", continued)
    group = (message.system.get("MessageGroupId"), message.system.get("MessageDeduplicationId"))
    assert group == ((json.loads(sent)["id"], expected_id) if empty.is_fifo else (None, None))


@pytest.mark.parametrize(
    ("topic", "entity", "deliveries", "in_fifo_queue"),
    [
        ("LABEL_UPDATED", "label", [("labelbox", "first"), ("labelbox", "second")], 1),
        ("LABEL_UPDATED", "label", [("labelbox", "first"), ("project-x", "first")], 2),
        ("MOVE", "workflow", [("labelbox", "first"), ("labelbox", "second"), ("labelbox", "second")], 2),
    ],
    ids=["the same state of a label", "two webhooks", "two moves"],
)
def test_fifo_queue_drops_repetitions(
    empty: Stack, body: MakeBody, topic: str, entity: str, deliveries: list[tuple[str, str]], in_fifo_queue: int
) -> None:
    sent = body()
    for webhook, delivery_id in deliveries:
        secret = SECRET if webhook == "labelbox" else "new"
        request = event(sent, topic, path=f"/webhooks/{webhook}", secret=secret, delivery_id=delivery_id)
        assert empty.answer(request)[0] == 200
    assert empty.count()[entity] == (in_fifo_queue if empty.is_fifo else len(deliveries))


def test_each_request_for_a_training_run_is_an_event(empty: Stack) -> None:
    sent = event(b'{"modelRunId":"run","modelType":"ner"}', "", path="/training/model_run")
    assert [empty.answer(sent)[0] for _ in range(2)] == [200, 200]
    assert empty.count()["model_run"] == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/webhooks/labelbox"), ("POST", "/health"), ("POST", "/training/models"), ("GET", "/")],
)
def test_gateway_has_no_other_routes(stack: Stack, method: str, path: str) -> None:
    response = stack.send(method, path)
    assert (response.status, json.loads(response.data)) == (404, {"message": "Not Found"})


@pytest.mark.parametrize(("method", "expected"), [("GET", b'{"status":"ok"}'), ("HEAD", b"")])
def test_health_reaches_the_function(stack: Stack, method: str, expected: bytes) -> None:
    def checks() -> int:
        return sum('"route":"health"' in line for line in stack.logs())

    before = checks()
    response = stack.send(method, "/health")
    assert (response.status, response.data) == (200, expected)
    assert checks() == before + 1
