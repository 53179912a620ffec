"""`relayctl send`, `trigger` and `sign` as processes: what arrives in the queues, what they say, and how they end."""

from pathlib import Path

import pytest
from conftest import Deploy
from repair import Run, Site

from dev.demonstration import MODELS
from dev.paths import EVENTS
from dev.samples import load
from dev.stack import QUEUES, Message, Stack

pytestmark = pytest.mark.extended

BODY = b'{"id":"sent by hand","updatedAt":"2021-03-17T13:51:59Z"}\n'
PAYLOAD = EVENTS / "label-created-v1.payload.json"


@pytest.fixture
def site(empty: Stack, relayctl: Path) -> Site:
    """The deployed relay, with empty queues."""
    return Site(empty, relayctl)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file with a body."""
    path = tmp_path / "body.json"
    path.write_bytes(BODY)
    return str(path)


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
    answers = {Path(line["file"]).stem: line for line in done.lines}
    assert answers.keys() == {sample.name for sample in samples}
    arrived = {message.id: message for entity in QUEUES for message in take_all(site.stack, entity)}
    for sample in samples:
        answer = answers[sample.name]
        message = arrived[answer["message_id"]]
        assert (answer["http_status"], answer["entity"]) == (200, sample.expect["entity"]), sample.name
        assert answer["queue"] == sample.expect["queue"], sample.name
        assert answer["entity_id"] == message.attributes.get("entity_id"), sample.name
        arrived_as = (message.body, message.attributes.get("delivery_id"))
        assert arrived_as == (sample.request.body, sample.attributes["delivery_id"]), sample.name


def test_a_bare_body_arrives_byte_for_byte_under_the_topic_that_was_given(site: Site, file: str) -> None:
    done = site.run("send", "--topic", "label_updated", "--delivery-id", "mine", file)
    assert (done.status, done.warnings) == (0, "")
    [message] = take_all(site.stack, "label")
    assert done.out == f"{file}  200 queued  queue label  entity id sent by hand  message id {message.id}\n"
    attributes = message.attributes["event"], message.attributes["delivery_id"]
    assert (message.body, attributes) == (BODY, ("LABEL_UPDATED", "mine"))


def test_a_body_comes_from_standard_input_too(site: Site) -> None:
    assert site.run("send", "--training", "-", given='{"modelRunId":"r","modelType":"ner"}').status == 0
    [message] = take_all(site.stack, "model_run")
    assert message.attributes["entity_id"] == "r"


def test_what_the_relay_refuses_is_named_and_does_not_keep_the_others(
    deployed: Deploy, relayctl: Path, file: str
) -> None:
    locked = Site(deployed("locked", AllowedSourceCidrs="192.0.2.0/24"), relayctl)
    done = locked.run("send", file, file)
    no_topic = "no topic, so the event will be unrouted; --topic names one"
    assert (done.status, done.warnings) == (1, f"relayctl: {file}: {no_topic}\n" * 2)
    remedy = "this machine's address is not in AllowedSourceCidrs"
    assert done.out.startswith(f"{file}  403 source_not_allowed; {remedy}\n" * 2)
    assert [line.split() for line in done.out.splitlines()[2:4]] == [["sent", "2"], ["403", "source_not_allowed", "2"]]
    triggered = locked.run("trigger", "LABEL_CREATED", "--count", "3", "--json")
    assert triggered.summary["answers"] == {"403 source_not_allowed": 3}


def test_a_hundred_events_are_a_hundred_messages(site: Site) -> None:
    done = site.run("trigger", "LABEL_CREATED", "--count", "100", "--json")
    assert (done.status, done.warnings) == (0, "")
    expected = {"sent": 100, "accepted": 100, "answers": {"200 queued": 100}}
    assert expected.items() <= done.summary.items() and len(done.summary["events"]) == 100
    messages = take_all(site.stack, "label")
    assert len({message.attributes["entity_id"] for message in messages}) == 100
    assert {message.attributes["event"] for message in messages} == {"LABEL_CREATED"}


def test_each_topic_goes_where_it_belongs(site: Site) -> None:
    for topic, entity in [
        (["LABEL_DELETED"], "label"),
        (["move"], "workflow"),
        (["REVIEW_CREATED"], "review"),
        (["MODEL_RUN_CREATED"], "model_run"),
        (["--any-topic", "ISSUE_CREATED"], "unrouted"),
    ]:
        assert site.run("trigger", *topic).status == 0
        [message] = take_all(site.stack, entity)
        assert message.attributes["event"] == topic[-1].upper()
        assert ("occurred_at" in message.attributes) == (entity != "model_run")


def test_ctrl_c_ends_with_an_account_of_all_that_was_sent(site: Site) -> None:
    run = Run(site, "trigger", "LABEL_CREATED", "--count", "100000", "--rate", "50", "--json")
    run.wait_until(lambda: site.stack.count()["label"])
    done = run.end()
    assert (done.status, done.summary["interrupted"]) == (130, True)
    assert 0 < done.summary["accepted"] == done.summary["sent"] < 100000
    assert len(take_all(site.stack, "label")) == done.summary["sent"]


def test_each_event_is_printed_with_queue_and_ids(site: Site) -> None:
    done = site.run("trigger", "LABEL_CREATED", "--set", "id=mine", "--set", "project.id=p", "--json")
    assert done.summary["target"]["stack"] == site.stack.name
    [event], [message] = done.summary["events"], take_all(site.stack, "label")
    expected = {"topic": "LABEL_CREATED", "status": "queued", "queue": "label", "entity_id": "mine", "http_status": 200}
    assert {**expected, "message_id": message.id}.items() <= event.items()
    assert (message.attributes["entity_id"], message.attributes["project_id"]) == ("mine", "p")
    text = site.run("trigger", "MOVE", "--set", "id=other")
    [message] = take_all(site.stack, "workflow")
    assert text.out == f"200 queued  queue workflow  entity id other  message id {message.id}\n"


def test_a_spilled_event_is_a_warning_with_what_to_do(deployed: Deploy, relayctl: Path, file: str) -> None:
    site = Site(deployed("spilling"), relayctl)
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("label"))
    options = f"--stack {site.stack.name} --region us-east-1"
    for words in (["send", "--topic", "LABEL_CREATED", file], ["trigger", "LABEL_CREATED"]):
        done = site.run(*words, *options.split(), "--json", RELAY_STACK="")
        [result] = done.summary.get("events", [done.summary])
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
    results = {line["file"]: line for line in as_json.lines}
    assert results.keys() == set(files), "JSON keeps the names"
    assert "No such file" in results[str(bad)]["error"]
    assert results[str(good)]["status"] == "queued"
    assert len(take_all(site.stack, "label")) == len(take_all(site.stack, "workflow")) == 1


def test_a_file_that_is_too_large_is_not_read(site: Site, tmp_path: Path) -> None:
    huge, large = tmp_path / "huge.json", tmp_path / "large.json"
    with huge.open("wb") as file:
        file.truncate(3 * 1024**3)
    for name in (str(huge), "/dev/zero"):
        error = site.run("send", name, limits="ulimit -v 2000000").error
        assert f"{name} cannot be used: it is over 10 MB, which API Gateway does not accept" in error
    assert "it is over 10 MB" in site.run("send", "-", given="x" * (10 * 1024**2 + 1)).error
    large.write_bytes(b'{"id":"x","padding":"' + b"x" * 7_000_000 + b'"}')
    done = site.run("send", str(large))
    assert f"warning: {large} is over 6 MB, the limit of Lambda's events" in done.err
    take_all(site.stack, "unrouted")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["send", "no/such.json"], "no/such.json cannot be used: No such file"),
        (["send", str(EVENTS / "models-list.json")], "takes no payload"),
        (["send", str(EVENTS)], "Is a directory"),
        (["sign", "no/such.json"], "no/such.json cannot be used: No such file"),
        (["trigger", "LABEL_CREATED", "--stack", "nowhere"], "there is no stack nowhere"),
    ],
)
def test_what_cannot_be_sent_is_said_on_one_line(site: Site, arguments: list[str], says: str) -> None:
    assert says in site.run(*arguments).error
    assert not any(site.stack.count().values())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trigger", "LABEL_CREATED", "--webhook", "nobody"], "no usable secret for nobody"),
        (["trigger", "MODEL_RUN_CREATED", "--webhook", "labelbox"], "leave out --webhook"),
        (["trigger", "--any-topic", "label_created"], "the relay knows this topic"),
    ],
)
def test_what_should_not_be_sent_is_refused(site: Site, arguments: list[str], says: str) -> None:
    done = site.run(*arguments)
    assert done.status == 2 and says in done.err, done
    assert not any(site.stack.count().values())
