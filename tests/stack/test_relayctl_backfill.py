"""`relayctl backfill`: what changed at Labelbox is queued, whatever its size and whatever fails meanwhile."""

import hashlib
import importlib
import json
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeSite
from references import of_type
from repair import POINTER, Done, Run, Site, end, wait_for
from test_relayctl_webhook import comparable, entity, sdk

from dev import environment, labelbox_api
from dev.labelbox_api import KEY, PROJECT, Api
from dev.paths import PROJECT as SOURCES

pytestmark = pytest.mark.extended

SINCE = "2026-11-27T10:00:00Z"
BEFORE, WITHIN, LATER = (f"2026-11-27T{time}.250+00:00" for time in ("09:30:00", "10:30:00", "11:30:00"))


@pytest.fixture
def api() -> Iterator[Api]:
    with labelbox_api.serve() as served:
        yield served


@pytest.fixture(scope="session")
def shared(make: MakeSite) -> Site:
    """A stack for tests that take all that they send."""
    return make("fifo")


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    yield shared
    shared.stack.purge()


def row(
    name: str, created: str = BEFORE, edited: str = BEFORE, moved: str | None = None, pad: str = "", labels: int = 1
) -> bytes:
    """A line of an export, as Labelbox writes it."""
    label = {
        "label_kind": "Default",
        "version": "1.0.0",
        "id": f"label of {name}",
        "label_details": {
            # Whole seconds.
            "created_at": re.sub(r"\.\d+", ".000", created),
            # That of another label of the row.
            "updated_at": LATER,
            "content_last_updated_at": edited,
            "reviews": [],
        },
        "annotations": {"objects": [pad], "classifications": []},
    }
    steps = [
        {"action": "Move", "created_at": at, "created_by": "a@example.com"}
        for at in (moved, "2026-11-26T09:30:00.250+00:00")
        if at
    ]
    details = {
        "created_at": BEFORE,
        "updated_at": BEFORE,
        "last_activity_at": max(created, edited, moved or BEFORE),
    }
    return json.dumps(
        {
            "data_row": {"id": name, "global_key": None, "row_data": "https://x.example/1", "details": details},
            "media_attributes": {},
            "projects": {
                PROJECT: {
                    "name": "ünïcode",
                    "labels": [label] * labels,
                    "project_details": {"workflow_status": "IN_REVIEW", "workflow_history": steps},
                }
            },
        },
        ensure_ascii=False,
    ).encode()


def settings(api: Api) -> dict[str, str]:
    return {"LABELBOX_API_URL": api.url, "LABELBOX_API_KEY": KEY}


def start(site: Site, api: Api, *arguments: str, since: str = SINCE) -> Any:
    return site.start(
        "backfill", "--project", PROJECT, "--since", since, *arguments, output=subprocess.PIPE, **settings(api)
    )


def backfill(site: Site, api: Api, *arguments: str, since: str = SINCE) -> Done:
    done = end(start(site, api, *arguments, since=since))
    assert "hush" not in done.out + done.err, done
    return done


def body(site: Site, message: dict[str, Any]) -> bytes:
    """The body that a consumer reads."""
    if "ExtendedPayloadSize" not in message["MessageAttributes"]:
        return str(message["Body"]).encode()
    kind, pointer = json.loads(message["Body"])
    assert kind == POINTER and pointer["s3BucketName"] == site.bucket
    content: bytes = site.client("s3").get_object(Bucket=pointer["s3BucketName"], Key=pointer["s3Key"])["Body"].read()
    assert message["MessageAttributes"]["ExtendedPayloadSize"] == {
        "DataType": "Number",
        "StringValue": str(len(content)),
    }
    return content


def texts(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


def sent(site: Site) -> list[tuple[str, str]]:
    """Takes all messages: the topic and the data row of each."""
    messages = site.messages("label") + site.messages("workflow")
    return sorted((texts(message)["event"], texts(message)["entity_id"]) for message in messages)


# ---- what is sent


@pytest.mark.parametrize("queue_type", ["fifo", "standard"])
def test_a_message_is_the_row_with_the_attributes_of_a_snapshot(make: MakeSite, api: Api, queue_type: str) -> None:
    site = make(queue_type)
    changed = row("row1", edited=WITHIN, moved=WITHIN)
    large = row("row2", created=WITHIN, pad="ü" * 600_000)
    api.rows[PROJECT] = [changed, row("row0"), large]
    done = backfill(site, api)
    assert done.status == 0, done
    labels, [workflow] = site.messages("label"), site.messages("workflow")
    assert {texts(each)["entity_id"] for each in labels} == {"row1", "row2"}
    for message, topic, expected, last in [
        (labels[0], "LABEL_UPDATED", changed, WITHIN),
        (workflow, "WORKFLOW_ACTION", changed, WITHIN),
        (labels[1], "LABEL_CREATED", large, WITHIN),
    ]:
        assert body(site, message) == expected
        attributes = texts(message)
        dedup_id = hashlib.sha256(b"backfill\0" + topic.encode() + b"\0\0" + expected).hexdigest()
        received_at = attributes.pop("received_at")
        attributes.pop("ExtendedPayloadSize", None)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", received_at)
        assert attributes == {
            "event": topic,
            "entity": "workflow" if topic == "WORKFLOW_ACTION" else "label",
            "entity_id": json.loads(expected)["data_row"]["id"],
            "project_id": PROJECT,
            "webhook": "backfill",
            "occurred_at": last.replace("+00:00", "Z"),
            "dedup_id": dedup_id,
        }
        group = message["Attributes"].get("MessageGroupId")
        assert group == (attributes["entity_id"] if queue_type == "fifo" else None)
        if queue_type == "fifo":
            assert message["Attributes"]["MessageDeduplicationId"] == dedup_id
    key = json.loads(labels[1]["Body"])[1]["s3Key"]
    assert re.fullmatch(rf"payloads/{texts(labels[1])['dedup_id']}/[0-9a-f-]{{36}}", key)


def test_only_what_changed_in_the_window_is_sent(site: Site, api: Api) -> None:
    # The first is of the last second before the window, which is asked for and not sent.
    api.rows[PROJECT] = [
        row("early", created="2026-11-27T09:59:59.900+00:00"),
        row("created", created=WITHIN, edited=LATER),
        row("edited", edited=WITHIN),
        row("moved", moved=WITHIN),
        row("all", created=WITHIN, moved=LATER),
        row("late", edited=LATER),
        row("commented"),
    ]
    everything = [
        ("LABEL_CREATED", "all"),
        ("LABEL_CREATED", "created"),
        ("LABEL_UPDATED", "edited"),
        ("LABEL_UPDATED", "late"),
    ]
    moves = [("WORKFLOW_ACTION", "all"), ("WORKFLOW_ACTION", "moved")]
    rehearsal = backfill(site, api, "--dry-run", "--json")
    assert (rehearsal.status, sent(site)) == (0, [])
    counts = {"rows": 6, "created": 2, "updated": 2, "moved": 2, "not_sent": 1, "failed": [], "rest": None}
    assert rehearsal.account == {
        "target": rehearsal.account["target"],
        "dry_run": True,
        "interrupted": False,
        "since": "2026-11-27T10:00:00.000Z",
        "until": None,
        **counts,
    }
    done = backfill(site, api, "--json")
    assert (done.status, sent(site)) == (0, everything + moves)
    assert done.account == {**rehearsal.account, "dry_run": False}
    assert done.err.count("does not show deleted labels") == 1
    # What follows has other deduplication ids, or the queue would ignore it.
    api.rows[PROJECT] = [each.replace(b"https://x.example/1", b"https://x.example/2") for each in api.rows[PROJECT]]
    assert backfill(site, api, "--until", "2026-11-27T11:00:00Z", "--only", "updated,moved").status == 0
    assert sent(site) == [("LABEL_UPDATED", "edited"), ("WORKFLOW_ACTION", "moved")]


@pytest.mark.filterwarnings("ignore")
def test_the_requests_are_those_of_labelboxs_own_sdk(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [row(f"row{number}", edited=WITHIN, pad="ü" * 300) for number in range(20)]
    api.file_bytes = 4321
    task = entity(sdk(api), "Project", PROJECT).export(
        filters={"last_activity_at": ["2026-11-27 09:59:59", None]},
        params={
            "attachments": True,
            "metadata_fields": True,
            "data_row_details": True,
            "project_details": True,
            "label_details": True,
        },
    )
    task.wait_till_done()
    assert not task.has_errors()
    rows: list[Any] = []
    task.get_buffered_stream().start(stream_handler=lambda output: rows.append(output.json))
    theirs, api.asked = api.asked, []
    assert backfill(site, api).status == 0
    task_ids = re.compile(r"task\d+")
    shown = [
        sorted(
            task_ids.sub("task", json.dumps(comparable(asked), sort_keys=True))
            for asked in each
            if asked.query[1] != "CurrentUserPyApi"
        )
        for each in (api.asked, theirs)
    ]
    assert len(api.fetched) > 10 and shown[0] == shown[1]
    assert not [headers for _, headers in api.fetched if "authorization" in headers]
    bodies = [json.loads(message["Body"]) for message in site.messages("label")]
    assert sorted(bodies, key=repr) == sorted(rows, key=repr) == sorted(map(json.loads, api.rows[PROJECT]), key=repr)


# ---- what names it


def test_alarms_about_lost_events_name_the_command() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    for name in ("TooLarge", "Failed", "ApiThrottle", "FunctionThrottle", "ValidSignatureRefused"):
        described = alarms[f"{name}Alarm"]["AlarmDescription"]
        assert "relayctl backfill --project PROJECT_ID --since 2h" in described, name


def test_the_scheduled_backfill_is_a_valid_template() -> None:
    template = SOURCES / "examples" / "backfill" / "template.yaml"
    lint = [sys.executable, str(Path(sys.executable).parent / "cfn-lint"), str(template)]
    checked = subprocess.run(lint, check=False, capture_output=True, text=True, timeout=120)
    assert checked.returncode == 0, checked.stdout


# ---- a consumer


@pytest.mark.parametrize("queue_type", ["fifo", "standard"])
def test_a_consumer_has_the_state_of_labelbox_and_repeated_it_changes_nothing(
    make: MakeSite, api: Api, queue_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make(queue_type)
    monkeypatch.syspath_prepend(str(SOURCES / "examples" / "python"))
    labelbox_queue = importlib.import_module("labelbox_queue")

    table = f"table-{site.stack.name}"
    site.client("dynamodb").create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    store: dict[str, bytes] = {}
    processed: list[str] = []

    def on_newest(event: Any, content: bytes) -> None:
        processed.append(event.id)
        store[event.id] = content

    consumer = labelbox_queue.Consumer(on_newest, table, site.client)

    def consume() -> None:
        for name in ("label", "workflow"):
            assert consumer.poll(site.stack.queue_url(name), until_empty=True)

    # Before the relay was down.
    api.rows[PROJECT] = [row(f"row{number}", created=f"2026-11-27T08:{number:02}:00.000+00:00") for number in range(30)]
    assert backfill(site, api, since="2026-11-27T08:00:00Z").status == 0
    consume()
    assert len(store) == 30
    # Meanwhile: some were edited, some moved, some are new, one is larger than the gateway would let through.
    rows = api.rows[PROJECT]
    rows[:5] = [row(f"row{number}", edited=WITHIN) for number in range(5)]
    rows[5:10] = [row(f"row{number}", moved=WITHIN) for number in range(5, 10)]
    rows[10] = row("row10", edited=LATER, pad="ü" * 4_000_000)
    rows += [row(f"new{number}", created=WITHIN, moved=LATER) for number in range(5)]
    assert backfill(site, api).status == 0
    consume()
    at_labelbox = {json.loads(each)["data_row"]["id"]: each for each in rows}
    labels = {
        f"label#{name}": each for name, each in at_labelbox.items() if name not in {f"row{n}" for n in range(5, 10)}
    }
    moved = {
        f"workflow#{name}": at_labelbox[name]
        for name in at_labelbox
        if name in {*(f"row{n}" for n in range(5, 10)), *(f"new{n}" for n in range(5))}
    }
    assert {**store} == {**store, **labels, **moved} and len(store) == 35 + 10
    before, processed[:] = dict(store), []
    assert backfill(site, api).status == 0
    consume()
    assert (store, processed) == (before, [])


# ---- size


def peak_of(tool: Any) -> Callable[[], int]:
    """Watches the memory of a run. Gives the most that it had, in KiB."""
    seen = [0]

    def watch() -> None:
        while tool.poll() is None:
            try:
                found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{tool.pid}/status").read_text())
            except OSError:
                return
            seen[0] = int(found[1]) if found else seen[0]
            time.sleep(0.01)

    thread = threading.Thread(target=watch)
    thread.start()

    def result() -> int:
        thread.join()
        return seen[0]

    return result


def test_a_row_of_two_hundred_megabytes_takes_little_memory(site: Site, api: Api) -> None:
    api.file_bytes = 50_000_000
    large = row("large", edited=WITHIN, pad="1234567\\" * 22_250_000)
    assert len(large) > 200_000_000
    api.rows[PROJECT] = [row("before", edited=WITHIN), large, row("after", edited=WITHIN)]
    began = time.monotonic()
    tool = start(site, api)
    peak = peak_of(tool)
    done = end(tool)
    seconds = time.monotonic() - began
    assert done.status == 0, done
    kib = peak()
    messages = {texts(message)["entity_id"]: message for message in site.messages("label")}
    assert {*messages} == {"before", "after", "large"}
    assert body(site, messages["large"]) == large
    dedup_id = hashlib.sha256(b"backfill\0LABEL_UPDATED\0\0" + large).hexdigest()
    assert texts(messages["large"])["dedup_id"] == dedup_id
    print(f"peak {kib} KiB, {seconds:.1f} s")
    assert 0 < kib < 64 * 1024


def test_an_export_of_a_hundred_thousand_rows_takes_little_memory(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [
        row(f"row{number}", edited=WITHIN if number % 100 == 0 else BEFORE, moved=LATER if number % 100 == 1 else None)
        for number in range(100_000)
    ]
    for index, each in enumerate(api.rows[PROJECT]):
        # All had some activity.
        api.rows[PROJECT][index] = each.replace(
            f'"last_activity_at": "{BEFORE}"'.encode(), f'"last_activity_at": "{LATER}"'.encode()
        )
    began = time.monotonic()
    tool = start(site, api, "--json")
    peak = peak_of(tool)
    done = end(tool)
    seconds = time.monotonic() - began
    assert done.status == 0, done
    assert (done.account["rows"], done.account["updated"], done.account["moved"]) == (100_000, 1000, 1000)
    assert len(sent(site)) == 2000
    kib = peak()
    print(f"peak {kib} KiB, {100_000 / seconds:.0f} rows/s")
    assert 0 < kib < 64 * 1024


# ---- faults


@pytest.mark.parametrize(
    "trouble", [(429, ""), (200, {"message": "You have exceeded your rate limit"}), (502, "<html>")]
)
def test_it_goes_on_when_labelbox_is_busy(site: Site, api: Api, trouble: labelbox_api.Answer) -> None:
    api.rows[PROJECT] = [row("busy", edited=WITHIN, pad=json.dumps(trouble))]
    api.troubles = [trouble] * 2
    api.tasks = [{"status": "IN_PROGRESS"}, {}]
    assert backfill(site, api).status == 0
    assert sent(site) == [("LABEL_UPDATED", "busy")]
    assert api.names().count("GetUserCreatedTasksPyApi") == 2


@pytest.mark.parametrize("troubles", [[403], [None, 503], [200, None, 200, None]])
def test_a_file_is_asked_for_again_when_its_url_has_expired_or_its_connection_breaks(
    site: Site, api: Api, troubles: list[int | None]
) -> None:
    api.rows[PROJECT] = [row(f"row{number}", edited=WITHIN, pad=str(troubles)) for number in range(30)]
    api.file_bytes = 7001
    api.file_faults = list(troubles)
    assert backfill(site, api).status == 0
    bodies = [message["Body"].encode() for message in site.messages("label")]
    assert sorted(bodies) == sorted(api.rows[PROJECT])


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (
            (200, {"data": None, "errors": [{"message": "no", "extensions": {"code": "AUTHENTICATION_ERROR"}}]}),
            "Labelbox does not accept this API key",
        ),
        ((200, {"data": {"exportDataRowsInProject": None}}), f"Labelbox has no project {PROJECT}"),
        ((301, ""), "the response is not one of Labelbox's GraphQL API"),
    ],
)
def test_a_fault_of_labelbox_is_said_on_one_line(site: Site, api: Api, trouble: labelbox_api.Answer, said: str) -> None:
    api.rows[PROJECT] = [row("row", edited=WITHIN)]
    api.troubles = [trouble]
    done = backfill(site, api)
    assert (done.status, done.out) == (3, ""), done
    assert done.warnings.startswith(f"relayctl: {said}") and done.warnings.count("\n") == 1, done


@pytest.mark.parametrize(
    ("task", "errors", "said"),
    [
        ({"status": "FAILED", "errors": "out\nof luck"}, b"", "FAILED: out of luck"),
        ({"status": "FAILED"}, b'{"message": "in the stream"}\n', 'FAILED: {"message": "in the stream"}'),
        ({"status": "CANCELED"}, b"", "CANCELED: Labelbox does not say why"),
    ],
)
def test_a_failed_export_is_named_with_its_errors(
    site: Site, api: Api, task: dict[str, Any], errors: bytes, said: str
) -> None:
    api.rows[PROJECT], api.errors, api.tasks = [row("row", edited=WITHIN)], errors, [task]
    done = backfill(site, api)
    assert (done.status, done.out) == (3, ""), done
    assert f"Labelbox did not export the project: {said}" in done.warnings and done.warnings.count("\n") == 1


def test_what_labelbox_could_not_export_is_named(site: Site, api: Api) -> None:
    api.rows[PROJECT], api.errors = [row("whole", edited=WITHIN)], b'{"data_row": "other", "message": "broken"}\n'
    done = backfill(site, api, "--json")
    assert (done.status, sent(site)) == (1, [("LABEL_UPDATED", "whole")])
    [failed] = done.account["failed"]
    assert failed["what"] == f"project {PROJECT}" and '"message": "broken"' in failed["reason"]


def test_a_broken_row_is_named_by_its_line_and_the_others_are_sent(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [
        row("first", edited=WITHIN),
        b'{"data_row": {"id": "x"',
        b"",
        *[b"[]"] * 30,
        row("last", moved=WITHIN),
    ]
    done = backfill(site, api)
    assert (done.status, sent(site)) == (1, [("LABEL_UPDATED", "first"), ("WORKFLOW_ACTION", "last")])
    named = re.findall(rf"project {PROJECT}, line (\d+): it is not a row of an export: .+", done.out)
    # The third is empty, and only the first twenty are named.
    assert named == ["2", *map(str, range(4, 23))] and "and 11 more, which --json names" in done.out
    assert f"relayctl backfill --project {PROJECT} --since 2026-11-27T10:00:00.000Z --stack" in done.out


def test_another_project_is_backfilled_when_one_is_not_there_and_none_twice(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [row("there", edited=WITHIN)]
    done = backfill(site, api, "--project", "gone", "--project", PROJECT, "--json")
    assert (done.status, sent(site)) == (1, [("LABEL_UPDATED", "there")])
    assert [failed["what"] for failed in done.account["failed"]] == ["project gone"]
    assert done.account["updated"] == 1 and f"project {PROJECT}: 1 data row with any activity\n" in done.err


def test_a_window_without_changes_is_a_success_and_says_so(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [row("old")]
    done = backfill(site, api, "--json")
    assert (done.status, done.account["rows"], sent(site)) == (0, 0, [])
    assert f"project {PROJECT}: no data row had any activity since then\n" in done.err


def test_a_full_disk_is_named(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [row("large", edited=WITHIN, pad="x" * 5_000_000)]

    def limit() -> None:
        # What a file system without space does to a program, as far as a test can have it.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    done = backfill_with(site, api, limit)
    assert done.status == 3 and sent(site) == []
    assert "the export cannot be kept in a temporary file" in done.err and "TMPDIR" in done.err


def backfill_with(site: Site, api: Api, prepare: Callable[[], None]) -> Done:
    """Runs it in a process that is prepared before."""
    emulator = site.stack.emulator
    variables = environment.for_emulator(emulator.instance, emulator.endpoint)
    done = subprocess.run(
        [str(site.program), "backfill", "--project", PROJECT, "--since", SINCE],
        env={**variables, **settings(api), "RELAY_STACK": site.stack.name},
        check=False,
        preexec_fn=prepare,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_queue_that_is_not_there_is_named_before_labelbox_is_asked(make: MakeSite, api: Api) -> None:
    site = make("standard")
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("workflow"))
    api.rows[PROJECT] = [row("row", edited=WITHIN)]
    done = backfill(site, api)
    assert (done.status, done.out, api.asked) == (3, "", [])
    assert "the queue of workflow does not exist" in done.warnings and done.warnings.count("\n") == 1


def without_bucket(site: Site) -> None:
    site.client("s3").delete_bucket(Bucket=site.bucket)


def with_small_messages(site: Site) -> None:
    small = {"MaximumMessageSize": "1024"}
    site.client("sqs").set_queue_attributes(QueueUrl=site.stack.queue_url("label"), Attributes=small)


@pytest.mark.parametrize(
    ("refuse", "size", "reason"),
    [
        (without_bucket, 1_100_000, "its payload cannot be stored: NoSuchBucket"),
        (with_small_messages, 2000, "InvalidParameterValue"),
    ],
)
def test_it_stops_when_the_bucket_or_a_queue_refuses(
    make: MakeSite, api: Api, refuse: Callable[[Site], None], size: int, reason: str
) -> None:
    site = make("standard")
    refuse(site)
    api.rows[PROJECT] = [row(f"row{number}", edited=WITHIN, pad="x" * size) for number in range(40)]
    done = backfill(site, api, "--json")
    assert done.status == 1 and sent(site) == []
    failed = done.account["failed"]
    assert 10 <= len(failed) < 20 and done.account["rest"]
    assert all(reason in each["reason"] for each in failed), failed


def test_after_an_interruption_the_same_command_does_the_rest(make: MakeSite, api: Api) -> None:
    site = make("fifo")
    names = [f"row{number}" for number in range(3000)]
    api.rows[PROJECT] = [row(name, edited=WITHIN) for name in names]
    run = Run(site, "backfill", "--project", PROJECT, "--since", SINCE, "--json", **settings(api))
    wait_for(lambda: site.stack.count()["label"] > 20)
    done = run.end()
    assert done.status == 130, done
    first = sent(site)
    assert 20 < len(first) < 3000 and done.account["updated"] == len(first)
    assert done.account["rest"].startswith(f"relayctl backfill --project {PROJECT} --since 2026-11-27T10:00:00.000Z")
    assert backfill(site, api).status == 0
    assert sorted({*first, *sent(site)}) == sorted(("LABEL_UPDATED", name) for name in names)


@pytest.mark.parametrize(
    ("arguments", "variables", "status", "said"),
    [
        (["--project", "p", "--since", "1h"], {"LABELBOX_API_KEY": ""}, 3, "no Labelbox API key is set"),
        (
            ["--project", "p", "--since", "1h"],
            {"LABELBOX_API_URL": "http://127.0.0.1:9/graphql"},
            3,
            "no response from Labelbox",
        ),
        (["--project", "p", "--since", "1h"], {"RELAY_STACK": "nobodys"}, 3, "there is no stack nobodys"),
        (["--project", "p", "--since", "1h"], {}, 3, "Labelbox has no project p"),
        (["--since", "1h"], {}, 2, "--project"),
        (["--project", "p"], {}, 2, "--since"),
        (["--project", "p", "--since", "1h", "--until", "2h"], {}, 2, "--since is not before --until"),
        (["--project", "p", "--since", "9999-01-01T00:00:00Z"], {}, 2, "nothing can have changed"),
        (["--project", "p", "--since", "1h", "--only", "deleted"], {}, 2, "created, updated, moved"),
        (["--project", "p", "--since", "1h", "--api-url", "http://example.com/graphql"], {}, 2, "begin with https://"),
    ],
)
def test_what_makes_it_impossible_is_said(
    site: Site, api: Api, arguments: list[str], variables: dict[str, str], status: int, said: str
) -> None:
    done = site.run("backfill", *arguments, **{**settings(api), **variables})
    assert (done.status, done.out) == (status, "") and said in done.err, done
    if status == 3:
        assert done.warnings.startswith(f"relayctl: {said}") and done.warnings.count("\n") == 1, done
