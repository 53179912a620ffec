"""The secret in the operator's hands: what each edit makes of it, what it says, and that Labelbox is still believed."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Deploy
from repair import ADDRESS, SECONDS, Run, Site, make_site, wait_for
from terminal import CTRL_C

from dev import labelbox_api
from dev.emulator import Emulator
from dev.environment import NOWHERE
from dev.paths import PROJECT
from dev.samples import sign
from dev.stack import Stack

pytestmark = pytest.mark.extended

LABELS = ["AWSCURRENT", "AWSPREVIOUS"]
"""All that a secret has when nobody is at work on it."""
NEW, OLD, TRAINING, OF_X = (
    "hush-new-of-letters",
    "hush-old-of-letters",
    "hush-training-of-letters",
    "hush-x-of-many-letters",
)
OBJECT = {"labelbox": [NEW, OLD], "training": TRAINING, "project-x": OF_X, "empty": ""}
GIVEN = "given-by-an-operator"
DAY = 86400

MakeSite = Callable[..., Site]


@pytest.fixture(scope="module")
def make(running: Emulator, relayctl: Path) -> MakeSite:
    """Puts this secret into a stack, and hands it over."""
    site = make_site(running, relayctl, "secretive")

    def make_with(secret: str | dict[str, Any]) -> Site:
        site.stack.put_secret(secret)
        return site

    return make_with


@pytest.fixture
def relay(deployed: Deploy, relayctl: Path) -> Site:
    """A whole relay, which believes a secret for one second only."""
    return Site(deployed("relay-secretive", SecretTtlSeconds="1"), relayctl)


def secrets(site: Site) -> Any:
    return json.loads(site.secret)


def labels(site: Site) -> list[str]:
    """The labels of all versions."""
    arn = site.stack.outputs["SecretArn"]
    versions = site.client("secretsmanager").list_secret_version_ids(SecretId=arn)["Versions"]
    return sorted(label for version in versions for label in version["VersionStages"])


def send(stack: Stack, secret: str, webhook: str = "labelbox") -> int:
    sent = json.dumps({"id": "label", "n": time.monotonic_ns()}).encode()
    headers = [("Content-Type", "application/json"), ("X-Hub-Signature", sign(sent, secret))]
    return stack.send("POST", f"/webhooks/{webhook}", headers, sent).status


def wait_for_status(stack: Stack, secret: str, webhook: str, status: int) -> None:
    wait_for(lambda: send(stack, secret, webhook) == status)


# ---- a relay goes on


def test_the_rotation_of_the_guide_loses_no_event_of_any_webhook(relay: Site) -> None:
    stack = relay.stack
    # One secret for all names, of which two are in use.
    stack.put_secret("hush-everybodys")
    wait_for_status(stack, "hush-everybodys", "project-w", 200)
    wait_for(lambda: any('"webhook":"project-w"' in line for line in stack.logs()))
    section = (PROJECT / "docs" / "operating.md").read_text().partition("## Rotate the secret\n")[2]
    rotate, remove = re.findall(r"^relayctl (secret .+)$", section.partition("\n## ")[0], re.MULTILINE)
    assert relay.run(*rotate.split()).status == 0
    fresh = secrets(relay)["labelbox"][0]
    wait_for_status(stack, fresh, "labelbox", 200)
    assert send(stack, "hush-everybodys") == 200
    assert relay.run(*remove.split()).status == 0
    wait_for_status(stack, "hush-everybodys", "labelbox", 401)
    assert (send(stack, fresh), send(stack, "hush-everybodys", "project-w")) == (200, 200)
    wait_for_status(stack, "hush-everybodys", "unused", 404)


def test_a_shared_secret_that_has_leaked_opens_nothing_after_what_security_md_says(relay: Site) -> None:
    stack = relay.stack
    stack.put_secret("hush-leaked")
    wait_for_status(stack, "hush-leaked", "project-x", 200)
    typed = re.findall(r"^ *relayctl (secret .+)$", (PROJECT / "SECURITY.md").read_text(), re.MULTILINE)
    assert len(typed) == 4
    for line in typed:
        assert relay.run(*line.split()).status == 0, line
    wait_for_status(stack, "hush-leaked", "labelbox", 401)
    assert send(stack, "hush-leaked", "project-x") == 401
    body = b'{"modelRunId":"run"}'
    answer = stack.send("POST", "/training/model_run", [("X-Hub-Signature", sign(body, "hush-leaked"))], body)
    assert answer.status == 401


# ---- what each edit makes of it


@pytest.mark.parametrize(
    ("before", "arguments", "after"),
    [
        ({"b": "1", "a": ["2"]}, ["add", "c"], {"b": "1", "a": ["2"], "c": GIVEN}),
        ('\ufeff{"a":"1"}\n', ["rotate", "a"], {"a": [GIVEN, "1"]}),
        ("old", ["rotate", "--keep", "a", "--yes"], {name: [GIVEN, "old"] for name in ("labelbox", "training", "a")}),
        ("{broken", ["add", "a", "--replace-broken", "--yes"], {"a": GIVEN}),
        ({"backfill": "1", "a": "2"}, ["remove", "backfill", "--yes"], {"a": "2"}),
        ({"a": "1"}, ["remove", "a", "--yes"], {}),
        ({"a": ["1", "2"], "b": "3"}, ["remove", "a", "--old", "--yes"], {"a": "1", "b": "3"}),
    ],
)
def test_an_edit_is_written_in_order_and_leaves_no_label(
    make: MakeSite, before: str | dict[str, Any], arguments: list[str], after: dict[str, Any]
) -> None:
    site = make(before)
    stdin = [] if arguments[0] == "remove" else ["--stdin"]
    # One byte order mark and one newline are no part of a secret.
    done = site.run("secret", *arguments, *stdin, given=f"\ufeff{GIVEN}\r\n")
    assert done.status == 0, done
    assert (site.secret, labels(site)) == (json.dumps(after, separators=(",", ":")), LABELS)


def test_it_says_what_to_do_next_and_how_long_to_wait(make: MakeSite, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile staging]\naws_access_key_id = test\naws_secret_access_key = test\n")
    site = make(OBJECT)
    done = site.run("secret", "rotate", "labelbox", "--json", "--profile", "staging", AWS_CONFIG_FILE=str(config))
    assert done.summary["in_effect_within"] == "77 s"
    options = f"--stack {site.stack.name} --profile staging"
    steps = [step for step in done.summary["next"] if options in step]
    order = ("webhook create --name labelbox --again", "webhook disable", "secret remove labelbox --old")
    assert len(steps) == 3 and all(words in step for words, step in zip(order, steps, strict=True)), steps
    text = site.run("secret", "rotate", "training").out
    assert "model training" in text and "secret remove training --old" in text


# ---- what is not done


NOT_USABLE = "relayctl: this cannot be the secret: it has "


@pytest.mark.parametrize(
    ("secret", "arguments", "given", "status", "said"),
    [
        (OBJECT, ["add", "labelbox"], "", 2, "; relayctl secret rotate labelbox --stack"),
        (OBJECT, ["add", "Project"], "", 2, "cannot be the name"),
        (OBJECT, ["add", "a", "--stdin"], "", 2, "it is empty"),
        (OBJECT, ["add", "a", "--stdin"], "hush-of-letters\u200b", 2, f"{NOT_USABLE}U+200B (invisible) at position 16"),
        (OBJECT, ["rotate", "training", "--stdin"], "hush of many letters", 2, f"{NOT_USABLE}white space in it"),
        (OBJECT, ["rotate", "training", "--stdin"], "hush-of-letters", 2, f"{NOT_USABLE}fewer than 16 characters"),
        (OBJECT, ["rotate"], "", 2, "say which name: the secret has labelbox, training, project-x, empty"),
        (OBJECT, ["rotate", "other"], "", 2, "; relayctl secret add other --stack"),
        (OBJECT, ["remove", "other"], "", 2, "has no name other; "),
        (OBJECT, ["remove", "labelbox"], "", 2, "no terminal"),
        ({"labelbox": "hush"}, ["remove", "labelbox"], "", 2, "the last secret of the stack"),
        ("hush-plain", ["remove", "labelbox", "--yes"], "", 2, "plain text"),
        ("hush-plain", ["rotate"], "", 2, "no terminal"),
        (" \n", ["show-names"], "", 1, "is blank"),
        ('{"a":"hush', ["rotate", "a"], "", 1, "--replace-broken"),
        ('{"a":"hush', ["add", "a", "--replace-broken"], "", 2, "no terminal"),
    ],
)
def test_what_would_harm_is_refused_and_changes_nothing(
    make: MakeSite, secret: str | dict[str, Any], arguments: list[str], given: str, status: int, said: str
) -> None:
    site = make(secret)
    before = site.secret
    done = site.run("secret", *arguments, given=given)
    assert (done.status, done.out) == (status, ""), done
    line = done.err.splitlines()[-1]
    assert line.startswith("relayctl: ") and said in line and "hush" not in done.err, done
    # Nobody is advised to add what they want to remove.
    assert "secret add" not in line or arguments[0] != "remove"
    assert (site.secret, labels(site)) == (before, LABELS)


def test_an_edit_without_secrets_manager_says_so(make: MakeSite) -> None:
    done = make(OBJECT).run("secret", "rotate", "training", AWS_ENDPOINT_URL_SECRETS_MANAGER=NOWHERE)
    assert "no response from AWS to secretsmanager:Get" in done.error


def test_of_edits_at_once_none_is_lost_and_who_was_late_is_told(make: MakeSite) -> None:
    site = make({"labelbox": "hush"})
    runs = [Run(site, "secret", "rotate", "labelbox", "--values", "--json") for _ in range(8)]
    ended = [run.end(None) for run in runs]
    fresh = {run.summary["value"] for run in ended if run.status == 0}
    late = [run for run in ended if run.status != 0]
    assert fresh and {*secrets(site)["labelbox"]} == {*fresh, "hush"}
    assert all(run.status == 1 and "somebody else has changed the secret" in run.err for run in late), late
    assert labels(site) == LABELS


# ---- names in use


def test_a_shared_secret_is_kept_by_the_names_that_the_log_and_labelbox_show(running: Emulator, relayctl: Path) -> None:
    site = make_site(running, relayctl, "in-use")
    for webhook, status, days_ago in (("today", 200, 0), ("lately", 200, 6), ("long-ago", 200, 8), ("guessed", 401, 0)):
        site.log({"level": "INFO", "route": "webhook", "webhook": webhook, "status": status}, ago=days_ago * DAY)
    with labelbox_api.serve() as api:
        api.add(f"{ADDRESS}/webhooks/at-labelbox", ["LABEL_CREATED"])
        api.add(f"{ADDRESS}/webhooks/disabled", ["LABEL_CREATED"], status="INACTIVE")
        api.add("https://elsewhere.example/webhooks/elsewhere", ["LABEL_CREATED"])
        key = {"LABELBOX_API_URL": api.url, "LABELBOX_API_KEY": labelbox_api.KEY}
        logged = ["lately", "today"]
        for variables, found in (({}, logged), (key, ["at-labelbox", *logged])):
            site.stack.put_secret("hush-shared")
            done = site.run("secret", "rotate", "labelbox", "--keep", "kept", "--yes", **variables)
            names = ["labelbox", "training", "kept", *found]
            assert done.status == 0 and f"these keep today's secret: {', '.join(names)}." in done.err, done
            rotated, *others = secrets(site).items()
            assert [rotated[0], *(name for name, _ in others)] == names
            assert (rotated[1][1:], {secret for _, secret in others}) == (["hush-shared"], {"hush-shared"})


def test_nobody_is_cut_off_unasked_if_the_names_in_use_are_not_known(running: Emulator, relayctl: Path) -> None:
    site = make_site(running, relayctl, "in-use-unknown", log_level="warn")
    site.stack.put_secret("hush-shared")
    for arguments in (["rotate"], ["rotate", "--keep", "labelbox"], ["add", "a", "--keep", "b"]):
        done = site.run("secret", *arguments, "--yes")
        assert (done.status, done.out, site.secret) == (1, "", "hush-shared"), done
        assert "not known which names are in use" in done.err and "set LABELBOX_API_KEY" in done.err
    seen = site.type([("Make it an object of just these names? [y/N]", "n\n")], "secret", "rotate")
    assert (seen.status, site.secret) == (1, "hush-shared") and "not known which names are in use" in seen.screen
    with labelbox_api.serve() as api:
        key = {"LABELBOX_API_URL": api.url, "LABELBOX_API_KEY": labelbox_api.KEY}
        api.faults = [(401, "")]
        done = site.run("secret", "add", "a", "--yes", **key)
        assert done.status == 1 and "does not accept this API key" in done.err and site.secret == "hush-shared", done
        api.add(f"{ADDRESS}/webhooks/at-labelbox", ["LABEL_CREATED"])
        assert site.run("secret", "add", "a", "--yes", **key).status == 0
        assert list(secrets(site)) == ["labelbox", "training", "at-labelbox", "a"]


# ---- what is printed


@pytest.mark.parametrize("arguments", [["show-names"], ["add", "a"], ["rotate", "labelbox"], ["rotate", "training"]])
def test_no_value_is_printed_unless_it_is_asked_for(make: MakeSite, arguments: list[str]) -> None:
    for json_or_not in ([], ["--json"]):
        site = make(OBJECT)
        done = site.run("secret", *arguments, *json_or_not)
        assert done.status == 0 and done.out, done
        values = re.findall(r'"(hush-[^"]*|[0-9a-f]{64})"', site.secret)
        assert len(values) >= 4 and [value for value in values if value in done.out + done.err] == []


def test_values_are_printed_to_who_asks_for_them(make: MakeSite) -> None:
    site = make(OBJECT)
    shown = site.run("secret", "show-names", "--values", "--json").summary
    assert [row["values"] for row in shown["names"]][:2] == [[NEW, OLD], [TRAINING]]
    added = site.run("secret", "add", "a", "--values").out
    assert secrets(site)["a"] in added and len(secrets(site)["a"]) == 64


def test_names_are_shown_with_what_is_wrong_with_them(make: MakeSite) -> None:
    rows = [line.split() for line in make(OBJECT).run("secret", "show-names").out.splitlines()]
    assert [row[:3] for row in rows] == [
        ["NAME", "SECRETS", "PROBLEM"],
        ["labelbox", "2", "-"],
        ["training", "1", "-"],
        ["project-x", "1", "-"],
        ["empty", "1", "nothing"],
    ]
    plain = make("hush").run("secret", "show-names", "--json").summary
    assert (plain["form"], plain["names"][0]["usable"]) == ("plain_text", 1)
    controls = "\u202e\x1b\u2066\x9b"
    site = make({f"odd{controls}name": "hush", "a": "hush\u200b"})
    for arguments in (["show-names"], ["show-names", "--json"], ["rotate"], ["remove", "a", "--yes"]):
        done = site.run("secret", *arguments)
        assert "odd" in done.out + done.err and not {*controls} & {*(done.out + done.err)}, done


def test_an_edit_that_cannot_be_told_is_done_all_the_same_and_says_so(make: MakeSite) -> None:
    site = make(OBJECT)
    reader, closed = os.pipe()
    os.close(reader)
    for name, output, status in (("project-x", os.open("/dev/full", os.O_WRONLY), 3), ("training", closed, 0)):
        run = site.start("secret", "rotate", name, output=output)
        os.close(output)
        _, err = run.communicate(timeout=SECONDS)
        assert "the secret is changed" in err and run.returncode == status, err
        assert secrets(site)[name][1] == OBJECT[name]


# ---- at a terminal


@pytest.mark.parametrize(("typed", "status"), [("y\n", 0), ("\n", 1), ("\x04", 1), (CTRL_C, 130)])
def test_a_person_is_asked_and_only_a_yes_is_a_yes(make: MakeSite, typed: str, status: int) -> None:
    site = make(OBJECT)
    seen = site.type([("Remove it? [y/N]", typed)], "secret", "remove", "labelbox")
    assert seen.status == status, seen
    assert ("labelbox" in secrets(site)) == (status != 0)
    assert ("nothing was changed" in seen.screen) == (status != 0)
    assert "hush" not in seen.screen
