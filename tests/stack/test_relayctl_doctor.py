"""The doctor as a process: content with a healthy relay, and for each thing that is broken a line that says what to type."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import QUEUE_TYPES, Deploy
from local.gate import Gate
from local.stack import Stack

from repair import Done, Site

pytestmark = pytest.mark.long

SOUND = "a-secret-of-enough-letters"
STRANGERS = 15
"""Unrouted events that are not the doctor's, more than one receive gives."""


@pytest.fixture
def make(deployed: Deploy, relayctl: Path) -> Callable[..., Site]:
    """Deploys relays that may be broken, each under another name."""

    def deploy(**parameters: str) -> Site:
        stack = deployed(f"ill-{next(_numbers)}", put_secret=False, **parameters)
        stack.put_secret(SOUND)
        return Site(stack, relayctl)

    return deploy


_numbers = itertools.count()


@pytest.fixture(scope="module", params=QUEUE_TYPES)
def healthy(request: pytest.FixtureRequest, deployed: Deploy, relayctl: Path) -> Site:
    stack = deployed(f"healthy-{request.param}", put_secret=False, QueueType=request.param)
    stack.put_secret(SOUND)
    return Site(stack, relayctl)


def checks(done: Done) -> dict[str, dict[str, Any]]:
    """What was found, by the name of the check, the worst last."""
    order = {"ok": 0, "not_checked": 1, "warning": 2, "problem": 3}
    found = sorted(json.loads(done.out)["checks"], key=lambda check: order[check["status"]])
    return {check["name"]: check for check in found}


def expect(site: Site, name: str, status: str, says: str, mend: str, *arguments: str) -> None:
    """The doctor finds just this."""
    done = site.run("doctor", "--json", *arguments)
    found = checks(done).get(name)
    assert found is not None, done
    assert (found["status"], done.status) == (status, 1 if status == "problem" else 0), done
    assert says in found["says"] and mend in (found["mend"] or ""), found
    assert SOUND not in done.out + done.err


def test_a_healthy_relay_is_well_and_nothing_of_the_probe_stays(healthy: Site) -> None:
    assert healthy.run("trigger", "LABEL_CREATED").status == 0
    before = healthy.stack.count()
    done = healthy.run("doctor", "--json")
    assert (done.status, done.err) == (0, "")
    assert {name: check for name, check in checks(done).items() if check["status"] != "ok"} == {}
    assert healthy.stack.count() == before
    text = healthy.run("doctor")
    assert text.out.endswith("All is well.\n") and text.status == 0
    assert "went through in" in text.out and "LABEL_CREATED" in text.out


def test_without_a_probe_nothing_is_sent(healthy: Site) -> None:
    before = healthy.stack.logs()
    done = healthy.run("doctor", "--no-probe", "--json")
    assert done.status == 0 and checks(done)["probe"]["says"] == "left out, as you wanted"
    assert [line for line in healthy.stack.logs()[len(before) :] if "RELAYCTL_PROBE" in line or "401" in line] == []


def test_other_unrouted_events_stay_and_are_received_once_at_most(healthy: Site) -> None:
    assert healthy.run("trigger", "NEW_TOPIC", "--count", str(STRANGERS)).status == 0
    done = healthy.run("doctor", "--json")
    assert checks(done)["probe"]["status"] == "ok", done
    assert healthy.stack.count()["unrouted"] == STRANGERS
    messages = healthy.messages("unrouted")
    assert len(messages) == STRANGERS
    # Once by the doctor at most, and once by us.
    assert max(int(message["Attributes"]["ApproximateReceiveCount"]) for message in messages) <= 2


def test_dead_letters_are_found_redriven_and_gone(healthy: Site) -> None:
    assert healthy.run("trigger", "LABEL_CREATED", "--count", "12").status == 0
    healthy.let_die()
    waiting = healthy.run("count", "--json").account["total"]["dead_letters"]
    expect(healthy, "label dead letters", "problem", f"{waiting} dead letters", "relayctl redrive label --stack")
    assert healthy.run("redrive", "label").status == 0
    assert healthy.run("doctor", "--json").status == 0
    healthy.stack.purge()


def test_what_waits_in_the_bucket_is_found(healthy: Site) -> None:
    key = healthy.spill("stranded")
    expect(healthy, "label spilled", "problem", "1 in the bucket", "relayctl replay-spill --entity label")
    healthy.client("s3").delete_object(Bucket=healthy.bucket, Key=key)


@pytest.mark.parametrize(
    ("value", "name", "status", "says", "mend"),
    [
        ("\n", "secret", "problem", "value is blank; the last usable value stays in use", "put-secret-value"),
        (f'["{SOUND}"]', "secret", "problem", "a JSON list or a quoted JSON string", "put-secret-value"),
        (f'"{SOUND}"', "secret", "problem", "a JSON list or a quoted JSON string", "put-secret-value"),
        (f" {SOUND}", "secret", "problem", "has U+0020 (white space) at position 1", "relayctl secret rotate labelbox"),
        (f"{SOUND}\u200b", "secret", "problem", "U+200B (invisible) at position 27", "secret rotate labelbox"),
        (f"\ufeff{SOUND}\n", "secret", "ok", "is sound", ""),
        (f'\ufeff{{"labelbox": "{SOUND}"}}', "secret labelbox", "ok", "is sound", ""),
        (f'\ufeff\ufeff{{"labelbox": "{SOUND}"}}', "secret", "problem", "before its { it has U+FEFF", "put-secret-value"),
        ({"labelbox": f"a\u202e{SOUND}"}, "secret labelbox", "problem", "U+202E (invisible) at position 2", "rotate"),
        ({"labelbox": SOUND, "backfill": SOUND}, "secret backfill", "problem", "answered 404", "remove backfill"),
        ("short", "secret", "warning", "is weak", "relayctl secret rotate labelbox"),
        ('{"labelbox": ', "secret", "problem", "starts like a JSON object", "put-secret-value"),
        ({"project-x": SOUND}, "secret labelbox", "warning", "404", "relayctl secret add labelbox"),
        ({"labelbox": SOUND, "other": []}, "secret other", "problem", "is empty", "relayctl secret add other"),
    ],
)
def test_a_secret_that_is_not_sound_is_named(
    healthy: Site, value: str | dict[str, Any], name: str, status: str, says: str, mend: str
) -> None:
    healthy.stack.put_secret(value)
    try:
        expect(healthy, name, status, says, mend, "--no-probe")
    finally:
        healthy.stack.put_secret(SOUND)


def test_a_queue_without_its_dead_letters_can_be_mended_as_it_says(healthy: Site) -> None:
    sqs, url = healthy.client("sqs"), healthy.stack.queue_url("review")
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
    expect(healthy, "queue review", "problem", "no dead-letter queue", "aws sqs set-queue-attributes", "--no-probe")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    assert healthy.run("doctor", "--no-probe").status == 0


def test_a_queue_that_is_gone_is_named(make: Callable[..., Site]) -> None:
    site = make()
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("workflow"))
    expect(site, "queue workflow", "problem", "is gone", "aws sqs create-queue", "--no-probe")


def test_a_setting_that_was_changed_by_hand_is_named(make: Callable[..., Site]) -> None:
    site = make()
    change(site.stack, INLINE_LIMIT_KIB="much")
    expect(site, "variables", "problem", "INLINE_LIMIT_KIB", "aws lambda update-function-configuration", "--no-probe")


def change(stack: Stack, **variables: str) -> None:
    client, name = stack.emulator.client("lambda"), stack.outputs["FunctionName"]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {**stack.settings, **variables}})


def test_a_right_that_was_taken_away_is_named(make: Callable[..., Site]) -> None:
    site = make()
    iam, role = site.client("iam"), site.stack.function["Role"].rpartition("/")[2]
    [name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    statements = [each for each in policy["Statement"] if each["Sid"] != "QueueEvents"]
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps({**policy, "Statement": statements}))
    expect(site, "rights", "problem", "may not sqs:SendMessage", "aws iam put-role-policy", "--no-probe")


def test_where_addresses_are_locked_the_probe_is_not_taken_for_broken(make: Callable[..., Site]) -> None:
    site = make(AllowedSourceCidrs="192.0.2.0/24")
    expect(site, "probe", "not_checked", "not in AllowedSourceCidrs", "newest event")


def test_a_secret_that_was_just_changed_is_waited_for(make: Callable[..., Site]) -> None:
    site = make()
    assert site.run("doctor").status == 0
    site.stack.put_secret(SOUND[::-1])
    done = site.run("doctor", "--json")
    assert (done.status, checks(done)["probe"]["status"]) == (0, "ok"), done
    assert "waiting" in done.err


def test_a_relay_that_cannot_fetch_its_secret_is_not_taken_for_one_that_accepts_forgeries(
    make: Callable[..., Site], secrets_manager: Gate
) -> None:
    site = make()
    assert site.run("trigger", "LABEL_CREATED").status == 0
    secrets_manager.close()
    try:
        expect(site, "forgery", "problem", "refused, but with 503: the relay cannot fetch its secret", "aws logs tail")
    finally:
        secrets_manager.open()


def test_an_event_that_spills_is_a_problem_and_does_not_stay(make: Callable[..., Site]) -> None:
    site = make()
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("unrouted"))
    expect(site, "probe", "problem", "went to the bucket, where it was deleted", "aws logs tail")
    assert site.objects() == set()


def test_what_makes_it_impossible_is_said_on_one_line(healthy: Site) -> None:
    done = healthy.run("doctor", "--stack", "nowhere")
    assert (done.status, done.out) == (3, "")
    assert done.err.startswith("relayctl: there is no stack nowhere") and done.err.count("\n") == 1
    with Path("/dev/full").open("w") as full:
        run = healthy.start("doctor", "--no-probe", output=full)
        assert run.wait(60) == 3
