"""The operator's tool as a process: what it repairs, what it leaves, what it says, and how it ends."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import QUEUE_TYPES, MakeSite
from repair import Done, Site, attributes, body_of, dedup_id, end, key_of
from terminal import sized

from dev.stack import QUEUES

pytestmark = pytest.mark.extended

MANY = 300
"""More than the tool does before we can look."""

NO_CREDENTIALS = (
    "no usable AWS credentials: neither environment variables nor the profile have any; "
    "sign in (aws sso login, aws configure) or give --profile\n"
)
COMMANDS = [("replay-spill",), ("redrive", "all")]


@pytest.fixture
def make(make: MakeSite) -> MakeSite:
    """Their messages have one receive."""
    return lambda queue_type: make(queue_type, receives=1)


def events(site: Site, entity: str = "label") -> list[str]:
    """Takes all messages from a queue: what each is about."""
    return [message["MessageAttributes"]["entity_id"]["StringValue"] for message in site.messages(entity)]


def names(count: int) -> list[str]:
    return [f"event{number:03}" for number in range(count)]


# ---- replay-spill


def break_some(site: Site) -> dict[str, str]:
    """Spills what cannot be sent. Returns a part of the reason that each must be given."""
    good = site.client("s3").get_object(Bucket=site.bucket, Key=key_of("event000"))["Body"].read()
    nowhere = json.dumps(
        ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": site.bucket, "s3Key": "x"}]
    )
    size = {"ExtendedPayloadSize": {"DataType": "Number", "StringValue": "5"}}
    large = attributes(entity="label", dedup_id=dedup_id("missing")) | size
    no_pointer = attributes(entity="label", dedup_id=dedup_id("no pointer")) | size
    return {
        site.put(key_of("empty"), b""): "not a stored message",
        site.put(key_of("no JSON"), b"\xff"): "not a stored message",
        site.put(key_of("cut off"), good[:-20]): "not a stored message",
        site.put(key_of("another"), good): "attribute dedup_id differ",
        site.put(key_of("event000", "review"), good): "attribute entity differ",
        site.put(key_of("event000", "labels"), good): "its key is not",
        site.put("spill/notes.txt", b"mine"): "its key is not",
        site.spill("missing", MessageBody=nowhere, MessageAttributes=large): f"s3://{site.bucket}/x cannot be read",
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
        assert (done.status, done.warnings) == (1, "")
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


def check(site: Site, message: dict[str, Any], event: str, entity: str, deduplicated_by: str) -> None:
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
    pointer = json.dumps(
        ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": site.bucket, "s3Key": payload}]
    )
    size = {"ExtendedPayloadSize": {"DataType": "Number", "StringValue": "5"}}
    site.spill(
        "large", MessageBody=pointer, MessageAttributes=attributes(entity="label", dedup_id=dedup_id("large")) | size
    )
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
    assert [(run.status, run.warnings) for run in runs] == [(0, "")] * 2, runs
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
    assert (done.status, done.warnings) == (0, "")
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
    assert [(run.status, run.warnings) for run in runs] == [(0, "")] * 2, runs
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
    assert lines == {"found": "1", "sent": "1", "deleted": "1", "kept": "0"}
    assert (done.status, done.warnings) == (0, "")


@pytest.mark.parametrize("command", [*COMMANDS, ("tail", "--since", "1h"), ("logs",), ("peek", "label"), ("count",)])
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"RELAY_STACK": "nobodys"}, "there is no stack nobodys in us-east-1; name yours with --stack"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "no response from AWS to cloudformation:DescribeStacks"),
        (
            {f"AWS_ENDPOINT_URL_{name}": "http://127.0.0.1:9" for name in ("SQS", "S3", "CLOUDWATCH_LOGS")},
            "no response from AWS to ",
        ),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, NO_CREDENTIALS),
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
    warnings = done.warnings.removeprefix("relayctl: waiting for events; Ctrl-C ends\n")
    assert warnings.startswith(f"relayctl: {said}") and warnings.count("\n") == 1, done.err
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


def test_equal_reasons_are_printed_once(make: MakeSite) -> None:
    site = make("fifo")
    for event in names(5):
        site.spill(event)
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("label"))
    done = site.run("replay-spill")
    reasons = [line for line in done.out.splitlines() if "NonExistentQueue" in line]
    assert done.status == 1
    assert len(reasons) == 1 and reasons[0].startswith("  5 messages: "), done.out
    assert "    and 2 more, which --json names\n" in done.out
    assert len(site.run("replay-spill", "--json").kept) == 5
    dry = site.run("replay-spill", "--dry-run", "--json")
    assert (dry.status, dry.account["would_send"], len(dry.kept)) == (1, 0, 5)


# ---- count


def test_count_names_a_queue_that_is_missing_and_counts_the_others(make: MakeSite) -> None:
    site = make("fifo")
    site.spill("spilled")
    site.send("waiting", "review")
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("label"))
    site.client("sqs").delete_queue(QueueUrl=site.stack.dead_letter_queue_url("workflow"))
    options = ["--stack", site.stack.name, "--region", "us-east-1"]
    done = site.run("count", *options, "--json", RELAY_STACK="")
    queues = {queue.pop("queue"): queue for queue in done.account["queues"]}
    assert queues["label"] == {"waiting": None, "in_flight": None, "dead_letters": 0, "spilled": 1}
    assert queues["workflow"] == {"waiting": 0, "in_flight": 0, "dead_letters": None, "spilled": 0}
    assert queues["review"]["waiting"] == 1
    assert done.account["missing"] == ["queue label", "dead-letter queue workflow"]
    repair = f"relayctl doctor {shlex.join(options)}"
    said = f"relayctl: does not exist: queue label, dead-letter queue workflow; {repair} says how to repair it\n"
    assert (done.status, done.err) == (1, said)
    text = site.run("count")
    assert (text.status, text.out.split("\n")[1].split()) == (1, ["label", "missing", "missing", "0", "1"])


def test_count_names_a_bucket_that_is_missing(make: MakeSite) -> None:
    site = make("fifo")
    site.send("waiting")
    site.client("s3").delete_bucket(Bucket=site.bucket)
    done = site.run("count", "--json")
    assert (done.status, done.account["missing"]) == (1, [f"bucket {site.bucket}"])
    assert {queue["queue"]: (queue["waiting"], queue["spilled"]) for queue in done.account["queues"]}["label"] == (
        1,
        None,
    )


# ---- outputs, open, whoami


def test_outputs_are_printed_for_people_scripts_and_shells(make: MakeSite) -> None:
    site = make("fifo")
    outputs = site.stack.outputs
    target = {"account": "000000000000", "region": "us-east-1", "stack": site.stack.name}
    assert site.run("outputs", "--json").account == {"target": target, **outputs}
    rows = dict(line.split() for line in site.run("outputs").out.splitlines())
    assert rows == outputs
    exported = site.run("outputs", "--export").out
    script = f'{exported}\nprintf "%s %s" "$LABEL_QUEUE_URL" "$PAYLOAD_BUCKET_NAME"'
    shell = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True)
    assert shell.stdout == f"{outputs['LabelQueueUrl']} {site.bucket}"


def test_open_prints_the_dashboards_url_and_starts_the_browser(make: MakeSite, tmp_path: Path) -> None:
    site = make("fifo")
    assert "has no output DashboardUrl" in site.run("open").err
    url = "https://console.example/cloudwatch/home?region=us-east-1#dashboards/dashboard/relay"
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"DashboardUrl": {"Value": url}}}
    site.client("cloudformation").create_stack(StackName="with-dashboard", TemplateBody=json.dumps(template))
    opened = tmp_path / "opened"
    os.mkfifo(opened)
    opener = tmp_path / ("open" if sys.platform == "darwin" else "xdg-open")
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    opener.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = site.run("open", "--stack", "with-dashboard", PATH=path)
    assert (done.status, done.out, done.err) == (0, url + "\n", "")
    assert opened.read_text() == url
    printed = site.run("open", "--print", "--stack", "with-dashboard", "--json", PATH=str(tmp_path))
    assert (printed.status, printed.account["url"]) == (0, url)
    assert printed.account["target"]["stack"] == "with-dashboard"
    alone = site.run("open", "--stack", "with-dashboard", PATH="/nowhere")
    assert (alone.status, alone.out) == (0, url + "\n")
    assert "open the URL yourself" in alone.err


def test_whoami_says_whose_account_it_is_and_names_a_missing_stack(make: MakeSite) -> None:
    site = make("fifo")
    done = site.run("whoami", "--json")
    expected = {"account": "000000000000", "region": "us-east-1", "stack": site.stack.name, "profile": None}
    assert done.status == 0
    assert {**expected, "stack_status": "CREATE_COMPLETE"}.items() <= done.account.items()
    assert done.account["arn"].startswith("arn:aws:")
    missing = site.run("whoami", "--stack", "nobodys")
    assert (missing.status, missing.err.count("\n")) == (3, 1)
    assert missing.err.startswith("relayctl: there is no stack nobodys in us-east-1; name yours with --stack")
    lines = dict(line.split(maxsplit=1) for line in missing.out.splitlines())
    assert (lines["account"], lines["region"]) == ("000000000000", "us-east-1")
    assert lines["stack"] == "nobodys"


# ---- usage


def usage(relayctl: Path, *words: str, **variables: str) -> Done:
    run = subprocess.run([relayctl, *words], env=variables, capture_output=True, text=True)
    return Done(run.returncode, run.stdout, run.stderr)


def test_help_that_cannot_be_written_is_an_error(relayctl: Path) -> None:
    for words in (["--help"], ["help", "send"], ["--version"]):
        with Path("/dev/full").open("w") as full:
            assert subprocess.run([relayctl, *words], stdout=full).returncode == 1, words


def test_usage_lines_do_not_list_options_that_are_set(relayctl: Path) -> None:
    done = usage(relayctl, "count", "--nonsense", RELAY_STACK="staging")
    assert done.status == 2
    assert "Usage: relayctl count [OPTIONS]\n" in done.err


@pytest.mark.parametrize("words", [["--help"], ["trigger", "--help"], ["redrive", "--help"], ["count", "-h"]])
def test_help_wraps_at_60_columns(relayctl: Path, words: list[str]) -> None:
    screen = sized([str(relayctl), *words], 60)
    wide = [line for line in screen.splitlines() if len(line) > 60 and " " in line.strip()]
    # Examples are lines to copy.
    assert [line for line in wide if not re.match(r"  relayctl ", line)] == []


def test_completion_knows_topics_and_queues(relayctl: Path) -> None:
    words = {"LABEL_UPDATED", "MODEL_RUN_CREATED", "model_run"}
    for shell in ("bash", "zsh", "fish"):
        script = usage(relayctl, "completions", shell).out
        assert {word for word in words if word in script} == words, shell
    values = re.findall(
        r'^complete -c relayctl -n "__fish_relayctl_using_subcommand (\w+)" -f -a "(.*)"$', script, re.M
    )
    queues = "label workflow review model_run unrouted"
    assert dict(values).items() >= {"peek": queues, "tail": queues, "redrive": f"{queues} all"}.items(), values
    assert dict(values)["trigger"].startswith("LABEL_CREATED LABEL_UPDATED LABEL_DELETED WORKFLOW_ACTION ")


def test_a_printed_command_keeps_profile_region_and_stack(make: MakeSite, tmp_path: Path) -> None:
    site = make("fifo")
    config = tmp_path / "config"
    config.write_text("[profile 50%]\naws_access_key_id = test\naws_secret_access_key = test\n")
    options = ["--stack", site.stack.name, "--profile", "50%", "--region", "us-east-1"]
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("label"))
    done = site.run("count", *options, RELAY_STACK="", AWS_CONFIG_FILE=str(config))
    assert done.status == 1
    [line] = [line for line in done.err.splitlines() if "relayctl doctor" in line]
    command = line.partition("; ")[2].removesuffix(" says how to repair it")
    assert shlex.split(command) == ["relayctl", "doctor", *options]
