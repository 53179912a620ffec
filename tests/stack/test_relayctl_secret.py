"""The secret in the operator's hands: what each edit makes of it, what it says, and that Labelbox is still believed."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import repair
from conftest import Deploy
from secret_site import ADDRESS, SecretSite, make_secret_site
from terminal import CTRL_C

from dev import environment, labelbox_api
from dev.emulator import Emulator
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

MakeSite = Callable[..., SecretSite]


@pytest.fixture(scope="session")
def make(running: Emulator, relayctl: Path) -> MakeSite:
    """Puts this secret into a stack, and hands it over."""
    site = make_secret_site(running, relayctl, "secretive")

    def make_with(secret: str | dict[str, Any]) -> SecretSite:
        site.stack.put_secret(secret)
        return site

    return make_with


@pytest.fixture
def relay(deployed: Deploy, relayctl: Path) -> SecretSite:
    """A whole relay, which believes a secret for one second only."""
    return SecretSite(deployed("relay-secretive", SecretTtlSeconds="1"), relayctl)


def send(stack: Stack, secret: str, webhook: str = "labelbox") -> int:
    sent = json.dumps({"id": "label", "n": time.monotonic_ns()}).encode()
    headers = [("Content-Type", "application/json"), ("X-Hub-Signature", sign(sent, secret))]
    return stack.send("POST", f"/webhooks/{webhook}", headers, sent).status


def wait_for(stack: Stack, secret: str, webhook: str, status: int) -> None:
    repair.wait_for(lambda: send(stack, secret, webhook) == status)


def wait_for_log(stack: Stack, webhook: str) -> None:
    repair.wait_for(lambda: any(f'"webhook":"{webhook}"' in line for line in stack.logs()))


# ---- a relay goes on


def test_a_rotation_loses_nothing_and_ends_with_the_new_secret_alone(relay: SecretSite) -> None:
    stack = relay.stack
    stack.put_secret({"labelbox": "hush-old", "project-x": "hush-x"})
    wait_for(stack, "hush-old", "labelbox", 200)
    rotated = relay.run("secret", "rotate", "labelbox", "--json", "--values")
    assert (rotated.status, rotated.err) == (0, relay.target), rotated
    fresh = json.loads(rotated.out)["value"]
    wait_for(stack, fresh, "labelbox", 200)
    assert send(stack, "hush-old") == 200
    assert send(stack, "hush-x", "project-x") == 200
    removed = relay.run("secret", "remove", "labelbox", "--old", "--yes", "--json")
    assert removed.status == 0, removed
    assert relay.secrets == {"labelbox": fresh, "project-x": "hush-x"}
    wait_for(stack, "hush-old", "labelbox", 401)
    assert send(stack, fresh) == 200
    assert send(stack, "hush-x", "project-x") == 200


def test_a_shared_secret_goes_on_for_the_names_in_use_when_one_gets_its_own(relay: SecretSite) -> None:
    stack = relay.stack
    stack.put_secret("hush-shared")
    wait_for(stack, "hush-shared", "project-z", 200)
    wait_for_log(stack, "project-z")
    done = relay.run(
        "secret", "add", "project-x", "--stdin", "--keep", "project-y", "--yes", given="hush-x-of-letters\n"
    )
    assert done.status == 0 and "project-z" in done.err, done
    wait_for(stack, "hush-x-of-letters", "project-x", 200)
    for name in ("labelbox", "project-x", "project-y", "project-z"):
        assert send(stack, "hush-shared", name) == 200, name
    wait_for(stack, "hush-shared", "unused", 404)


def test_the_rotation_of_the_guide_loses_no_webhook_of_a_shared_secret(relay: SecretSite) -> None:
    stack = relay.stack
    stack.put_secret("hush-everybodys")
    wait_for(stack, "hush-everybodys", "project-w", 200)
    wait_for_log(stack, "project-w")
    section = (
        (PROJECT / "docs" / "operating.md").read_text().partition("## Rotate the secret\n")[2].partition("\n## ")[0]
    )
    typed = re.findall(r"^relayctl (secret .+)$", section, re.MULTILINE)
    assert [line.split()[1] for line in typed] == ["rotate", "remove"]
    for line in typed:
        done = relay.run(*line.split())
        assert done.status == 0, done
    wait_for(stack, "hush-everybodys", "labelbox", 401)
    assert send(stack, "hush-everybodys", "project-w") == 200
    assert send(stack, relay.secrets["labelbox"]) == 200


def test_a_shared_secret_that_has_leaked_opens_nothing_after_what_security_md_says(relay: SecretSite) -> None:
    stack = relay.stack
    stack.put_secret("hush-leaked")
    wait_for(stack, "hush-leaked", "project-x", 200)
    typed = re.findall(r"^ *relayctl (secret .+)$", (PROJECT / "SECURITY.md").read_text(), re.MULTILINE)
    assert len(typed) == 4
    for line in typed:
        done = relay.run(*line.split())
        assert done.status == 0, done
    wait_for(stack, "hush-leaked", "labelbox", 401)
    assert send(stack, "hush-leaked", "project-x") == 401
    body = b'{"modelRunId":"run"}'
    answer = stack.send("POST", "/training/model_run", [("X-Hub-Signature", sign(body, "hush-leaked"))], body)
    assert answer.status == 401


# ---- what each edit makes of it


@pytest.mark.parametrize(
    ("before", "arguments", "after"),
    [
        ({"b": "1", "a": ["2"]}, ["add", "c"], {"b": "1", "a": ["2"], "c": GIVEN}),
        ({"a": "1", "b": ""}, ["add", "b"], {"a": "1", "b": GIVEN}),
        ({"a": "1"}, ["rotate", "a"], {"a": [GIVEN, "1"]}),
        ("old", ["rotate", "--keep", "a", "--yes"], {name: [GIVEN, "old"] for name in ("labelbox", "training", "a")}),
        ("old", ["add", "a", "--keep", "a", "--yes"], {"labelbox": "old", "training": "old", "a": [GIVEN, "old"]}),
        ("{broken", ["add", "a", "--replace-broken", "--yes"], {"a": GIVEN}),
        (" \n", ["add", "a", "--replace-broken", "--yes"], {"a": GIVEN}),
        ('\ufeff{"a":"1"}\n', ["rotate", "a"], {"a": [GIVEN, "1"]}),
        ({"backfill": "1", "a": "2"}, ["remove", "backfill", "--yes"], {"a": "2"}),
        ({}, ["add", "training"], {"training": GIVEN}),
        ({"a": "1"}, ["remove", "a", "--yes"], {}),
        ({"a": ["1", "2"], "b": "3"}, ["remove", "a", "--old", "--yes"], {"a": "1", "b": "3"}),
    ],
)
def test_an_edit_is_written_in_order_and_leaves_no_label(
    make: MakeSite, before: str | dict[str, Any], arguments: list[str], after: dict[str, Any]
) -> None:
    site = make(before)
    stdin = [] if arguments[0] == "remove" else ["--stdin"]
    done = site.run("secret", *arguments, *stdin, given=GIVEN)
    assert done.status == 0, done
    assert site.value == json.dumps(after, separators=(",", ":"))
    assert site.labels == LABELS


def test_it_says_what_to_do_next_and_how_long_to_wait(make: MakeSite) -> None:
    site = make(OBJECT)
    done = site.run("secret", "rotate", "labelbox", "--json")
    told = json.loads(done.out)
    assert told["in_effect_within"] == "77 s"
    steps = [step for step in told["next"] if site.stack.name in step]
    order = ("webhook create --name labelbox --again", "webhook disable", "secret remove labelbox --old")
    assert len(steps) == 3 and all(words in step for words, step in zip(order, steps, strict=True)), steps
    text = site.run("secret", "rotate", "training").out
    assert "model training" in text and "secret remove training --old" in text


# ---- what is not done


@pytest.mark.parametrize(
    ("secret", "arguments", "status", "said"),
    [
        (OBJECT, ["add", "labelbox"], 2, "secret rotate labelbox"),
        (OBJECT, ["add", "Project"], 2, "cannot be the name"),
        ("hush-plain", ["rotate", "a", "--keep", "B"], 2, "B cannot be the name"),
        (OBJECT, ["add", "a", "--stdin"], 2, "it is empty"),
        (OBJECT, ["add", "a", "--keep", "b"], 2, "--keep is for"),
        (OBJECT, ["rotate"], 2, "say which name: the secret has labelbox, training, project-x, empty"),
        (OBJECT, ["rotate", "other"], 2, "has no name other"),
        (OBJECT, ["remove", "labelbox"], 2, "no terminal"),
        (OBJECT, ["remove", "empty", "--old", "--yes"], 2, "no usable secret"),
        ({"labelbox": "hush"}, ["remove", "labelbox"], 2, "the last secret of the stack"),
        ("hush-plain", ["remove", "labelbox", "--yes"], 2, "plain text"),
        ("hush-plain", ["rotate"], 2, "no terminal"),
        (" \n", ["show-names"], 1, "is blank"),
        ('{"a":"hush', ["rotate", "a"], 1, "--replace-broken"),
        ('{"a":"hush', ["show-names"], 1, "line 1"),
        ('{"a":"hush', ["add", "a", "--replace-broken"], 2, "no terminal"),
    ],
)
def test_what_would_harm_is_refused_and_changes_nothing(
    make: MakeSite, secret: str | dict[str, Any], arguments: list[str], status: int, said: str
) -> None:
    site = make(secret)
    before = site.value
    done = site.run("secret", *arguments)
    assert (done.status, done.out) == (status, ""), done
    line = done.err.splitlines()[-1]
    assert line.startswith("relayctl: ") and said in line, done.err
    assert "hush" not in done.err
    assert (site.value, site.labels) == (before, LABELS)


@pytest.mark.parametrize(
    ("verb", "given", "said"),
    [
        (["add", "a"], "hush-of-letters\u200b", "U+200B (invisible) at position 16"),
        (["add", "a"], " hush-of-many-letters", "U+0020 (white space) at position 1"),
        (["rotate", "labelbox"], "hush of many letters", "white space in it"),
        (["rotate", "labelbox"], "hush-of-letters", "fewer than 16 characters"),
    ],
)
def test_a_secret_that_the_doctor_would_complain_about_is_refused(
    make: MakeSite, verb: list[str], given: str, said: str
) -> None:
    site = make(OBJECT)
    before = site.value
    done = site.run("secret", *verb, "--stdin", given=given)
    line = f"relayctl: this cannot be the secret: it has {said}; give another, or leave out --stdin to have one made"
    line += "; nothing was changed"
    assert (done.status, done.out, done.err) == (2, "", f"{site.target}{line}\n")
    assert (site.value, site.labels) == (before, LABELS)


def test_nobody_is_advised_to_add_what_they_want_to_remove(make: MakeSite) -> None:
    site = make(OBJECT)
    done = site.run("secret", "remove", "nosuch")
    assert (done.status, done.out) == (2, "") and "has no name nosuch" in done.err, done
    assert "secret add" not in done.err
    assert "relayctl secret add nosuch" in site.run("secret", "rotate", "nosuch").err


def test_printed_commands_are_for_the_same_profile_region_and_stack(make: MakeSite, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile staging]\naws_access_key_id = test\naws_secret_access_key = test\n")
    options = ["--profile", "staging", "--region", "us-east-1"]
    for arguments, command in (("add", "rotate labelbox"), ("rotate", "remove labelbox --old")):
        site = make(OBJECT)
        done = site.run("secret", arguments, "labelbox", *options, AWS_CONFIG_FILE=str(config))
        expected = f"relayctl secret {command} --stack {site.stack.name} {' '.join(options)}"
        assert expected in done.out + done.err, done


def test_what_a_secrets_names_hold_cannot_play_with_the_terminal(make: MakeSite) -> None:
    controls = "\u202e\x1b\u2066\x9b"
    site = make({f"odd{controls}name": "hush", "a": "hush"})
    for arguments in (["show-names"], ["show-names", "--json"], ["rotate"], ["remove", "a", "--yes"]):
        done = site.run("secret", *arguments)
        assert "odd" in done.out + done.err and not {*controls} & {*(done.out + done.err)}, done
    shown = json.loads(site.run("secret", "show-names", "--json").out)
    assert shown["names"][0]["name"] == f"odd{controls}name"


# ---- names in use


def test_a_shared_secret_is_kept_by_the_names_that_the_log_and_labelbox_show(running: Emulator, relayctl: Path) -> None:
    site = make_secret_site(running, relayctl, "in-use")
    for webhook, status, days_ago in (("today", 200, 0), ("lately", 200, 6), ("long-ago", 200, 8), ("guessed", 401, 0)):
        site.log(webhook, status, days_ago)
    with labelbox_api.serve() as api:
        api.add(f"{ADDRESS}at-labelbox", ["LABEL_CREATED"])
        api.add(f"{ADDRESS}disabled", ["LABEL_CREATED"], status="INACTIVE")
        api.add("https://elsewhere.example/webhooks/elsewhere", ["LABEL_CREATED"])
        key = {"LABELBOX_API_URL": api.url, "LABELBOX_API_KEY": labelbox_api.KEY}
        logged = ["lately", "today"]
        for variables, found in (({}, logged), (key, ["at-labelbox", *logged])):
            site.stack.put_secret("hush-shared")
            done = site.run("secret", "rotate", "labelbox", "--keep", "kept", "--yes", **variables)
            names = ["labelbox", "training", "kept", *found]
            assert done.status == 0 and f"these keep today's secret: {', '.join(names)}." in done.err, done
            assert list(site.secrets) == names
            assert [site.secrets[name] for name in names[1:]] == ["hush-shared"] * (len(names) - 1)
            assert site.secrets["labelbox"][1:] == ["hush-shared"]


def test_nobody_is_cut_off_unasked_if_the_names_in_use_are_not_known(running: Emulator, relayctl: Path) -> None:
    site = make_secret_site(running, relayctl, "in-use-unknown", log_level="warn")
    site.stack.put_secret("hush-shared")
    before = site.value
    for arguments in (["rotate"], ["rotate", "--keep", "labelbox"], ["add", "a", "--keep", "b"]):
        done = site.run("secret", *arguments, "--yes")
        assert (done.status, done.out, site.value) == (1, "", before), done
        assert "not known which names are in use" in done.err and "set LABELBOX_API_KEY" in done.err
    seen = site.type([("Make it an object of just these names? [y/N]", "n\n")], "secret", "rotate")
    assert (seen.status, site.value) == (1, before) and "not known which names are in use" in seen.screen
    with labelbox_api.serve() as api:
        key = {"LABELBOX_API_URL": api.url, "LABELBOX_API_KEY": labelbox_api.KEY}
        api.add(f"{ADDRESS}at-labelbox", ["LABEL_CREATED"])
        assert site.run("secret", "add", "a", "--yes", **key).status == 0
        assert list(site.secrets) == ["labelbox", "training", "at-labelbox", "a"]
        site.stack.put_secret("hush-shared")
        api.troubles = [(401, "")]
        done = site.run("secret", "add", "a", "--yes", **key)
        assert done.status == 1 and "does not accept this API key" in done.err and site.value == before, done


# ---- what is not done, for other reasons


def test_one_byte_order_mark_and_one_newline_are_no_part_of_a_secret(make: MakeSite) -> None:
    site = make(OBJECT)
    done = site.run("secret", "rotate", "project-x", "--stdin", given=f"\ufeff{GIVEN}\r\n")
    assert (done.status, done.err) == (0, site.target)
    assert site.secrets["project-x"] == [GIVEN, OF_X]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9"}, "no response from AWS to secretsmanager:Get"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "no AWS region is set; give --region"),
    ],
)
def test_what_makes_it_impossible_is_said_on_one_line(make: MakeSite, variables: dict[str, str], said: str) -> None:
    site = make({"a": "hush"})
    done = site.run("secret", "rotate", "a", **variables)
    assert (done.status, done.out) == (3, "")
    line = done.err.removeprefix(site.target)
    assert line.startswith(f"relayctl: {said}") and line.count("\n") == 1, done.err


def test_of_edits_at_once_none_is_lost_and_who_was_late_is_told(make: MakeSite) -> None:
    site = make({"labelbox": "hush"})
    runs = [site.start("secret", "rotate", "labelbox", "--values", "--json") for _ in range(8)]
    ended = [repair.end(run) for run in runs]
    fresh = {json.loads(run.out)["value"] for run in ended if run.status == 0}
    late = [run for run in ended if run.status != 0]
    assert fresh and {*site.secrets["labelbox"]} == {*fresh, "hush"}
    assert all(run.status == 1 and "somebody else has changed the secret" in run.err for run in late), late
    assert site.labels == LABELS


# ---- values


@pytest.mark.parametrize("arguments", [["show-names"], ["add", "a"], ["rotate", "labelbox"], ["rotate", "training"]])
def test_no_value_is_printed_unless_it_is_asked_for(make: MakeSite, arguments: list[str]) -> None:
    for json_or_not in ([], ["--json"]):
        site = make(OBJECT)
        done = site.run("secret", *arguments, *json_or_not)
        assert done.status == 0 and done.out, done
        everything = [*_texts(OBJECT), *_texts(site.secrets)]
        assert [text for text in everything if text in done.out + done.err] == []


def _texts(secrets: dict[str, Any]) -> list[str]:
    values = (value if isinstance(value, list) else [value] for value in secrets.values())
    return [text for texts in values for text in texts if text]


def test_values_are_printed_to_who_asks_for_them(make: MakeSite) -> None:
    site = make(OBJECT)
    shown = json.loads(site.run("secret", "show-names", "--values", "--json").out)
    assert [row["values"] for row in shown["names"]][:2] == [[NEW, OLD], [TRAINING]]
    added = site.run("secret", "add", "a", "--values").out
    assert site.secrets["a"] in added and len(site.secrets["a"]) == 64


def test_names_are_shown_with_what_is_wrong_with_them(make: MakeSite) -> None:
    rows = [line.split() for line in make(OBJECT).run("secret", "show-names").out.splitlines()]
    assert rows[0] == ["NAME", "SECRETS", "PROBLEM"]
    assert [row[:3] for row in rows[1:]] == [
        ["labelbox", "2", "-"],
        ["training", "1", "-"],
        ["project-x", "1", "-"],
        ["empty", "1", "nothing"],
    ]
    invisible = make({"a": "hush\u200b", "backfill": "hush"}).run("secret", "show-names").out.splitlines()
    assert "U+200B (invisible) at position 5" in invisible[1] and "no webhook can have this name" in invisible[2]
    plain = json.loads(make("hush").run("secret", "show-names", "--json").out)
    assert (plain["form"], plain["names"][0]["usable"]) == ("plain_text", 1)


@pytest.mark.parametrize("where", ["full", "closed"])
def test_an_edit_that_cannot_be_told_is_done_all_the_same_and_says_so(make: MakeSite, where: str) -> None:
    site = make(OBJECT)
    emulator = site.stack.emulator
    settings = environment.for_emulator(emulator.instance, emulator.endpoint)
    reader, writer = os.pipe()
    os.close(reader)
    output = os.open("/dev/full", os.O_WRONLY) if where == "full" else writer
    program = [str(site.program), "secret", "rotate", "project-x", "--stack", site.stack.name]
    done = subprocess.run(program, env=settings, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writer)
    assert "the secret is changed" in done.stderr
    assert done.returncode == (3 if where == "full" else 0), done
    assert site.secrets["project-x"][1] == OF_X


# ---- at a terminal


@pytest.mark.parametrize(("typed", "status"), [("y\n", 0), ("\n", 1), ("\x04", 1), (CTRL_C, 130)])
def test_a_person_is_asked_and_only_a_yes_is_a_yes(make: MakeSite, typed: str, status: int) -> None:
    site = make(OBJECT)
    seen = site.type([("Remove it? [y/N]", typed)], "secret", "remove", "labelbox")
    assert seen.status == status, seen
    assert ("labelbox" in site.secrets) == (status != 0)
    assert ("nothing was changed" in seen.screen) == (status != 0)
    assert "hush" not in seen.screen + seen.out


def test_a_person_is_told_what_becomes_of_a_plain_text(make: MakeSite) -> None:
    site = make("hush")
    dialogue = [("Make it an object of just these names? [y/N]", "y\n")]
    seen = site.type(dialogue, "secret", "add", "a", "--keep", "b")
    assert "these keep today's secret: labelbox, training, b, a." in seen.screen
    assert seen.status == 0 and list(site.secrets) == ["labelbox", "training", "b", "a"]
