"""`make run`: sends every sample event, bodies that SQS does not accept and invalid requests."""

import json
import re
from collections.abc import Sequence

from dev import deploy, emulator
from dev.build import build_locally
from dev.output import Row, show, step
from dev.paths import Instance
from dev.samples import REJECTIONS, SECRETS, Offloaded, Rejection, Sample, load, offloaded
from dev.stack import Stack

MODELS = ("bounding_box", "ner")


def run() -> bool:
    """Builds, deploys, sends and compares. Returns whether everything was as expected."""
    with Instance("run").claim() as instance:
        with step("Building the function"):
            build_locally(instance, function_only=True)
        with emulator.run(instance) as running:
            with step("Deploying template.yaml to it"):
                stack = deploy.deploy(running, "labelbox-relay", {"TrainingModels": ",".join(MODELS)})
                stack.put_secret(SECRETS)
            with step("Sending the sample events"):
                samples = [check_sample(stack, sample) for sample in load()]
            with step("Sending bodies that SQS does not accept"):
                pointers = [check_pointer(stack, event) for event in offloaded()]
            with step("Sending invalid requests"):
                rejections = [*(check_rejection(stack, each) for each in REJECTIONS), _expect_empty_queues(stack)]
    show("Sample events", ("event", "response", "queue", "entity id"), samples)
    show("Bodies in the bucket", ("event", "bytes", "response", "queue", "key of the object"), pointers)
    show("Rejected requests", ("request", "response", "body"), rejections)
    wrong = sum(bool(row.errors) for row in (*samples, *pointers, *rejections))
    print(f"Wrong: {wrong} lines." if wrong else "Everything is as expected.")
    return wrong == 0


def check_sample(stack: Stack, sample: Sample) -> Row:
    """Sends a sample, and compares the response and the message with the manifest."""
    response = stack.send(*sample.request)
    return check_response(stack, sample, response.status, response.data)


def check_response(stack: Stack, sample: Sample, status: int, body: bytes, models: Sequence[str] = MODELS) -> Row:
    """Compares a response with the manifest, and the message, which it takes from the queue."""
    expect, content = sample.expect, _json(body)
    errors = [] if status == expect["status"] else [f"the status is not {expect['status']}"]
    if expect["queue"] is None:
        if content != {name: {} for name in models}:
            errors.append(f"the response does not list {', '.join(models)}: {body!r}")
        return Row((sample.name, str(status), "-", "-"), errors)
    word, message_id = "unrouted" if expect["queue"] == "unrouted" else "queued", content.get("message_id")
    if content != {"status": word, "entity": expect["entity"], "message_id": message_id}:
        errors.append(f"the response is not {word} for {expect['entity']}: {body!r}")
    messages = stack.take(expect["queue"]) if not errors else []
    if len(messages) != 1:
        errors.append(f"{len(messages)} messages were in the queue, not one")
    for message in messages:
        if message.body != sample.request.body:
            errors.append("the message is not the bytes that were sent")
        if message.id != message_id:
            errors.append(f"the response has another message id: {message_id}")
        found = {name: message.attributes.get(name) for name in sample.attributes}
        errors += [
            f"{name} is {found[name]}, not {value}" for name, value in sample.attributes.items() if found[name] != value
        ]
    entity_id = messages[0].attributes.get("entity_id", "-") if messages else "-"
    return Row((sample.name, f"{status} {content.get('status', '')}", expect["queue"], entity_id), errors)


def check_pointer(stack: Stack, event: Offloaded) -> Row:
    """Sends an event whose body SQS does not accept, and compares the object that its message points to."""
    response = stack.send(*event.request)
    errors = [] if response.status == 200 else ["the status is not 200"]
    messages = stack.take(event.queue) if not errors else []
    if len(messages) != 1:
        errors.append(f"{len(messages)} messages were in the queue, not one")
    key = "-"
    for message in messages:
        key = re.sub("/([0-9a-f]{8})[0-9a-f-]+", r"/\1…", str(stack.payload_key(message)))
        if stack.payload(message) != event.body:
            errors.append("the object is not the bytes that were sent")
        if message.attributes["ExtendedPayloadSize"] != str(len(event.body)):
            errors.append("ExtendedPayloadSize is not the number of bytes that were sent")
    status = f"{response.status} {_json(response.data).get('status', '')}"
    return Row((event.name, f"{len(event.body):,}", status, event.queue, key), errors)


def check_rejection(stack: Stack, rejection: Rejection) -> Row:
    response = stack.send(*rejection.request)
    errors = [] if response.status == rejection.status else [f"the status is not {rejection.status}"]
    expected = {"error": rejection.error} if rejection.error else {"message": "Not Found"}
    if _json(response.data) != expected:
        errors.append(f"the body is not {expected}")
    return Row((rejection.name, str(response.status), response.data.decode(errors="replace")), errors)


def _expect_empty_queues(stack: Stack) -> Row:
    counts = {entity: count for entity, count in stack.count().items() if count}
    return Row(("all of these", "-", "nothing was queued"), [f"in the queues: {counts}"] if counts else [])


def _json(data: bytes) -> dict[str, object]:
    try:
        content = json.loads(data)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
