"""`relayctl doctor`: a healthy relay is healthy, and for each fault it prints commands that repair it when pasted."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import urllib3
from conftest import QUEUE_TYPES, Deploy
from operator_shell import Shell
from repair import Done, Site, make_site, serving, wait_for

from dev.emulator import Emulator
from dev.tcp_proxy import TcpProxy

pytestmark = pytest.mark.extended

VALID = "a-secret-of-enough-letters"
OTHERS = 15
"""Unrouted events that are not the doctor's, more than one receive returns."""


@pytest.fixture
def make(deployed: Deploy, relayctl: Path) -> Callable[..., Site]:
    """Deploys relays that may be broken, each under another name."""

    def deploy(**parameters: str) -> Site:
        stack = deployed(f"ill-{next(_numbers)}", put_secret=False, **parameters)
        stack.put_secret({"labelbox": VALID})
        return Site(stack, relayctl)

    return deploy


_numbers = itertools.count()


@pytest.fixture(scope="module", params=QUEUE_TYPES)
def healthy(request: pytest.FixtureRequest, deployed: Deploy, relayctl: Path) -> Site:
    stack = deployed(f"healthy-{request.param}", put_secret=False, QueueType=request.param)
    stack.put_secret(VALID)
    return Site(stack, relayctl)


def checks(done: Done) -> dict[str, dict[str, Any]]:
    """The results by the name of the check, the worst last."""
    order = {"ok": 0, "not_checked": 1, "warning": 2, "problem": 3}
    found = sorted(json.loads(done.out)["checks"], key=lambda check: order[check["status"]])
    return {check["name"]: check for check in found}


def problems(done: Done) -> set[str]:
    return {name for name, check in checks(done).items() if check["status"] == "problem"}


def expect(site: Site, name: str, status: str, message: str, remediation: str, *arguments: str) -> str:
    """The doctor reports this. Returns the remediation."""
    done = site.run("doctor", "--json", *arguments)
    found = checks(done).get(name)
    assert found is not None, done
    assert (found["status"], done.status) == (status, 1 if status == "problem" else 0), done
    assert message in found["message"] and remediation in (found["remediation"] or ""), found
    assert VALID not in done.out + done.err
    return str(found["remediation"])


def paste(site: Site, folder: Path, *commands: str) -> None:
    """Types commands into a shell as they were printed."""
    folder = folder / str(next(_numbers))
    folder.mkdir()
    shell = Shell.open(folder, site.stack, site.program)
    done = shell.run("\n".join(commands))
    assert done.returncode == 0, (commands, done)


def differing(done: Done) -> set[str]:
    return {name for name, check in checks(done).items() if check["status"] != "ok"}


def test_a_healthy_relay_is_healthy_and_nothing_of_the_probe_stays(healthy: Site) -> None:
    assert healthy.run("trigger", "LABEL_CREATED").status == 0
    before = healthy.stack.count()
    done = healthy.run("doctor", "--json")
    assert (done.status, differing(done), done.err) == (0, set(), healthy.target), done
    assert done.summary["target"]["stack"] == healthy.stack.name
    assert healthy.stack.count() == before
    log = healthy.stack.logs()
    text = healthy.run("doctor", "--no-probe")
    assert (text.status, text.err) == (0, "") and text.out.endswith("Healthy.\n")
    assert "a signed event arrived in" in checks(done)["probe"]["message"]
    # The newest event is Labelbox's, and not the probe.
    assert re.search(r"newest event +LABEL_CREATED ", text.out), text
    assert [line for line in healthy.stack.logs()[len(log) :] if "RELAYCTL_PROBE" in line or "401" in line] == []


def test_no_run_spends_the_last_receive_of_another_event(healthy: Site) -> None:
    assert healthy.run("trigger", "--any-topic", "NEW_TOPIC", "--count", str(OTHERS)).status == 0
    for _ in range(7):
        done = healthy.run("doctor", "--json")
        assert checks(done)["probe"]["status"] == "ok", done
        assert problems(done) == set(), done
    assert len(healthy.messages("unrouted")) == OTHERS and healthy.dead_letters("unrouted") == []


def test_dead_letters_are_reported_and_the_printed_redrive_moves_them(healthy: Site, tmp_path: Path) -> None:
    assert healthy.run("trigger", "LABEL_CREATED", "--count", "12").status == 0
    healthy.dead_letter_all()
    waiting = healthy.run("count", "--json").summary["total"]["dead_letters"]
    message = f"{waiting} dead letters"
    command = expect(healthy, "label dead letters", "problem", message, "relayctl redrive label --stack")
    paste(healthy, tmp_path, command)
    assert healthy.run("doctor", "--json").status == 0
    healthy.stack.purge()


PutSecret = Callable[[str | dict[str, Any]], None]


@pytest.fixture
def put_secret(healthy: Site) -> Iterator[PutSecret]:
    """Changes the secret for the time of a test."""
    yield healthy.stack.put_secret
    healthy.stack.put_secret(VALID)


@pytest.mark.parametrize(
    ("value", "name", "message"),
    [
        ({"project-x": VALID}, "secret labelbox", ""),
        ({"labelbox": VALID, "other": []}, "secret other", ""),
        ({"labelbox": VALID, "backfill": VALID}, "secret backfill", "answered 404"),
        ({"labelbox": VALID, "x\u200b y'\\": VALID}, "secret x\\u{200b} y\\'\\\\", ""),
        (f'["{VALID}"]', "secret", "a JSON list or a quoted JSON string"),
        (f'\ufeff\ufeff{{"labelbox": "{VALID}"}}', "secret", "it has U+FEFF"),
        ("\n", "secret", ""),
    ],
)
def test_the_printed_command_repairs_the_secret(
    healthy: Site, put_secret: PutSecret, tmp_path: Path, value: str | dict[str, Any], name: str, message: str
) -> None:
    # Twice, so that the previous value is no better.
    put_secret(value)
    put_secret(value)
    command = expect(healthy, name, "problem", message, "relayctl secret", "--no-probe")
    # A person answers its question with yes.
    paste(healthy, tmp_path, command + (" --yes" if " remove " in command or "broken" in command else ""))
    done = healthy.run("doctor", "--no-probe", "--json")
    assert problems(done) == set(), done


def test_an_invisible_character_in_the_secret_is_a_problem(healthy: Site, put_secret: PutSecret) -> None:
    put_secret(f"{VALID}\u200b")
    message = "U+200B (invisible) at position 27"
    expect(healthy, "secret", "problem", message, "relayctl secret rotate", "--no-probe")


def test_an_unusable_secret_after_a_usable_one_is_restored_as_printed(
    healthy: Site, put_secret: PutSecret, tmp_path: Path
) -> None:
    put_secret(VALID)
    put_secret('{"labelbox": ')
    commands = expect(healthy, "secret", "problem", "previous value is usable", "--replace-broken", "--no-probe")
    assert commands.startswith("aws secretsmanager update-secret-version-stage "), commands
    paste(healthy, tmp_path, commands)
    assert healthy.secret == VALID
    assert checks(healthy.run("doctor", "--no-probe", "--json"))["secret"]["status"] == "ok"


def test_a_deleted_secret_is_restored_or_created_as_printed(make: Callable[..., Site], tmp_path: Path) -> None:
    site = make()
    client, arn = site.client("secretsmanager"), site.stack.outputs["SecretArn"]
    client.delete_secret(SecretId=arn)
    message = "scheduled for deletion"
    paste(site, tmp_path, expect(site, "secret", "problem", message, "restore-secret", "--no-probe"))
    assert site.run("doctor", "--no-probe").status == 0

    name = client.describe_secret(SecretId=arn)["Name"]
    client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    command = expect(site, "secret", "problem", "deploy again with SecretArn", "create-secret", "--no-probe")
    paste(site, tmp_path, command)
    # The secret has a value and the old name, but another ARN, which the stack has to be told.
    assert client.get_secret_value(SecretId=name)["SecretString"]


def test_a_partial_secret_arn_is_a_problem(make: Callable[..., Site], running: Emulator) -> None:
    client = running.client("secretsmanager")
    # "secret" could be a suffix.
    arn = client.create_secret(Name="my-secret", SecretString=VALID)["ARN"]
    site = make(SecretArn=arn[: -len("-123456")])
    expect(site, "secret ARN", "problem", "is not the whole ARN", f"SecretArn={arn}", "--no-probe")
    client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize(
    ("attribute", "value", "name", "status", "message"),
    [
        ("RedrivePolicy", "", "ReviewQueue", "problem", "/RedrivePolicy is missing, expected {"),
        ("VisibilityTimeout", "7", "ReviewQueue", "warning", "/VisibilityTimeout is 7, expected 60"),
        ("Policy", "", "queue review", "problem", "has no policy"),
    ],
)
def test_a_changed_queue_is_repaired_as_printed(
    healthy: Site, tmp_path: Path, attribute: str, value: str, name: str, status: str, message: str
) -> None:
    sqs, url = healthy.client("sqs"), healthy.stack.queue_url("review")
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={attribute: value})
    paste(healthy, tmp_path, expect(healthy, name, status, message, "aws sqs set-queue-attributes", "--no-probe"))
    assert differing(healthy.run("doctor", "--no-probe", "--json")) <= {"newest event"}
    after = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert json.loads(after[attribute]) == json.loads(before[attribute])


@pytest.mark.parametrize(("queue_type", "with_key"), [("fifo", True), ("standard", False)])
def test_deleted_queues_are_created_as_printed(
    make: Callable[..., Site], running: Emulator, tmp_path: Path, queue_type: str, with_key: bool
) -> None:
    key = running.client("kms").create_key()["KeyMetadata"]["Arn"] if with_key else ""
    site = make(QueueType=queue_type, KmsKeyArn=key)
    sqs, urls = site.client("sqs"), [site.stack.dead_letter_queue_url("workflow"), site.stack.queue_url("workflow")]
    read = {"AttributeNames": ["All"]}
    before = [sqs.get_queue_attributes(QueueUrl=url, **read)["Attributes"] for url in urls]
    for number in range(3):
        site.spill(f"event {number}", "workflow")
    for url in urls:
        sqs.delete_queue(QueueUrl=url)
    done = site.run("doctor", "--no-probe", "--json")
    # Each is reported once, and the spilled events still are.
    names = ["queue workflow dead letters", "queue workflow"]
    assert problems(done) == {*names, "workflow spilled"}, done
    assert "3 in the bucket" in checks(done)["workflow spilled"]["message"]
    commands = [checks(done)[name]["remediation"] for name in names]
    paste(site, tmp_path, *commands, checks(done)["workflow spilled"]["remediation"])
    assert site.run("doctor").status == 0
    after = [sqs.get_queue_attributes(QueueUrl=url, **read)["Attributes"] for url in urls]
    volatile = {"CreatedTimestamp", "LastModifiedTimestamp"}
    assert [attributes.get("KmsMasterKeyId", "") for attributes in after] == [key, key]
    for attributes in (*before, *after):
        attributes["Policy"] = json.loads(attributes["Policy"])
    for old, new in zip(before, after, strict=True):
        same = [name for name in old if name not in volatile and not name.startswith("Approximate")]
        assert {name: new.get(name) for name in same} == {name: old[name] for name in same}
    assert len(site.messages("workflow")) == 3


def test_a_bucket_deleted_or_made_anew_is_repaired_as_printed(make: Callable[..., Site], tmp_path: Path) -> None:
    site = make()
    s3, bucket = site.client("s3"), {"Bucket": site.bucket}
    reads = {
        "get_bucket_lifecycle_configuration": "Rules",
        "get_bucket_policy": "Policy",
        "get_public_access_block": "PublicAccessBlockConfiguration",
    }
    before = [getattr(s3, read)(**bucket)[field] for read, field in reads.items()]
    s3.delete_bucket(**bucket)
    done = site.run("doctor", "--no-probe", "--json")
    assert problems(done) == {"bucket"} and "is deleted" in checks(done)["bucket"]["message"], done
    assert "label events" not in checks(done), "nobody knows how many are spilled"
    paste(site, tmp_path, checks(done)["bucket"]["remediation"])
    assert site.run("doctor").status == 0
    after = [getattr(s3, read)(**bucket)[field] for read, field in reads.items()]
    assert json.loads(after[1]) == json.loads(before[1]) and after[2] == before[2]
    assert [(rule["Expiration"], rule["Status"]) for rule in after[0]] == [
        ({"Days": 120}, "Enabled"),
        ({"Days": 90}, "Enabled"),
    ]

    # One that somebody has made anew, without its settings.
    s3.delete_bucket(**bucket)
    s3.create_bucket(**bucket)
    done = site.run("doctor", "--no-probe", "--json")
    found = checks(done)
    assert problems(done) >= {"bucket lifecycle", "bucket policy"}, done
    paste(site, tmp_path, *(found[name]["remediation"] for name in sorted(problems(done))))
    assert site.run("doctor", "--no-probe").status == 0


def test_a_changed_function_is_repaired_as_printed(make: Callable[..., Site], tmp_path: Path) -> None:
    site = make(TrainingModels="one,it's two")
    site.stack.put_secret({"labelbox": VALID, "training": VALID})
    before, client = site.stack.settings, site.client("lambda")
    assert before["TRAINING_MODELS"] == "one,it's two"
    variables = {**before, "INLINE_LIMIT_KIB": "much", "TRAINING_MODELS": "", "EXTRA": "hush"}
    client.update_function_configuration(
        FunctionName=site.stack.outputs["FunctionName"], Environment={"Variables": variables}, Timeout=3
    )
    command = expect(site, "Function", "warning", "", "aws lambda update-function-configuration", "--no-probe")
    message = checks(site.run("doctor", "--no-probe", "--json"))["Function"]["message"]
    variable = "/Environment/Variables/"
    for words in (
        f"{variable}INLINE_LIMIT_KIB is much, expected 1024",
        f"{variable}EXTRA is not in the template",
        "/Timeout is 3, expected 15",
    ):
        assert words in message
    # What somebody has added may be a credential.
    assert "hush" not in message
    paste(site, tmp_path, command)
    after = checks(site.run("doctor", "--no-probe", "--json"))
    assert "problem" not in {each["status"] for each in after.values()}
    assert (site.stack.settings, site.stack.function["Timeout"]) == (before, 15)


def test_an_alias_of_another_version_is_repaired_as_printed(make: Callable[..., Site], tmp_path: Path) -> None:
    site = make()
    client, function = site.client("lambda"), {"FunctionName": site.stack.outputs["FunctionName"]}
    version = client.get_alias(**function, Name="live")["FunctionVersion"]
    elsewhere = {**site.stack.settings, "UNROUTED_QUEUE_URL": site.stack.queue_url("model_run")}
    client.update_function_configuration(**function, Environment={"Variables": elsewhere})
    other = client.publish_version(**function)["Version"]
    client.update_alias(**function, Name="live", FunctionVersion=other)
    message = f"/FunctionVersion is {other}, expected {version}"
    command = expect(site, "FunctionAliaslive", "problem", message, "aws lambda update-alias")
    probe = checks(site.run("doctor", "--json"))["probe"]
    assert probe["status"] == "problem" and "which has no consumer" in probe["message"], probe
    paste(site, tmp_path, command)
    assert client.get_alias(**function, Name="live")["FunctionVersion"] == version
    assert site.run("doctor").status == 0


def test_what_else_differs_from_the_template_is_repaired_as_printed(make: Callable[..., Site], tmp_path: Path) -> None:
    site = make()
    group, kind = site.stack.log_group, "AWS::Logs::LogGroup"
    # The emulator's Cloud Control API has resources of its own.
    cloudcontrol = site.client("cloudcontrol")
    changed = {"Id": group, "LogGroupName": group, "RetentionInDays": 1}
    cloudcontrol.create_resource(TypeName=kind, DesiredState=json.dumps(changed))
    site.client("logs").put_retention_policy(logGroupName=group, retentionInDays=1)
    command = expect(site, "FunctionLogGroup", "warning", "/RetentionInDays is 1, expected 30", "", "--no-probe")
    paste(site, tmp_path, command)
    found = cloudcontrol.get_resource(TypeName=kind, Identifier=group)["ResourceDescription"]["Properties"]
    assert json.loads(found)["RetentionInDays"] == 30

    [name] = [name for name, logical in site.stack.resources(kind).items() if logical == "AccessLogGroup"]
    site.client("logs").delete_log_group(logGroupName=name)
    command = expect(site, "AccessLogGroup", "problem", f"{name} is deleted", "", "--no-probe")
    paste(site, tmp_path, command)
    created = cloudcontrol.list_resources(TypeName=kind)["ResourceDescriptions"]
    states = [json.loads(each["Properties"]) for each in created]
    assert {"LogGroupName": name, "RetentionInDays": 30} in states


def test_without_the_permission_to_detect_drift_the_rest_is_checked(healthy: Site) -> None:
    def answer(request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        if b"Action=DetectStackDrift" in body:
            error = "<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
            return 403, f"<ErrorResponse>{error}</ErrorResponse>".encode()
        endpoint = healthy.stack.emulator.endpoint
        passed_on = urllib3.request("POST", endpoint, headers=dict(request.headers), body=body)
        return passed_on.status, passed_on.data

    with serving(answer) as url:
        done = healthy.run("doctor", "--no-probe", "--json", AWS_ENDPOINT_URL_CLOUDFORMATION=url)
    found = checks(done)
    assert done.status == 0 and found["drift"]["status"] == "not_checked", done
    assert "AWS does not allow cloudformation:DetectStackDrift" in found["drift"]["message"]
    assert "permission" in found["drift"]["remediation"] and "queue label" in found


def test_in_another_region_the_bucket_is_created_there(running: Emulator, relayctl: Path) -> None:
    region = "eu-central-1"

    class Elsewhere(Emulator):
        def client(self, service: str) -> Any:
            session = botocore.session.get_session()
            return session.create_client(service, endpoint_url=self.endpoint, region_name=region)

    site = make_site(Elsewhere(running.instance, running.endpoint), relayctl, "elsewhere")
    site.client("s3").delete_bucket(Bucket=site.bucket)
    remediation = f" --create-bucket-configuration LocationConstraint={region} --region {region}"
    expect(site, "bucket", "problem", "is deleted", remediation, "--no-probe", "--region", region)


def test_a_failure_after_which_events_were_accepted_is_no_warning(make: Callable[..., Site]) -> None:
    site = make()
    failure = {"level": "ERROR", "message": "request failed", "error": "out of luck"}
    site.log(failure, group=site.stack.log_group, ago=40 * 60 + 30)
    for _ in range(2):
        message = "out of luck; since then, no event was accepted"
        expect(site, "newest failure", "warning", message, "relayctl tail --since 1d --status spilled")
    assert site.run("trigger", "LABEL_CREATED", "--count", "2").status == 0
    wait_for(lambda: sum('"event queued"' in line for line in site.stack.logs()) == 2)
    found = checks(site.run("doctor", "--no-probe", "--json"))["newest failure"]
    assert found["status"] == "ok" and found["message"].startswith("request failed 40m"), found
    assert found["message"].endswith(" ago: out of luck; since then, events were accepted")


def test_where_addresses_are_not_allowed_the_probe_is_not_checked(make: Callable[..., Site]) -> None:
    site = make(AllowedSourceCidrs="192.0.2.0/24")
    expect(site, "probe", "not_checked", "not in AllowedSourceCidrs", "newest event")


def test_the_probe_waits_for_a_secret_that_was_just_changed(make: Callable[..., Site]) -> None:
    site = make()
    assert site.run("doctor").status == 0
    site.stack.put_secret(VALID[::-1])
    done = site.run("doctor", "--json")
    assert (done.status, checks(done)["probe"]["status"]) == (0, "ok"), done
    assert "waiting" in done.err


def test_a_relay_that_cannot_fetch_its_secret_does_not_accept_forgeries(
    make: Callable[..., Site], secrets_manager: TcpProxy
) -> None:
    site = make()
    assert site.run("trigger", "LABEL_CREATED").status == 0
    secrets_manager.close()
    try:
        message = "refused, but with 503: the relay cannot fetch its secret"
        expect(site, "forgery", "problem", message, "relayctl logs --since 1h")
        wait_for(lambda: any('"request failed"' in line for line in site.stack.logs()))
        # It was the doctor's own.
        assert "newest failure" not in checks(site.run("doctor", "--no-probe", "--json"))
    finally:
        secrets_manager.open()


def test_a_probe_that_spills_is_a_problem_and_does_not_stay(make: Callable[..., Site]) -> None:
    site = make()
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("unrouted"))
    expect(site, "probe", "problem", "stored in the bucket, where it was deleted", "relayctl logs --since 1h")
    assert site.objects() == set()


# ---- A relay that gives wrong answers


def test_an_imposter_is_named_and_nothing_that_it_names_is_deleted(running: Emulator, relayctl: Path) -> None:
    answer: dict[str, Any] = {"services": {"sqs": "available"}}
    with serving(lambda *_: (200, json.dumps(answer).encode())) as url:
        site = make_site(running, relayctl, "imposter", url=url)
        expect(site, "health", "problem", "it is not the relay that answers", "", "--no-probe")

        answer |= {"status": "unrouted", "entity": "unrouted", "message_id": site.send("theirs", "unrouted")}
        found = checks(site.run("doctor", "--json"))
        assert found["probe"]["status"] == "problem" and "which has no consumer" in found["probe"]["message"], found
        assert found["forgery"]["status"] == "problem", found
        assert len(site.messages("unrouted")) == 1

        key = site.spill("theirs", "unrouted")
        answer |= {"status": "spilled", "message_id": key}
        found = checks(site.run("doctor", "--json"))
    assert found["probe"]["status"] == "problem" and "nothing was deleted" in found["probe"]["message"], found
    assert site.objects() == {key}


def test_a_probe_that_a_consumer_has_taken_is_a_warning(running: Emulator, relayctl: Path) -> None:
    answer = {"status": "unrouted", "entity": "unrouted", "message_id": "taken"}

    def consume(request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        """SQS with a consumer that deletes each message at once."""
        passed_on = urllib3.request("POST", running.endpoint, headers=dict(request.headers), body=body)
        if request.headers["X-Amz-Target"] == "AmazonSQS.SendMessageBatch":
            taken.extend(site.messages("unrouted"))
        return passed_on.status, passed_on.data

    taken: list[dict[str, Any]] = []
    with serving(lambda *_: (200, json.dumps(answer).encode())) as relay, serving(consume) as sqs:
        site = make_site(running, relayctl, "consumed", url=relay)
        probe = checks(site.run("doctor", "--json", AWS_ENDPOINT_URL_SQS=sqs))["probe"]
    assert probe["status"] == "warning" and "a consumer of the Unrouted queue has it" in probe["message"], probe
    assert [message["MessageAttributes"]["event"]["StringValue"] for message in taken] == ["RELAYCTL_PROBE"]


# ---- What is printed


def test_the_text_fits_a_terminal_of_60_columns(healthy: Site) -> None:
    assert healthy.run("trigger", "LABEL_CREATED").status == 0
    key = healthy.spill("spilled")
    screen = healthy.type([], "doctor", "--no-probe", columns=60).screen
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen).splitlines()
    assert any("✗ label spilled" in line for line in lines), lines
    commands = [line for line in lines if line.strip().startswith("relayctl ")]
    assert [line.strip() for line in commands] == [f"relayctl replay-spill --entity label --stack {healthy.stack.name}"]
    assert [line for line in lines if len(line) > 60 and line not in commands] == []
    healthy.stack.delete_object(key)
