"""`relayctl replay-spill`, `redrive`, `count`, `outputs`, `open` and `whoami`: what moves, what stays, and why."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeSite
from repair import Run, Site, attributes, body_of, dedup_id, event_of, key_of, names, spilled

from dev.environment import NOWHERE
from dev.stack import QUEUES

pytestmark = pytest.mark.extended

MANY = 300
"""More than the tool does before we can look."""

REPLAY, REDRIVE = COMMANDS = [("replay-spill",), ("redrive", "label")]


def events(site: Site, entity: str = "label") -> list[str]:
    """Takes all messages from a queue: what each is about."""
    return [event_of(message) for message in site.messages(entity)]


def put_failed(site: Site, command: tuple[str, ...], count: int) -> None:
    """Puts so many labels where the command finds them."""
    for event in names(count):
        if command == REPLAY:
            site.spill(event)
        else:
            site.send(event)
    site.dead_letter_all()


def check(site: Site, message: dict[str, Any], event: str, entity: str, deduplicated_by: str) -> None:
    """A message is as it was before it was spilled or dead-lettered."""
    assert message["Body"] == body_of(event)
    known = attributes(event="LABEL_UPDATED", entity=entity, entity_id=event, dedup_id=dedup_id(event))
    assert known == message["MessageAttributes"]
    system = message["Attributes"]
    assert system["AWSTraceHeader"] == f"Root=1-5759e988-{event}"
    expected = (event, deduplicated_by) if site.stack.is_fifo else (None, None)
    assert (system.get("MessageGroupId"), system.get("MessageDeduplicationId")) == expected


def check_nothing_is_lost(site: Site, count: int) -> None:
    """All is in the queue and nothing in the bucket; a FIFO queue has nothing twice."""
    assert not site.objects() and not site.dead_letters()
    arrived = sorted(events(site))
    assert (arrived if site.stack.is_fifo else sorted(set(arrived))) == names(count)


# ---- replay-spill


def test_what_can_be_sent_is_sent_and_what_cannot_stays_and_is_named(site: Site) -> None:
    for event in names(100):
        site.spill(event)
    good = site.stack.read_object(key_of("event000"))
    broken = {
        site.put(key_of("cut off"), good[:-20]): "not a stored message",
        site.put(key_of("event000", "review"), good): "attribute entity differ",
        site.put("spill/notes.txt", b"mine"): "its key is not",
        site.spill("missing", **site.pointer("missing", "x", 5)): f"s3://{site.bucket}/x cannot be read",
        site.spill("refused by SQS", MessageBody="\x01"): "InvalidMessageContents",
    }
    for sent in (100, 0):
        done = site.run("replay-spill", "--json")
        counts = {"found": sent + len(broken), "sent": sent, "deleted": sent, "already_gone": 0}
        assert counts.items() <= done.summary.items(), done
        assert done.kept.keys() == broken.keys() == site.objects()
        assert [key for key, reason in broken.items() if reason not in done.kept[key]] == []
        assert (done.status, done.warnings) == (1, "")
    assert sorted(events(site)) == names(100)


def test_a_message_arrives_as_it_was_spilled(site: Site) -> None:
    for entity in QUEUES:
        site.spill(entity, entity)
    # Before the stack's queues changed their kind.
    other = json.dumps(spilled("other-kind", "label", not site.stack.is_fifo))
    site.put(key_of("other-kind"), other.encode())
    large = site.pointer("large", site.put("payloads/large/1", b"large"), 5)
    site.spill("large", **large)
    # The queue confirmed something else under the event's own id.
    own_id = f"{dedup_id('confirmed')}-replay" if site.stack.is_fifo else ""
    wrong = {"MessageDeduplicationId": own_id} if own_id else {}
    site.spill("confirmed", **wrong)
    site.put("spill/label/", b"")
    done = site.run("replay-spill", "--entity", "label", "--entity", "model-run", "--entity", "label", "--json")
    assert (done.status, done.summary["sent"]) == (0, 5)
    left = {key_of(entity, entity) for entity in ("workflow", "review", "unrouted")}
    assert site.objects() == {"spill/label/", *left}, "a folder of S3's console is no message"
    assert site.run("replay-spill").status == 0
    arrived = {event_of(message): message for entity in QUEUES for message in site.messages(entity)}
    pointer = arrived.pop("large")
    assert (pointer["Body"], pointer["MessageAttributes"]) == (large["MessageBody"], large["MessageAttributes"])
    assert site.stack.read_object("payloads/large/1") == b"large"
    check(site, arrived.pop("confirmed"), "confirmed", "label", own_id)
    assert arrived.keys() == {*QUEUES, "other-kind"}
    for event, message in arrived.items():
        check(site, message, event, event if event in QUEUES else "label", dedup_id(event))


# ---- redrive


def test_a_dead_letter_goes_back_as_it_was_however_often_it_dies(site: Site) -> None:
    for entity in QUEUES:
        site.send(entity, entity)
    typed = {
        "binary": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
        "number": {"DataType": "Number.float", "StringValue": "1.50"},
    }
    site.send("typed", MessageAttributes=typed)
    site.send("bare", MessageAttributes={})
    for _ in range(2):
        for entity in QUEUES:
            site.dead_letter_all(entity)
        done = site.run("redrive", "all", "--json")
        assert (done.status, done.warnings) == (0, "")
        assert {"found": 7, "sent": 7, "deleted": 7}.items() <= done.summary.items()
        assert not [letter for entity in QUEUES for letter in site.dead_letters(entity)]
    arrived = {message["Body"]: message for entity in QUEUES for message in site.messages(entity)}
    assert arrived.pop(body_of("typed"))["MessageAttributes"] == typed
    assert "MessageAttributes" not in arrived.pop(body_of("bare"))
    for entity in QUEUES:
        message = arrived[body_of(entity)]
        check(site, message, entity, entity, message["Attributes"].get("MessageDeduplicationId", ""))


def test_hundred_dead_letters_go_back_in_the_order_of_their_group(make: MakeSite) -> None:
    site = make("fifo")
    for event in names(100):
        site.send(event, MessageGroupId=f"group{event[-1]}")
    site.dead_letter_all()
    assert site.run("redrive", "label", "--json").summary["deleted"] == 100
    arrived = events(site)
    assert sorted(arrived, key=lambda event: event[-1]) == sorted(names(100), key=lambda event: event[-1])


def test_what_an_ended_run_has_sent_and_not_deleted_is_not_doubled(make: MakeSite) -> None:
    site = make("fifo")
    died_as = site.send("event")
    site.dead_letter_all()
    # Just what a run sends before it deletes.
    site.send("event", MessageDeduplicationId=died_as)
    assert site.run("redrive", "label", "--json").summary["deleted"] == 1
    assert events(site) == ["event"]


def test_what_its_queue_does_not_take_stays_visible_and_is_named(make: MakeSite) -> None:
    site = make("fifo")
    ids = [site.send(event, MessageGroupId="group") for event in names(12)]
    site.dead_letter_all()
    for event in names(5):
        site.spill(event)
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("label"))
    done = site.run("redrive", "label", "--json")
    assert (done.status, done.summary["sent"]) == (1, 0)
    reasons = list(done.kept.items())
    assert reasons[0][0] == f"label {ids[0]}" and "NonExistentQueue" in reasons[0][1]
    assert reasons[1][0] == f"label {ids[1]}" and f"held back by {ids[0]}" in reasons[1][1]
    assert [letter["MessageId"] for letter in site.dead_letters()] == ids
    done = site.run("replay-spill")
    # Equal reasons are printed once.
    [reason] = [line for line in done.out.splitlines() if "NonExistentQueue" in line]
    assert (done.status, reason.startswith("  5 messages: ")) == (1, True), done
    assert "    and 2 more, which --json names\n" in done.out
    dry = site.run("replay-spill", "--dry-run", "--json")
    assert (dry.status, dry.summary["would_send"], len(dry.kept)) == (1, 0, 5)


# ---- both


@pytest.mark.parametrize("command", COMMANDS)
def test_two_people_at_once_lose_nothing(site: Site, command: tuple[str, ...]) -> None:
    put_failed(site, command, 100)
    runs = [run.end(None) for run in [Run(site, *command, "--json") for _ in range(2)]]
    assert [(run.status, run.warnings) for run in runs] == [(0, "")] * 2, runs
    assert sum(run.summary["deleted"] for run in runs) == 100
    check_nothing_is_lost(site, 100)


@pytest.mark.parametrize(
    ("command", "number"), [(REPLAY, signal.SIGINT), (REPLAY, signal.SIGKILL), (REDRIVE, signal.SIGINT)]
)
def test_a_run_that_is_ended_in_the_middle_loses_nothing(
    site: Site, command: tuple[str, ...], number: signal.Signals
) -> None:
    put_failed(site, command, MANY)
    run = Run(site, *command, "--json")
    run.wait_until(lambda: site.stack.count()["label"])
    done = run.end(number)
    again = site.run(*command, "--json")
    assert again.status == 0 and again.summary["deleted"] > 0, (done, again)
    if number == signal.SIGINT:
        assert (done.status, done.summary["interrupted"], done.kept) == (130, True, {})
        assert done.summary["deleted"] + again.summary["deleted"] == MANY
    check_nothing_is_lost(site, MANY)


def test_a_dry_run_changes_nothing(site: Site) -> None:
    site.spill("spilled")
    broken = site.put(key_of("broken"), b"")
    site.send("dead", "review")
    site.dead_letter_all("review")
    for command, status, kept in ((("replay-spill",), 1, [broken]), (("redrive", "all"), 0, [])):
        done = site.run(*command, "--dry-run", "--json")
        assert (done.summary["would_send"], done.summary["sent"], done.summary["deleted"]) == (1, 0, 0)
        assert (done.status, list(done.kept)) == (status, kept)
    assert site.objects() == {key_of("spilled"), broken}
    assert not any(site.stack.count().values())
    [letter] = site.dead_letters("review")
    assert letter["Attributes"]["ApproximateReceiveCount"] == "6", "five times by its consumer, once by us"


def test_what_makes_it_impossible_is_said_on_one_line(make: MakeSite) -> None:
    site = make()
    key = site.spill("event")
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    site.client("cloudformation").create_stack(StackName="no-relay", TemplateBody=template)
    services = {f"AWS_ENDPOINT_URL_{name}": NOWHERE for name in ("SQS", "S3", "CLOUDWATCH_LOGS")}
    for command in [*COMMANDS, ("tail", "--since", "1h"), ("logs",), ("peek", "label"), ("count",)]:
        missing = site.run(*command, "--json", "--stack", "nobodys").error
        assert missing.startswith("relayctl: there is no stack nobodys in us-east-1; name yours with --stack"), missing
        assert "no response from AWS to " in site.run(*command, "--json", **services).error
    assert "no-relay has no output PayloadBucketName" in site.run("replay-spill", "--stack", "no-relay").error
    assert site.objects() == {key}


# ---- count


def test_count_names_what_is_missing_and_counts_the_rest(make: MakeSite) -> None:
    site = make("fifo")
    site.spill("spilled")
    site.send("waiting", "review")
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("label"))
    site.client("sqs").delete_queue(QueueUrl=site.stack.dead_letter_queue_url("workflow"))
    done = site.run("count", "--json")
    queues = {queue.pop("queue"): queue for queue in done.summary["queues"]}
    assert queues["label"] == {"waiting": None, "in_flight": None, "dead_letters": 0, "spilled": 1}
    assert queues["workflow"] == {"waiting": 0, "in_flight": 0, "dead_letters": None, "spilled": 0}
    assert queues["review"]["waiting"] == 1
    missing = ["queue label", "dead-letter queue workflow"]
    assert (done.status, done.summary["missing"]) == (1, missing)
    assert done.err.startswith(f"relayctl: does not exist: {', '.join(missing)}; relayctl doctor"), done
    site.stack.delete_bucket()
    assert site.run("count", "--json").summary["missing"] == [*missing, f"bucket {site.bucket}"]
    text = site.run("count")
    assert text.out.split("\n")[1].split() == ["label", "missing", "missing", "0", "missing"]


# ---- outputs, open, whoami


def test_outputs_are_printed_for_people_scripts_and_shells(make: MakeSite) -> None:
    site = make()
    outputs = site.stack.outputs
    target = {"account": "000000000000", "region": "us-east-1", "stack": site.stack.name}
    assert site.run("outputs", "--json").summary == {"target": target, **outputs}
    assert dict(line.split() for line in site.run("outputs").out.splitlines()) == outputs
    exported = site.run("outputs", "--export").out
    script = f'{exported}\nprintf "%s %s" "$LABEL_QUEUE_URL" "$PAYLOAD_BUCKET_NAME"'
    shell = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True)
    assert shell.stdout == f"{outputs['LabelQueueUrl']} {site.bucket}"


def test_open_prints_the_dashboards_url_and_starts_the_browser(make: MakeSite, tmp_path: Path) -> None:
    site = make()
    assert "has no output DashboardUrl" in site.run("open").error
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
    # It would wait for a reader if it opened anything.
    printed = site.run("open", "--print", "--stack", "with-dashboard", "--json", PATH=str(tmp_path))
    assert (printed.status, printed.summary["url"]) == (0, url)
    alone = site.run("open", "--stack", "with-dashboard", PATH="/nowhere")
    assert (alone.status, alone.out) == (0, url + "\n") and "open the URL yourself" in alone.err


def test_whoami_says_whose_account_it_is_and_names_a_missing_stack(make: MakeSite) -> None:
    site = make()
    done = site.run("whoami", "--json")
    expected = {"account": "000000000000", "region": "us-east-1", "stack": site.stack.name, "profile": None}
    assert done.status == 0
    assert {**expected, "stack_status": "CREATE_COMPLETE"}.items() <= done.summary.items()
    assert done.summary["arn"].startswith("arn:aws:")
    missing = site.run("whoami", "--stack", "nobodys")
    assert (missing.status, missing.err.count("\n")) == (3, 1)
    assert missing.err.startswith("relayctl: there is no stack nobodys in us-east-1; name yours with --stack")
    lines = dict(line.split(maxsplit=1) for line in missing.out.splitlines())
    assert (lines["account"], lines["region"]) == ("000000000000", "us-east-1")
    assert lines["stack"] == "nobodys"
