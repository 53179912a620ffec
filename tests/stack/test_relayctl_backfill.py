"""`relayctl backfill`: what changed at Labelbox is queued, whatever its size and whatever fails meanwhile."""

import hashlib
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeSite
from references import of_type
from repair import POINTER, Done, Run, Site, event_of
from test_relayctl_webhook import comparable, entity, sdk

from dev import labelbox_api
from dev.labelbox_api import KEY, PROJECT, Api, Asked
from dev.paths import PROJECT as SOURCES

pytestmark = pytest.mark.extended

SINCE = "2026-11-27T10:00:00Z"
COMMAND = ("backfill", "--project", PROJECT)
BEFORE, WITHIN, LATER = (f"2026-11-27T{time}.250+00:00" for time in ("09:30:00", "10:30:00", "11:30:00"))


@pytest.fixture
def api() -> Iterator[Api]:
    with labelbox_api.serve() as served:
        yield served


@pytest.fixture(scope="module")
def shared(make: MakeSite) -> Site:
    """A stack for tests that take all that they send."""
    return make("fifo")


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    yield shared
    shared.stack.purge()


def row(name: str, created: str = BEFORE, edited: str = BEFORE, moved: str | None = None, pad: str = "") -> bytes:
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
    project = {
        "name": "ünïcode",
        "labels": [label],
        "project_details": {"workflow_status": "IN_REVIEW", "workflow_history": steps},
    }
    activity = max(created, edited, moved or BEFORE)
    details = {"created_at": BEFORE, "updated_at": BEFORE, "last_activity_at": activity}
    data_row = {"id": name, "global_key": None, "row_data": "https://x.example/1", "details": details}
    whole = {"data_row": data_row, "media_attributes": {}, "projects": {PROJECT: project}}
    return json.dumps(whole, ensure_ascii=False).encode()


def variables(api: Api) -> dict[str, str]:
    return {"LABELBOX_API_URL": api.url, "LABELBOX_API_KEY": KEY}


def backfill(site: Site, api: Api, *more: str, since: str = SINCE, limits: str = "") -> Done:
    done = site.run(*COMMAND, "--since", since, *more, limits=limits, **variables(api))
    assert "hush" not in done.out + done.err, done
    return done


def body(site: Site, message: dict[str, Any]) -> bytes:
    """The body that a consumer reads."""
    if "ExtendedPayloadSize" not in message["MessageAttributes"]:
        return str(message["Body"]).encode()
    kind, pointer = json.loads(message["Body"])
    assert kind == POINTER and pointer["s3BucketName"] == site.bucket
    content = site.stack.read_object(pointer["s3Key"])
    size = {"DataType": "Number", "StringValue": str(len(content))}
    assert message["MessageAttributes"]["ExtendedPayloadSize"] == size
    return content


def texts(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


def sent(site: Site) -> list[tuple[str, str]]:
    """Takes all messages: the topic and the data row of each."""
    messages = site.messages("label") + site.messages("workflow")
    return sorted((texts(message)["event"], event_of(message)) for message in messages)


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
    labels.sort(key=event_of)
    for message, topic, expected in [
        (labels[0], "LABEL_UPDATED", changed),
        (workflow, "WORKFLOW_ACTION", changed),
        (labels[1], "LABEL_CREATED", large),
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
            "occurred_at": WITHIN.replace("+00:00", "Z"),
            "dedup_id": dedup_id,
        }
        of_fifo = [message["Attributes"].get(name) for name in ("MessageGroupId", "MessageDeduplicationId")]
        assert of_fifo == ([event_of(message), dedup_id] if queue_type == "fifo" else [None, None])
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
    rehearsal = backfill(site, api, "--dry-run", "--json")
    assert (rehearsal.status, sent(site)) == (0, [])
    window = {"since": "2026-11-27T10:00:00.000Z", "until": None, "dry_run": True, "interrupted": False}
    counts = {"rows": 6, "created": 2, "updated": 2, "moved": 2, "not_sent": 1, "failed": [], "rest": None}
    assert rehearsal.summary == {"target": rehearsal.summary["target"], **window, **counts}
    done = backfill(site, api, "--json")
    assert done.status == 0
    assert sent(site) == [
        *(("LABEL_CREATED", name) for name in ("all", "created")),
        *(("LABEL_UPDATED", name) for name in ("edited", "late")),
        *(("WORKFLOW_ACTION", name) for name in ("all", "moved")),
    ]
    assert done.summary == {**rehearsal.summary, "dry_run": False}
    assert done.err.count("does not show deleted labels") == 1
    # What follows has other deduplication ids, or the queue would ignore it.
    api.rows[PROJECT] = [each.replace(b"https://x.example/1", b"https://x.example/2") for each in api.rows[PROJECT]]
    assert backfill(site, api, "--until", "2026-11-27T11:00:00Z", "--only", "updated,moved").status == 0
    assert sent(site) == [("LABEL_UPDATED", "edited"), ("WORKFLOW_ACTION", "moved")]


@pytest.mark.filterwarnings("ignore")
def test_the_requests_are_those_of_labelboxs_own_sdk(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [row(f"row{number}", edited=WITHIN, pad="ü" * 300) for number in range(20)]
    api.file_bytes = 4321
    details = ("attachments", "metadata_fields", "data_row_details", "project_details", "label_details")
    filters = {"last_activity_at": ["2026-11-27 09:59:59", None]}
    task = entity(sdk(api), "Project", PROJECT).export(filters=filters, params=dict.fromkeys(details, True))
    task.wait_till_done()
    assert not task.has_errors()
    rows: list[Any] = []
    task.get_buffered_stream().start(stream_handler=lambda output: rows.append(output.json))
    theirs, api.asked = api.asked, []
    assert backfill(site, api).status == 0

    def shown(requests: list[Asked]) -> set[str]:
        """How often each asks whether the export is done depends on time."""
        texts = [repr(comparable(asked)) for asked in requests if asked.query[1] != "CurrentUserPyApi"]
        return {re.sub(r"task\d+", "task", text) for text in texts}

    assert len(api.fetched) > 10 and shown(api.asked) == shown(theirs)
    assert not [headers for _, headers in api.fetched if "authorization" in headers]
    bodies = [json.loads(message["Body"]) for message in site.messages("label")]
    assert sorted(bodies, key=repr) == sorted(rows, key=repr) == sorted(map(json.loads, api.rows[PROJECT]), key=repr)


# ---- what names it


def test_alarms_and_a_schedule_name_the_command() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    for name in ("TooLarge", "Failed", "ApiThrottle", "FunctionThrottle", "ValidSignatureRefused"):
        described = alarms[f"{name}Alarm"]["AlarmDescription"]
        assert "relayctl backfill --project PROJECT_ID --since 2h" in described, name
    lint = Path(sys.executable).parent / "cfn-lint"
    template = SOURCES / "examples" / "backfill" / "template.yaml"
    subprocess.run([sys.executable, str(lint), str(template)], check=True, timeout=120)


# ---- a consumer


def test_a_consumer_has_the_state_of_labelbox_and_repeated_it_changes_nothing(
    make: MakeSite, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A FIFO queue would drop what is repeated.
    site = make()
    monkeypatch.syspath_prepend(str(SOURCES / "examples" / "python"))
    labelbox_queue = importlib.import_module("labelbox_queue")
    site.client("dynamodb").create_table(
        TableName="backfilled",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    store: dict[str, bytes] = {}
    processed: list[str] = []

    def on_newest(event: Any, content: bytes) -> None:
        processed.append(event.id)
        store[event.id] = content

    consumer = labelbox_queue.Consumer(on_newest, "backfilled", site.client)

    def fill(since: str) -> None:
        assert backfill(site, api, since=since).status == 0
        for name in ("label", "workflow"):
            assert consumer.poll(site.stack.queue_url(name), until_empty=True)

    # Before the relay was down.
    rows = [row(f"row{number}", created=f"2026-11-27T08:{number:02}:00.000+00:00") for number in range(30)]
    api.rows[PROJECT] = rows
    fill("2026-11-27T08:00:00Z")
    expected = {f"label#row{number}": each for number, each in enumerate(rows)}
    assert store == expected
    # Meanwhile: some were edited, some moved, some are new, one is larger than the gateway would let through.
    rows[:5] = [row(f"row{number}", edited=WITHIN) for number in range(5)]
    rows[5:10] = [row(f"row{number}", moved=WITHIN) for number in range(5, 10)]
    rows[10] = row("row10", edited=LATER, pad="ü" * 4_000_000)
    rows += [row(f"row{number}", created=WITHIN, moved=LATER) for number in range(30, 35)]
    fill(SINCE)
    expected |= {f"label#row{number}": rows[number] for number in (*range(5), 10, *range(30, 35))}
    expected |= {f"workflow#row{number}": rows[number] for number in (*range(5, 10), *range(30, 35))}
    assert store == expected
    processed.clear()
    fill(SINCE)
    assert (store, processed) == (expected, [])


# ---- size


def test_a_row_of_two_hundred_megabytes_takes_little_memory(site: Site, api: Api) -> None:
    api.file_bytes = 50_000_000
    large = row("large", edited=WITHIN, pad="1234567\\" * 22_250_000)
    assert len(large) > 200_000_000
    api.rows[PROJECT] = [row("before", edited=WITHIN), large, row("after", edited=WITHIN)]
    run = Run(site, *COMMAND, "--since", SINCE, **variables(api))
    assert 0 < run.peak() < 64 * 1024
    assert run.end(None).status == 0, run.errors
    messages = {event_of(message): message for message in site.messages("label")}
    assert {*messages} == {"before", "after", "large"}
    assert body(site, messages["large"]) == large
    dedup_id = hashlib.sha256(b"backfill\0LABEL_UPDATED\0\0" + large).hexdigest()
    assert texts(messages["large"])["dedup_id"] == dedup_id


def test_an_export_of_a_hundred_thousand_rows_takes_little_memory(site: Site, api: Api) -> None:
    # All had some activity.
    active = b'"last_activity_at": "%s"' % LATER.encode()
    for number in range(100_000):
        edited, moved = (WITHIN if number % 100 == 0 else BEFORE), (LATER if number % 100 == 1 else None)
        each = row(f"row{number}", edited=edited, moved=moved)
        api.rows.setdefault(PROJECT, []).append(re.sub(rb'"last_activity_at": "[^"]*"', active, each))
    run = Run(site, *COMMAND, "--since", SINCE, "--json", **variables(api))
    assert 0 < run.peak() < 64 * 1024
    summary = run.end(None).summary
    assert (summary["rows"], summary["updated"], summary["moved"]) == (100_000, 1000, 1000)
    assert len(sent(site)) == 2000


# ---- faults


def test_it_goes_on_when_labelbox_is_busy(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [row("busy", edited=WITHIN)]
    api.faults = [(429, ""), (502, "<html>")]
    api.tasks = [{"status": "IN_PROGRESS"}, {}]
    assert backfill(site, api).status == 0
    assert sent(site) == [("LABEL_UPDATED", "busy")]
    assert api.names().count("GetUserCreatedTasksPyApi") == 2


@pytest.mark.parametrize("faults", [[403], [None, 503], [200, None, 200, None]])
def test_a_file_is_asked_for_again_when_its_url_has_expired_or_its_connection_breaks(
    site: Site, api: Api, faults: list[int | None]
) -> None:
    api.rows[PROJECT] = [row(f"row{number}", edited=WITHIN, pad=str(faults)) for number in range(30)]
    api.file_bytes = 7001
    api.file_faults = list(faults)
    assert backfill(site, api).status == 0
    bodies = [message["Body"].encode() for message in site.messages("label")]
    assert sorted(bodies) == sorted(api.rows[PROJECT])


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
    assert f"Labelbox did not export the project: {said}" in backfill(site, api).error


def test_what_labelbox_could_not_export_is_named(site: Site, api: Api) -> None:
    api.rows[PROJECT], api.errors = [row("whole", edited=WITHIN)], b'{"data_row": "other", "message": "broken"}\n'
    done = backfill(site, api, "--json")
    assert (done.status, sent(site)) == (1, [("LABEL_UPDATED", "whole")])
    [failed] = done.summary["failed"]
    assert failed["what"] == f"project {PROJECT}" and '"message": "broken"' in failed["reason"]


def test_a_broken_row_is_named_by_its_line_and_the_others_are_sent(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [
        *(row("first", edited=WITHIN), b'{"data_row": {"id": "x"', b""),
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
    assert [failed["what"] for failed in done.summary["failed"]] == ["project gone"]
    assert done.summary["updated"] == 1 and f"project {PROJECT}: 1 data row with any activity\n" in done.err


def test_a_window_without_changes_is_a_success_and_says_so(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [row("old")]
    done = backfill(site, api, "--json")
    assert (done.status, done.summary["rows"], sent(site)) == (0, 0, [])
    assert f"project {PROJECT}: no data row had any activity since then\n" in done.err


def test_a_full_disk_is_named(site: Site, api: Api) -> None:
    api.rows[PROJECT] = [row("large", edited=WITHIN, pad="x" * 5_000_000)]
    # What a file system without space does to a program, as far as a test can have it.
    done = backfill(site, api, limits="trap '' XFSZ; ulimit -f 2000")
    assert done.status == 3 and sent(site) == []
    assert "the export cannot be kept in a temporary file" in done.err and "TMPDIR" in done.err


def test_a_queue_that_is_not_there_is_named_before_labelbox_is_asked(make: MakeSite, api: Api) -> None:
    site = make()
    site.client("sqs").delete_queue(QueueUrl=site.stack.queue_url("workflow"))
    assert "the queue of workflow does not exist" in backfill(site, api).error
    assert api.asked == []


def test_it_stops_when_the_bucket_or_a_queue_refuses(make: MakeSite, api: Api) -> None:
    site = make()
    site.client("s3").delete_bucket(Bucket=site.bucket)
    small = {"MaximumMessageSize": "1024"}
    site.client("sqs").set_queue_attributes(QueueUrl=site.stack.queue_url("label"), Attributes=small)
    for size, reason in ((1_100_000, "its payload cannot be stored: NoSuchBucket"), (2000, "InvalidParameterValue")):
        api.rows[PROJECT] = [row(f"row{number}", edited=WITHIN, pad="x" * size) for number in range(40)]
        done = backfill(site, api, "--json")
        assert done.status == 1 and sent(site) == []
        failed = done.summary["failed"]
        assert 10 <= len(failed) < 20 and done.summary["rest"]
        assert all(reason in each["reason"] for each in failed), failed


def test_after_an_interruption_the_same_command_does_the_rest(make: MakeSite, api: Api) -> None:
    site = make("fifo")
    names = [f"row{number}" for number in range(3000)]
    api.rows[PROJECT] = [row(name, edited=WITHIN) for name in names]
    run = Run(site, *COMMAND, "--since", SINCE, "--json", **variables(api))
    run.wait_until(lambda: site.stack.count()["label"] > 20)
    done = run.end()
    assert done.status == 130, done
    first = sent(site)
    assert 20 < len(first) < 3000 and done.summary["updated"] == len(first)
    assert done.summary["rest"].startswith(f"relayctl backfill --project {PROJECT} --since 2026-11-27T10:00:00.000Z")
    assert backfill(site, api).status == 0
    assert sorted({*first, *sent(site)}) == sorted(("LABEL_UPDATED", name) for name in names)


def test_what_makes_it_impossible_is_said(site: Site, api: Api) -> None:
    for changes, said in [
        ({"LABELBOX_API_KEY": ""}, "no Labelbox API key is set"),
        ({"LABELBOX_API_URL": "http://127.0.0.1:9/graphql"}, "no response from Labelbox"),
        ({"RELAY_STACK": "nobodys"}, "there is no stack nobodys"),
        ({}, f"Labelbox has no project {PROJECT}"),
    ]:
        assert site.run(*COMMAND, "--since", SINCE, **{**variables(api), **changes}).error.startswith(
            f"relayctl: {said}"
        )
