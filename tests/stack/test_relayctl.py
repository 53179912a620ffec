"""The operator's tool as a process: what it repairs, what it leaves, what it says, and how it ends."""

import itertools
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import QUEUE_TYPES
from local.emulator import Emulator
from local.stack import QUEUES

from repair import Site, attributes, body_of, dedup_id, end, key_of, make_site

pytestmark = pytest.mark.long

MANY = 300
"""More than the tool does before we can look."""

MakeSite = Callable[[str], Site]
COMMANDS = [("replay-spill",), ("redrive", "all")]


@pytest.fixture(scope="session")
def make(running: Emulator, relayctl: Path) -> MakeSite:
    """Makes stacks of which no two have the same name."""
    numbers = itertools.count()
    return lambda queue_type: make_site(running, relayctl, f"repair-{next(numbers)}", queue_type)


@pytest.fixture
def site(make: MakeSite, queue_type: str) -> Site:
    """An empty stack of each kind."""
    return make(queue_type)


def events(site: Site, entity: str = "label") -> list[str]:
    """Takes all messages from a queue: what each is about."""
    return [message["MessageAttributes"]["entity_id"]["StringValue"] for message in site.messages(entity)]


def names(count: int) -> list[str]:
    return [f"event{number:03}" for number in range(count)]


# ---- replay-spill


def break_some(site: Site) -> dict[str, str]:
    """Spills what cannot be sent. Returns a part of the reason that each must be given."""
    good = site.client("s3").get_object(Bucket=site.bucket, Key=key_of("event000"))["Body"].read()
    nowhere = json.dumps(["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": site.bucket, "s3Key": "x"}])
    size = {"ExtendedPayloadSize": {"DataType": "Number", "StringValue": "5"}}
    large = attributes(entity="label", dedup_id=dedup_id("missing")) | size
    no_pointer = attributes(entity="label", dedup_id=dedup_id("no pointer")) | size
    return {
        site.put(key_of("empty"), b""): "not a spilled message",
        site.put(key_of("no JSON"), b"\xff"): "not a spilled message",
        site.put(key_of("cut off"), good[:-20]): "not a spilled message",
        site.put(key_of("another"), good): "attribute dedup_id differ",
        site.put(key_of("event000", "review"), good): "attribute entity differ",
        site.put(key_of("event000", "labels"), good): "its key is not",
        site.put("spill/notes.txt", b"mine"): "its key is not",
        site.spill("missing", MessageBody=nowhere, MessageAttributes=large): f"s3://{site.bucket}/x cannot be had",
        site.spill("no pointer", MessageAttributes=no_pointer): "not the pointer",
        site.spill("refused by SQS", MessageBody="\x01"): "InvalidMessageContents",
    }


def test_what_can_be_sent_is_sent_and_what_cannot_stays_and_is_named(site: Site) -> None:
    for event in names(100):
        site.spill(event)
    broken = break_some(site)
    for attempt in range(2):
        done = site.run("replay-spill", "--json")
        sent = 0 if attempt else 100
        counts = {"found": sent + len(broken), "sent": sent, "deleted": sent, "already_gone": 0}
        assert counts.items() <= done.account.items(), done
        assert done.kept.keys() == broken.keys() == site.objects()
        assert [key for key, reason in broken.items() if reason not in done.kept[key]] == []
        assert (done.status, done.err) == (1, "")
    assert sorted(events(site)) == names(100)
    assert not any(site.stack.count().values())


def test_a_message_arrives_as_it_was_spilled(site: Site) -> None:
    for entity in QUEUES:
        site.spill(entity, entity)
    site.put("spill/label/", b"")
    assert site.run("replay-spill").status == 0
    assert site.objects() == {"spill/label/"}, "a folder of S3's console is no message"
    for entity in QUEUES:
        [message] = site.messages(entity)
        check(site, message, entity, entity, dedup_id(entity))


def check(site: Site, message: dict, event: str, entity: str, deduplicated_by: str) -> None:
    """A message is as it was before it was stranded."""
    assert message["Body"] == body_of(event)
    texts = {name: value["StringValue"] for name, value in message["MessageAttributes"].items() if name != "binary"}
    known = {"event": "LABEL_UPDATED", "entity": entity, "entity_id": event, "dedup_id": dedup_id(event)}
    assert known.items() <= texts.items()
    system = message["Attributes"]
    assert system["AWSTraceHeader"] == f"Root=1-5759e988-{event}"
    expected = (event, deduplicated_by) if site.stack.is_fifo else (None, None)
    assert (system.get("MessageGroupId"), system.get("MessageDeduplicationId")) == expected


def test_what_the_queue_confirmed_wrongly_is_sent_with_the_id_of_its_record(make: MakeSite) -> None:
    site = make("fifo")
    for event in ("event", "usual"):
        site.send(event)
    own = f"{dedup_id('event')}-replay"
    site.spill("event", MessageDeduplicationId=own)
    site.spill("usual")
    assert site.run("replay-spill", "--json").account["deleted"] == 2
    messages = {message["Attributes"]["MessageDeduplicationId"]: message for message in site.messages()}
    assert messages.keys() == {dedup_id("event"), own, dedup_id("usual")}, "only the usual one is dropped"
    check(site, messages[own], "event", "label", own)


def test_a_pointer_is_sent_while_its_payload_is_there(site: Site) -> None:
    payload = site.put(f"payloads/{dedup_id('large')}/1", b"large")
    pointer = json.dumps(["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": site.bucket, "s3Key": payload}])
    size = {"ExtendedPayloadSize": {"DataType": "Number", "StringValue": "5"}}
    site.spill("large", MessageBody=pointer, MessageAttributes=attributes(entity="label", dedup_id=dedup_id("large")) | size)
    assert site.run("replay-spill").status == 0
    [message] = site.messages()
    assert (message["Body"], message["MessageAttributes"]["ExtendedPayloadSize"]["DataType"]) == (pointer, "Number")
    assert site.client("s3").get_object(Bucket=site.bucket, Key=payload)["Body"].read() == b"large"


@pytest.mark.parametrize("was", QUEUE_TYPES)
def test_messages_of_a_stack_whose_queues_have_changed_their_kind_are_sent(make: MakeSite, was: str) -> None:
    before, after = make(was), make("fifo" if was == "standard" else "standard")
    key = before.spill("event")
    after.put(key, before.client("s3").get_object(Bucket=before.bucket, Key=key)["Body"].read())
    assert after.run("replay-spill").status == 0
    [message] = after.messages()
    check(after, message, "event", "label", dedup_id("event"))


def test_only_the_entities_asked_for_are_sent(site: Site) -> None:
    for entity in QUEUES:
        site.spill(entity, entity)
    done = site.run("replay-spill", "--entity", "label", "--entity", "model-run", "--entity", "label", "--json")
    assert (done.status, done.account["sent"]) == (0, 2)
    assert site.objects() == {key_of(entity, entity) for entity in QUEUES if entity not in ("label", "model_run")}


def check_nothing_is_lost(site: Site, expected: list[str]) -> None:
    """All is in the queue and nothing in the bucket; a FIFO queue has nothing twice."""
    assert not site.objects()
    arrived = sorted(events(site))
    assert (arrived if site.stack.is_fifo else sorted(set(arrived))) == expected


def test_two_people_at_once_lose_nothing(site: Site) -> None:
    for event in names(100):
        site.spill(event)
    runs = [end(run) for run in [site.start("replay-spill", "--json") for _ in range(2)]]
    assert [(run.status, run.err) for run in runs] == [(0, "")] * 2, runs
    assert sum(run.account["deleted"] for run in runs) == 100
    check_nothing_is_lost(site, names(100))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_in_the_middle_loses_nothing(site: Site, number: signal.Signals) -> None:
    for event in names(MANY):
        site.spill(event)
    run = site.start("replay-spill", "--json")
    while len(site.objects()) == MANY:
        assert run.poll() is None
    run.send_signal(number)
    done = end(run)
    left = len(site.objects())
    assert 0 < left < MANY
    if number == signal.SIGINT:
        assert (done.status, done.account["interrupted"]) == (130, True)
        assert (done.account["found"], done.account["deleted"]) == (MANY, MANY - left)
    again = site.run("replay-spill", "--json")
    assert (again.status, again.account["deleted"]) == (0, left)
    check_nothing_is_lost(site, names(MANY))


# ---- redrive


def test_a_dead_letter_goes_back_as_it_was_however_young_it_is(site: Site) -> None:
    for entity in QUEUES:
        site.send(entity, entity)
        site.let_die(entity)
    done = site.run("redrive", "all", "--json")
    assert (done.status, done.err) == (0, "")
    assert {"found": 5, "sent": 5, "deleted": 5}.items() <= done.account.items()
    for entity in QUEUES:
        assert not site.dead_letters(entity)
        [message] = site.messages(entity)
        check(site, message, entity, entity, message["Attributes"].get("MessageDeduplicationId", ""))


def test_attributes_of_every_type_go_back_and_none_is_needed(site: Site) -> None:
    given = {
        "binary": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
        "number": {"DataType": "Number.float", "StringValue": "1.50"},
        **attributes(entity_id="event"),
    }
    site.send("event", MessageAttributes=given)
    site.send("other", MessageAttributes={})
    site.let_die()
    assert site.run("redrive", "label").status == 0
    by_body = {message["Body"]: message.get("MessageAttributes", {}) for message in site.messages()}
    assert by_body == {body_of("event"): given, body_of("other"): {}}


def test_a_letter_that_dies_again_goes_back_again(site: Site) -> None:
    site.send("event")
    for _ in range(3):
        site.let_die()
        assert site.run("redrive", "label", "--json").account["deleted"] == 1
    assert events(site) == ["event"]


def test_hundred_dead_letters_go_back_in_the_order_of_their_group(site: Site) -> None:
    for event in names(100):
        site.send(event, **({"MessageGroupId": f"group{event[-1]}"} if site.stack.is_fifo else {}))
    site.let_die()
    assert site.run("redrive", "label", "--json").account["deleted"] == 100
    arrived = events(site)
    assert sorted(arrived) == names(100)
    if site.stack.is_fifo:
        for group in "0123456789":
            of_group = [event for event in arrived if event.endswith(group)]
            assert of_group == sorted(of_group)


def test_what_an_ended_run_has_sent_and_not_deleted_is_not_doubled(make: MakeSite) -> None:
    site = make("fifo")
    died_as = site.send("event")
    site.let_die()
    # Just what a run sends before it deletes.
    site.send("event", MessageDeduplicationId=died_as)
    assert site.run("redrive", "label", "--json").account["deleted"] == 1
    assert events(site) == ["event"]


def test_two_people_redriving_at_once_lose_nothing(site: Site) -> None:
    for event in names(100):
        site.send(event)
    site.let_die()
    runs = [end(run) for run in [site.start("redrive", "label", "--json") for _ in range(2)]]
    assert [(run.status, run.err) for run in runs] == [(0, "")] * 2, runs
    assert sum(run.account["deleted"] for run in runs) == 100
    assert sorted(events(site)) == names(100)


def test_a_redrive_that_is_interrupted_finishes_what_is_in_hand(site: Site) -> None:
    for event in names(MANY):
        site.send(event)
    site.let_die()
    run = site.start("redrive", "label", "--json")
    while site.stack.count()["label"] == 0:
        assert run.poll() is None
    run.send_signal(signal.SIGINT)
    done = end(run)
    assert (done.status, done.account["interrupted"]) == (130, True)
    assert 0 < done.account["found"] == done.account["deleted"] < MANY
    again = site.run("redrive", "label", "--json")
    assert (again.status, again.account["deleted"]) == (0, MANY - done.account["deleted"])
    assert sorted(events(site)) == names(MANY)


def test_dead_letters_stay_visible_and_are_named_when_their_queue_does_not_take_them(make: MakeSite) -> None:
    site = make("fifo")
    ids = [site.send(event, MessageGroupId="group") for event in names(12)]
    site.let_die()
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("label"))
    done = site.run("redrive", "label", "--json")
    assert (done.status, done.account["sent"]) == (1, 0)
    reasons = list(done.kept.items())
    assert reasons[0][0] == f"label {ids[0]}" and "NonExistentQueue" in reasons[0][1]
    assert reasons[1][0] == f"label {ids[1]}" and f"held back by {ids[0]}" in reasons[1][1]
    assert [letter["MessageId"] for letter in site.dead_letters()] == ids


# ---- all commands


@pytest.mark.parametrize("command", COMMANDS)
def test_a_dry_run_changes_nothing(site: Site, command: tuple[str, ...]) -> None:
    site.spill("spilled")
    broken = site.put(key_of("broken"), b"")
    site.send("dead", "review")
    site.let_die("review")
    done = site.run(*command, "--dry-run", "--json")
    assert (done.account["would_send"], done.account["sent"], done.account["deleted"]) == (1, 0, 0)
    assert (done.status, list(done.kept)) == ((1, [broken]) if command == COMMANDS[0] else (0, []))
    assert site.objects() == {key_of("spilled"), broken}
    assert not any(site.stack.count().values())
    [letter] = site.dead_letters("review")
    assert letter["Attributes"]["ApproximateReceiveCount"] == "2", "once by its consumer, once by us"


@pytest.mark.parametrize("command", COMMANDS)
def test_people_get_an_account_to_read(make: MakeSite, command: tuple[str, ...]) -> None:
    site = make("standard")
    site.spill("event")
    site.send("event")
    site.let_die()
    done = site.run(*command)
    lines = dict(line.rsplit(maxsplit=1) for line in done.out.splitlines())
    assert lines == {"found": "1", "sent": "1", "deleted": "1", "already gone": "0", "kept": "0"}
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"RELAY_STACK": "nobodys"}, "there is no stack nobodys in us-east-1; name yours with --stack"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "AWS did not answer cloudformation:DescribeStacks"),
        ({"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "AWS did not answer s"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no usable AWS credentials"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "no AWS region is set; give --region"),
    ],
)
def test_what_makes_it_impossible_is_said_on_one_line(
    make: MakeSite, command: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    site = make("fifo")
    site.spill("event")
    done = site.run(*command, "--json", **variables)
    assert (done.status, done.out) == (3, "")
    assert done.err.startswith(f"relayctl: {said}") and done.err.count("\n") == 1, done.err
    assert site.objects() == {key_of("event")}


def test_a_stack_that_is_no_relay_is_told_from_one(make: MakeSite) -> None:
    site = make("fifo")
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    site.client("cloudformation").create_stack(StackName="no-relay", TemplateBody=template)
    done = site.run("replay-spill", "--stack", "no-relay")
    assert (done.status, done.out) == (3, "")
    assert "no-relay has no output PayloadBucketName" in done.err


def test_an_account_that_cannot_be_written_is_no_success(make: MakeSite) -> None:
    site = make("fifo")
    site.spill("event")
    run = site.start("replay-spill")
    assert run.stdout
    run.stdout.close()
    assert run.wait() == 3
    assert not site.objects() and events(site) == ["event"]
