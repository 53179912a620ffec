"""What `make run` does: sends every sample event, bodies that SQS does not take, and requests that are refused."""

import json
from collections.abc import Sequence

from dev import deploy, emulator
from dev.build import build_quickly
from dev.large import Uncarriable, all_kinds
from dev.places import Instance
from dev.progress import step
from dev.refusals import REFUSALS, Refusal
from dev.report import Row, show, tell
from dev.samples import SECRET, Sample, load
from dev.stack import Message, Stack

MODELS = ("bounding_box", "ner")


def run() -> bool:
    """Builds, deploys, sends and compares. Returns whether everything was as expected."""
    with Instance("run").claim() as instance:
        with step("Building the function") as this:
            build_quickly(instance, this.say)
        with step("Starting the emulator of AWS"):
            running, keeper = emulator.start(instance)
        try:
            with step("Deploying template.yaml to it"):
                stack = deploy.deploy(running, "labelbox-relay", {"TrainingModels": ",".join(MODELS)})
                stack.put_secret({"labelbox": SECRET, "training": SECRET})
            samples = load()
            with step(f"Sending {len(samples)} sample events"):
                sent = [check_sample(stack, sample) for sample in samples]
            with step("Sending bodies that SQS does not take"):
                pointed = [check_pointer(stack, uncarriable) for uncarriable in all_kinds()]
            with step("Sending requests that the relay refuses"):
                refused = [*(check_refusal(stack, refusal) for refusal in REFUSALS), _expect_nothing_queued(stack)]
        finally:
            with step("Stopping the emulator"):
                emulator.stop(instance, keeper)
    show("Sample events", ("event", "answer", "queue", "entity id", "message id"), sent)
    show("Bodies in the bucket", ("event", "bytes", "answer", "queue", "object in the bucket"), pointed)
    show("Refused requests", ("request", "answer", "body"), refused)
    wrong = sum(bool(row.wrong) for row in (*sent, *pointed, *refused))
    tell(f"Wrong: {wrong} lines." if wrong else "Everything is as expected.")
    return wrong == 0


def check_sample(stack: Stack, sample: Sample) -> Row:
    """Sends a sample, and compares what comes of it with the manifest."""
    request = sample.request
    answer = stack.send(request.method, request.path, request.headers, request.body)
    return check_answer(stack, sample, answer.status, answer.data)


def check_answer(stack: Stack, sample: Sample, status: int, body: bytes, models: Sequence[str] = MODELS) -> Row:
    """Compares the answer to a sample with the manifest, and its message, which is taken from the queue."""
    expect, said = sample.expect, _json(body)
    wrong = [] if status == expect["status"] else [f"the answer is not {expect['status']}"]
    if expect["queue"] is None:
        if said != {name: {} for name in models}:
            wrong.append(f"the answer does not name the models {', '.join(models)}: {body!r}")
        return Row((sample.name, str(status), "-", "-", "-"), wrong)
    messages = stack.take(expect["queue"]) if not wrong else []
    word = "unrouted" if expect["queue"] == "unrouted" else "queued"
    if said != {"status": word, "entity": expect["entity"], "message_id": said.get("message_id")}:
        wrong.append(f"the answer is not {word} for {expect['entity']}: {body!r}")
    if len(messages) != 1:
        wrong.append(f"{len(messages)} messages came out of the queue, not one")
    for message in messages:
        wrong += _compare(sample, message, said.get("message_id"))
    got = messages[0] if messages else Message("-", b"", {}, {})
    cells = (
        sample.name,
        f"{status} {said.get('status', '')}",
        expect["queue"],
        got.attributes.get("entity_id", "-"),
        got.id,
    )
    return Row(cells, wrong)


def check_pointer(stack: Stack, uncarriable: Uncarriable) -> Row:
    """Sends an event whose body SQS does not take, and compares the object that its message points to."""
    request = uncarriable.request
    answer = stack.send(request.method, request.path, request.headers, request.body)
    wrong = [] if answer.status == 200 else ["the answer is not 200"]
    messages = stack.take(uncarriable.queue) if not wrong else []
    if len(messages) != 1:
        wrong.append(f"{len(messages)} messages came out of the queue, not one")
    key = "-"
    for message in messages:
        key = json.loads(message.body)[1]["s3Key"]
        dedup_id = message.attributes["dedup_id"]
        key = key.replace(dedup_id, f"{dedup_id[:8]}…")
        if stack.payload(message) != uncarriable.body:
            wrong.append("the object is not the bytes that were sent")
        if message.attributes["ExtendedPayloadSize"] != str(len(uncarriable.body)):
            wrong.append("ExtendedPayloadSize is not the number of bytes that were sent")
    status = f"{answer.status} {_json(answer.data).get('status', '')}"
    return Row((uncarriable.name, f"{len(uncarriable.body):,}", status, uncarriable.queue, key), wrong)


def check_refusal(stack: Stack, refusal: Refusal) -> Row:
    """Sends a request that has to be refused, and compares the answer."""
    request = refusal.request
    answer = stack.send(request.method, request.path, request.headers, request.body)
    wrong = [] if answer.status == refusal.status else [f"the answer is not {refusal.status}"]
    expected = {"error": refusal.error} if refusal.error else {"message": "Not Found"}
    if _json(answer.data) != expected:
        wrong.append(f"the body is not {expected}")
    return Row((refusal.name, str(answer.status), answer.data.decode(errors="replace")), wrong)


def _compare(sample: Sample, message: Message, message_id: object) -> list[str]:
    """What is wrong with a message: the bytes that were signed, the id that was answered, what the manifest expects."""
    wrong = []
    if message.body != sample.request.body:
        wrong.append("the message is not the bytes that were sent")
    if message.id != message_id:
        wrong.append(f"the answer named another message: {message_id}")
    for name, expected in sample.attributes.items():
        if message.attributes.get(name) != expected:
            wrong.append(f"{name} is {message.attributes.get(name)}, not {expected}")
    return wrong


def _expect_nothing_queued(stack: Stack) -> Row:
    held = {entity: count for entity, count in stack.count().items() if count}
    if held:
        return Row(("all of these", "-", "something was queued"), [f"in the queues: {held}"])
    return Row(("all of these", "-", "nothing was queued"))


def _json(data: bytes) -> dict[str, object]:
    try:
        said = json.loads(data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
