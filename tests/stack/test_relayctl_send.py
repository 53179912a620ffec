"""`relayctl send`, `trigger` and `sign` as processes: what arrives in the queues, what they say, and how they end."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Deploy
from repair import Done, Site, end

from dev import environment
from dev.demonstration import MODELS
from dev.paths import EVENTS
from dev.samples import SECRET, load, sign
from dev.stack import QUEUES, Message, Stack

pytestmark = pytest.mark.extended

BODY = b'{"id":"sent by hand","updatedAt":"2021-03-17T13:51:59Z"}\n'
PAYLOAD = EVENTS / "label-created-v1.payload.json"


@pytest.fixture
def site(empty: Stack, relayctl: Path) -> Site:
    """The deployed relay, with empty queues."""
    return Site(empty, relayctl)


NO_TOPIC = "no topic, so the event will be unrouted; --topic names one"


def lines(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def take_all(stack: Stack, entity: str) -> list[Message]:
    """Takes what is in a queue, once there is something."""
    messages = stack.take(entity)
    while more := stack.take(entity, 0):
        messages += more
    return messages


def test_every_sample_event_is_sent_as_the_gateway_would_have_had_it(
    deployed: Deploy, relayctl: Path, queue_type: str
) -> None:
    # A stack of its own: a FIFO queue that has had these samples from another test within five minutes would drop them.
    site = Site(deployed(f"samples-{queue_type}", QueueType=queue_type, TrainingModels=",".join(MODELS)), relayctl)
    samples = [sample for sample in load() if sample.expect["queue"]]
    done = site.run("send", "--json", *(str(EVENTS / f"{sample.name}.json") for sample in samples))
    assert (done.status, done.warnings) == (0, "")
    answers = {Path(line["file"]).stem: line for line in lines(done)}
    assert answers.keys() == {sample.name for sample in samples}
    arrived = {message.id: message for entity in QUEUES for message in take_all(site.stack, entity)}
    for sample in samples:
        answer = answers[sample.name]
        message = arrived[answer["message_id"]]
        assert (answer["http_status"], answer["entity"]) == (200, sample.expect["entity"]), sample.name
        assert answer["queue"] == sample.expect["queue"], sample.name
        assert answer["entity_id"] == message.attributes.get("entity_id"), sample.name
        assert message.body == sample.request.body, sample.name
        headers = {name.lower(): value for name, value in sample.request.headers}
        assert message.attributes.get("delivery_id") == headers.get("x-labelbox-id"), sample.name


def test_a_bare_body_arrives_byte_for_byte_under_the_topic_that_was_given(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(BODY)
    done = site.run("send", "--topic", "label_updated", "--delivery-id", "mine", str(file))
    assert (done.status, done.warnings) == (0, "")
    [message] = take_all(site.stack, "label")
    assert done.out == f"{file}  200 queued  queue label  entity id sent by hand  message id {message.id}\n"
    assert (message.body, message.attributes["event"], message.attributes["delivery_id"]) == (
        BODY,
        "LABEL_UPDATED",
        "mine",
    )


def test_a_body_comes_from_standard_input_too(site: Site) -> None:
    done = site.run("send", "--training", "-", given='{"modelRunId":"r","modelType":"ner"}')
    assert done.status == 0
    [message] = take_all(site.stack, "model_run")
    assert message.attributes["entity_id"] == "r"


def test_what_the_relay_refuses_is_named_and_does_not_keep_the_others(
    deployed: Deploy, relayctl: Path, tmp_path: Path
) -> None:
    locked = Site(deployed("locked", AllowedSourceCidrs="192.0.2.0/24"), relayctl)
    file = tmp_path / "body.json"
    file.write_bytes(BODY)
    done = locked.run("send", str(file), str(file))
    assert (done.status, done.warnings) == (1, f"relayctl: {file}: {NO_TOPIC}\n" * 2)
    remedy = "this machine's address is not in AllowedSourceCidrs"
    assert done.out.startswith(f"{file}  403 source_not_allowed; {remedy}\n" * 2)
    summary = done.out.splitlines()[2:]
    assert [line.split() for line in summary[:2]] == [["sent", "2"], ["403", "source_not_allowed", "2"]]
    assert summary[2].strip() == remedy
    assert locked.run("trigger", "LABEL_CREATED", "--count", "3", "--json").account["answers"] == {
        "403 source_not_allowed": 3
    }


def test_a_hundred_events_are_a_hundred_messages(site: Site) -> None:
    done = site.run("trigger", "LABEL_CREATED", "--count", "100", "--json")
    assert (done.status, done.warnings) == (0, "")
    account = done.account
    assert (account["sent"], account["accepted"], account["answers"]) == (100, 100, {"200 queued": 100})
    assert len(account["events"]) == 100
    messages = take_all(site.stack, "label")
    assert len({message.attributes["entity_id"] for message in messages}) == 100
    assert {message.attributes["event"] for message in messages} == {"LABEL_CREATED"}


@pytest.mark.parametrize(
    ("topic", "entity"),
    [
        ("LABEL_DELETED", "label"),
        ("move", "workflow"),
        ("REVIEW_CREATED", "review"),
        ("MODEL_RUN_CREATED", "model_run"),
        ("ISSUE_CREATED", "unrouted"),
    ],
)
def test_each_topic_goes_where_it_belongs(site: Site, topic: str, entity: str) -> None:
    words = ["--any-topic", topic] if entity == "unrouted" else [topic]
    assert site.run("trigger", *words).status == 0
    [message] = take_all(site.stack, entity)
    assert message.attributes["event"] == topic.upper()
    assert ("occurred_at" in message.attributes) == (entity != "model_run")


def test_a_move_there_and_back_is_two_events_and_one_delivery_is_one(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "move.json"
    file.write_bytes(BODY)
    for delivery_id in ("there", "back", "back"):
        assert site.run("send", "--topic", "MOVE", "--delivery-id", delivery_id, str(file)).status == 0
    ids = [message.attributes["delivery_id"] for message in take_all(site.stack, "workflow")]
    assert sorted(ids) == (["back", "there"] if site.stack.is_fifo else ["back", "back", "there"])


def test_a_rate_is_kept(site: Site) -> None:
    started = time.monotonic()
    assert site.run("trigger", "LABEL_CREATED", "--count", "11", "--rate", "5").out.startswith(
        "sent               11\n"
    )
    assert time.monotonic() - started >= 2
    assert len(take_all(site.stack, "label")) == 11


def test_ctrl_c_ends_with_an_account_of_all_that_was_sent(site: Site) -> None:
    run = site.start("trigger", "LABEL_CREATED", "--count", "100000", "--rate", "50", "--json")
    wait_for_a_message(site)
    run.send_signal(signal.SIGINT)
    done = end(run)
    assert done.status == 130
    account = done.account
    assert account["interrupted"] and 0 < account["accepted"] == account["sent"] < 100000
    assert len(take_all(site.stack, "label")) == account["sent"]


def wait_for_a_message(site: Site) -> None:
    limit = time.monotonic() + 20
    while not site.stack.count()["label"]:
        assert time.monotonic() < limit, "nothing came"


def test_headers_are_those_that_the_relay_takes(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(BODY)
    signed = site.run("sign", "--topic", "LABEL_CREATED", "--json", str(file))
    assert signed.status == 0
    headers = json.loads(signed.out)
    assert headers["x-hub-signature"] == sign(BODY, SECRET)
    assert site.stack.send("POST", "/webhooks/labelbox", list(headers.items()), BODY).status == 200
    printed = site.run("sign", "--topic", "LABEL_CREATED", str(file)).out
    assert f"x-hub-signature: {headers['x-hub-signature']}\n" in printed
    assert SECRET not in signed.out + printed
    assert len(take_all(site.stack, "label")) == 1


def test_each_event_is_printed_with_queue_and_ids(site: Site) -> None:
    done = site.run("trigger", "LABEL_CREATED", "--set", "id=mine", "--set", "project.id=p", "--json")
    assert done.account["target"]["stack"] == site.stack.name
    [event], [message] = done.account["events"], take_all(site.stack, "label")
    expected = {"topic": "LABEL_CREATED", "status": "queued", "queue": "label", "entity_id": "mine", "http_status": 200}
    assert {**expected, "message_id": message.id}.items() <= event.items()
    assert (message.attributes["entity_id"], message.attributes["project_id"]) == ("mine", "p")
    text = site.run("trigger", "MOVE", "--set", "id=other")
    [message] = take_all(site.stack, "workflow")
    assert text.out == f"200 queued  queue workflow  entity id other  message id {message.id}\n"


@pytest.mark.parametrize("command", [["trigger"], ["send", str(PAYLOAD), "--topic"]])
def test_a_misspelt_topic_gets_a_suggestion(site: Site, command: list[str]) -> None:
    done = site.run(*command, "LABEL_CREATE")
    assert (done.status, done.out) == (2, "")
    assert "a similar value exists: 'LABEL_CREATED'" in done.err
    assert not any(site.stack.count().values())


def test_a_spilled_event_is_a_warning_with_what_to_do(deployed: Deploy, relayctl: Path, tmp_path: Path) -> None:
    site = Site(deployed("spilling"), relayctl)
    file = tmp_path / "body.json"
    file.write_bytes(BODY)
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("label"))
    options = f"--stack {site.stack.name} --region us-east-1"
    for words in (["send", "--topic", "LABEL_CREATED", str(file)], ["trigger", "LABEL_CREATED"]):
        done = site.run(*words, *options.split(), "--json", RELAY_STACK="")
        [result] = done.account.get("events", [done.account])
        assert (done.status, result["status"], result["queue"]) == (0, "spilled", None)
        assert result["message_id"] in site.objects()
        assert "relayctl: warning: 1 event spilled" in done.warnings
        assert f"relayctl doctor {options} says why" in done.warnings
        assert f"relayctl replay-spill {options} sends" in done.warnings


def test_send_goes_on_past_a_file_that_cannot_be_sent(site: Site, tmp_path: Path) -> None:
    good = tmp_path / "good\u202e.json"
    good.write_bytes(b'{"id":"good"}')
    bad = tmp_path / "bad\x1b\u202e.json"
    files = [str(bad), str(EVENTS / "models-list.json"), str(good)]
    done = site.run("send", "--topic", "LABEL_CREATED", *files)
    assert done.status == 1
    assert [line.split() for line in done.out.splitlines()[1:4]] == [
        ["sent", "1"],
        ["200", "queued", "1"],
        ["not", "sent", "2"],
    ], done
    errors = done.warnings.splitlines()
    assert len(errors) == 2 and "cannot be used: No such file" in errors[0] and "takes no payload" in errors[1]
    assert not set("\x1b\u202e") & set(done.out + done.err)
    as_json = site.run("send", "--topic", "MOVE", "--json", *files)
    assert not set("\x1b\u202e") & set(as_json.out + as_json.err)
    results = {line["file"]: line for line in lines(as_json)}
    assert results.keys() == set(files), "JSON keeps the names"
    assert "No such file" in results[str(bad)]["error"]
    assert results[str(good)]["status"] == "queued"
    assert len(take_all(site.stack, "label")) == len(take_all(site.stack, "workflow")) == 1


def test_a_file_that_is_too_large_is_not_read(site: Site, tmp_path: Path) -> None:
    huge, large = tmp_path / "huge.json", tmp_path / "large.json"
    with huge.open("wb") as file:
        file.truncate(3 * 1024**3)
    large.write_bytes(b'{"id":"x","padding":"' + b"x" * 7_000_000 + b'"}')
    limit = ["bash", "-c", 'ulimit -v 2000000; exec "$0" "$@"', str(site.program)]
    settings = environment.for_emulator(site.stack.emulator.instance, site.stack.emulator.endpoint)
    for name in (str(huge), "/dev/zero"):
        run = subprocess.run(
            [*limit, "send", name], env={**settings, "RELAY_STACK": site.stack.name}, capture_output=True, text=True
        )
        assert run.returncode == 3, run.stderr
        assert f"{name} cannot be used: it is over 10 MB, which API Gateway does not accept" in run.stderr
    endless = site.run("send", "-", given="x" * (10 * 1024**2 + 1))
    assert endless.status == 3 and "it is over 10 MB" in endless.err
    done = site.run("send", str(large))
    assert f"warning: {large} is over 6 MB, the limit of Lambda's events" in done.err
    take_all(site.stack, "unrouted")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["send", "no/such.json"], 3, "no/such.json cannot be used: No such file"),
        (["send", str(EVENTS / "models-list.json")], 3, "takes no payload"),
        (["send", str(EVENTS)], 3, "Is a directory"),
        (["sign", "no/such.json"], 3, "no/such.json cannot be used: No such file"),
        (["send"], 2, "required"),
        (["trigger"], 2, "required"),
        (["trigger", "LABEL_CREATED", "--rate", "0"], 2, "between"),
        (["trigger", "LABEL_CREATED", "--set", "project"], 2, "it has no ="),
        (["trigger", "LABEL_CREATED", "--set", "id.x=1"], 2, "x is in nothing that has fields"),
        (["trigger", "LABEL_CREATED", "--webhook", "nobody"], 2, "no usable secret for nobody"),
        (["trigger", "LABEL_CREATED", "--webhook", "empty"], 2, "no usable secret for empty"),
        (["trigger", "LABEL_CREATED", "--webhook", "backfill"], 2, "neither training nor backfill"),
        (["send", "--webhook", "backfill", str(PAYLOAD)], 2, "neither training nor backfill"),
        (["trigger", "MODEL_RUN_CREATED", "--webhook", "labelbox"], 2, "leave out --webhook"),
        (["trigger", "--any-topic", "label_created"], 2, "the relay knows this topic"),
        (["trigger", "--any-topic", ""], 2, "visible ASCII"),
        (["send", "--any-topic", "TWO WORDS", str(PAYLOAD)], 2, "visible ASCII"),
        (["sign", "--webhook", "training", str(PAYLOAD)], 2, "neither training nor backfill"),
        (["trigger", "LABEL_CREATED", "--stack", "nowhere"], 3, "there is no stack nowhere"),
    ],
)
def test_what_cannot_be_sent_is_said_on_one_line(site: Site, arguments: list[str], status: int, says: str) -> None:
    done = site.run(*arguments)
    assert (done.status, done.out) == (status, "")
    assert says in done.err
    assert status == 2 or done.warnings.count("\n") == 1
    assert not any(site.stack.count().values())
