"""The webhooks at Labelbox in the operator's hands: requests as its own SDK makes them, and care before each change."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from repair import ADDRESS, Done, Site, make_site
from terminal import CTRL_C, TerminalOutput

from dev import labelbox_api
from dev.emulator import Emulator
from dev.labelbox_api import KEY, PROJECT, WHEN, Api, Asked

pytestmark = pytest.mark.extended

SECRETS = {"labelbox": ["hush-new\n", "hush-old"], "project-x": "hush-x", "training": "hush-t", "empty": ""}
TOPICS = ["LABEL_CREATED", "LABEL_UPDATED", "LABEL_DELETED", "WORKFLOW_ACTION"]
OURS, ELSEWHERE = f"{ADDRESS}/webhooks/labelbox", "https://elsewhere.example/webhooks/labelbox"
CREATE = ("create", "--topic", "LABEL_CREATED", "--global")


@pytest.fixture
def api() -> Iterator[Api]:
    with labelbox_api.serve() as served:
        yield served


@pytest.fixture(scope="module")
def site(running: Emulator, relayctl: Path) -> Site:
    """A stack whose address Labelbox could reach."""
    site = make_site(running, relayctl, "hooked")
    site.stack.put_secret(SECRETS)
    return site


class Operator:
    """The tool with a key, before the API."""

    def __init__(self, site: Site, api: Api) -> None:
        self.site = site
        self.settings = {"LABELBOX_API_URL": api.url, "LABELBOX_API_KEY": KEY}

    def run(self, *arguments: str, given: str = "", **variables: str) -> Done:
        """Runs a verb. Nobody's secret is in what it prints."""
        done = self.site.run("webhook", *arguments, given=given, **{**self.settings, **variables})
        assert "hush" not in done.out + done.err, done
        return done

    def type(self, question: str, answer: str, *arguments: str) -> TerminalOutput:
        return self.site.type([(question, answer)], "webhook", *arguments, columns=200, **self.settings)


@pytest.fixture
def operator(site: Site, api: Api) -> Operator:
    return Operator(site, api)


# ---- as the SDK does it


def sdk(api: Api) -> Any:
    """A client of Labelbox's Python SDK."""
    labelbox = pytest.importorskip("labelbox", reason="Labelbox's SDK is not released for this Python")
    return labelbox.Client(KEY, endpoint=api.url)


def entity(client: Any, name: str, uid: str) -> Any:
    """An object of the SDK as it would be after it had been fetched."""
    from labelbox.orm.model import Entity

    kind = getattr(Entity, name)
    return kind(client, {**{each.graphql_name: None for each in kind.fields()}, "id": uid})


def create_by_sdk(api: Api, project: str | None) -> None:
    client = sdk(api)
    kind = type(entity(client, "Webhook", ""))
    kind.create(client, TOPICS, OURS, "hush-new", project and entity(client, "Project", project))


def list_by_sdk(api: Api) -> None:
    for webhook in entity(sdk(api), "Organization", "o").webhooks():
        webhook.project()


def get_by_sdk(api: Api) -> None:
    client = sdk(api)
    client._get_single(type(entity(client, "Webhook", "")), "webhook0")


COMPARED: list[tuple[list[str], Callable[[Api], Any]]] = [
    (["list"], list_by_sdk),
    (["list", "--project", PROJECT], lambda api: list(entity(sdk(api), "Project", PROJECT).webhooks())),
    (["create", "--all-topics", "--global", "--yes"], lambda api: create_by_sdk(api, None)),
    (["create", "--all-topics", "--project", PROJECT, "--yes"], lambda api: create_by_sdk(api, PROJECT)),
    (["disable", "webhook0", "--yes"], lambda api: entity(sdk(api), "Webhook", "webhook0").delete()),
    (["disable", "webhook0", "--yes"], get_by_sdk),
]


def comparable(asked: Asked) -> tuple[Any, ...]:
    headers = {name: asked.headers.get(name) for name in ("authorization", "content-type", "accept")}
    return asked.line, headers, asked.query, asked.variables


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("arguments", "by_sdk"), COMPARED)
def test_a_request_is_that_of_labelboxs_own_sdk(
    operator: Operator, api: Api, arguments: list[str], by_sdk: Callable[[Api], Any]
) -> None:
    for number in range(100):
        api.add(f"https://elsewhere.example/{number}", ["LABEL_CREATED"], PROJECT if number % 3 else None)
    by_sdk(api)
    theirs, api.asked = api.asked, []
    assert theirs
    api.webhooks = api.webhooks[:100]
    api.webhooks[0]["status"] = "ACTIVE"
    assert operator.run(*arguments).status == 0
    kinds = {asked.query[1] for asked in theirs}
    same = [comparable(asked) for asked in api.asked if asked.query[1] in kinds]
    assert sorted(same, key=repr) == sorted((comparable(asked) for asked in theirs), key=repr)
    assert same[0][1]["authorization"] == f"Bearer {KEY}"


# ---- list


def test_webhooks_are_listed_with_their_scope_and_those_of_this_stack_are_marked(operator: Operator, api: Api) -> None:
    assert operator.run("list").out.startswith("There are no webhooks; relayctl webhook create --stack hooked")
    api.add(OURS, TOPICS)
    api.add(f"{ADDRESS}/webhooks/project-x", ["LABEL_CREATED"], PROJECT, "INACTIVE")
    api.add(ELSEWHERE, ["MOVE"])
    listed = operator.run("list", "--json").summary["webhooks"]
    first = {"id": "webhook0", "url": OURS, "topics": TOPICS, "status": "ACTIVE", "created_at": WHEN}
    assert listed[0] == {**first, "scope": "global", "this_stack": True}
    told = [(each["id"], each["scope"], each.get("project"), each["this_stack"]) for each in listed[1:]]
    assert told == [("webhook1", "project", PROJECT, True), ("webhook2", "global", None, False)]
    table = operator.run("list")
    marked = [line.split()[1] for line in table.out.splitlines() if line.startswith("*  w")]
    assert (table.status, table.err, marked) == (0, "", ["webhook0", "webhook1"])
    # On several pages.
    for number in range(250):
        api.add(f"https://elsewhere.example/{number}", [], PROJECT)
    of_project = operator.run("list", "--project", PROJECT, "--json").summary["webhooks"]
    assert {each["id"] for each in of_project} == {"webhook1", *(f"webhook{number}" for number in range(3, 253))}


def test_what_labelbox_says_cannot_play_with_the_terminal(operator: Operator, api: Api) -> None:
    controls = "\x1b\x07\u202e\u2066\u200f"
    which = api.add(f"https://e.example/{controls}[2J", [f"{controls}]0;x"])
    for arguments in (["list"], ["list", "--json"], ["disable", which, "--yes"]):
        done = operator.run(*arguments)
        assert done.status == 0 and "e.example" in done.out + done.err
        assert not {*controls} & {*(done.out + done.err)}, done


# ---- create


@pytest.mark.parametrize("scope", [["--global"], ["--project", PROJECT]])
def test_a_webhook_gets_the_newest_secret_of_its_name(operator: Operator, api: Api, scope: list[str]) -> None:
    done = operator.run("create", "--topic", "label_deleted", "--topic", "LABEL_CREATED", *scope, "--yes", "--json")
    assert (done.status, done.err.startswith(operator.site.target)) == (0, True), done
    assert '"hush-new"' in api.asked[-1].query and api.asked[-1].query[1] == "CreateWebhookPyApi"
    made = done.summary
    assert (made["url"], made["topics"]) == (OURS, ["LABEL_CREATED", "LABEL_DELETED"])
    assert (made["scope"], made["target"]["stack"]) == (scope[0].removeprefix("--"), "hooked")
    assert "permanent" in done.err and made["scope"] in done.err
    assert operator.run("create", "--all-topics", *scope, "--name", "project-x", "--yes").status == 0
    assert '"hush-x"' in api.asked[-1].query and api.webhooks[-1]["url"] == f"{ADDRESS}/webhooks/project-x"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([*CREATE], 2, "no terminal"),
        ([*CREATE, "--name", "other", "--yes"], 2, "relayctl secret add other --stack hooked"),
        ([*CREATE, "--name", "empty", "--yes"], 2, "relayctl secret add empty --stack hooked"),
        (["create", "--all-topics", "--project", "other", "--yes"], 3, "Labelbox has no project other"),
        (["disable", "webhook9", "--yes"], 3, "Labelbox has no webhook webhook9"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_made(
    operator: Operator, api: Api, arguments: list[str], status: int, said: str
) -> None:
    done = operator.run(*arguments)
    assert (done.status, done.out) == (status, "") and said in done.err, done
    assert not api.webhooks and not {"CreateWebhookPyApi", "UpdateWebhookPyApi"} & {*api.names()}


def test_a_second_webhook_that_does_the_same_is_made_only_if_it_is_meant(operator: Operator, api: Api) -> None:
    for scope in (["--global"], ["--project", PROJECT]):
        create = ["create", "--all-topics", *scope, "--yes"]
        assert operator.run(*create).status == 0
        again = operator.run(*create)
        assert (again.status, again.out) == (1, "") and api.webhooks[-1]["id"] in again.err and "--again" in again.err
        assert operator.run("create", "--topic", "LABEL_CREATED", *scope, "--yes").status == 0
        assert operator.run(*create, "--again").status == 0
    assert len(api.webhooks) == 6
    for webhook in api.webhooks:
        webhook["status"] = "INACTIVE"
    api.add(OURS, TOPICS, PROJECT)
    assert operator.run("create", "--all-topics", "--global", "--yes").status == 0


def test_webhooks_that_send_the_same_events_to_this_stack_are_named_first(operator: Operator, api: Api) -> None:
    other, topics = f"{ADDRESS}/webhooks/project-x", ["LABEL_CREATED", "LABEL_DELETED"]
    overlapping = [api.add(other, topics), api.add(OURS, topics, PROJECT)]
    of_another_project = api.add(other, topics, "another")
    api.add(other, ["LABEL_DELETED"])
    api.add(other, topics, status="INACTIVE")
    api.add("https://elsewhere.example/webhooks/labelbox", topics)
    for scope, expected in (["--project", PROJECT], overlapping), (["--global"], [*overlapping, of_another_project]):
        asked = operator.run("create", "--topic", "LABEL_CREATED", *scope)
        assert (asked.status, re.findall(r"^  (webhook\d+) ", asked.err, re.M)) == (2, expected), asked
        assert "they will come twice" in asked.err


def test_an_address_that_labelbox_cannot_reach_is_refused(running: Emulator, relayctl: Path, api: Api) -> None:
    local = make_site(running, relayctl, "hooked-here", url="http://x.execute-api.localhost:4566")
    local.stack.put_secret("hush-plain")
    operator = Operator(local, api)
    refused = operator.run(*CREATE, "--yes")
    assert (refused.status, refused.out, api.webhooks) == (2, "", []) and "--allow-local" in refused.err
    made = operator.run(*CREATE, "--yes", "--allow-local")
    assert made.status == 0 and "cannot reach" in made.err
    assert '"hush-plain"' in api.asked[-1].query
    rotated = local.run("secret", "rotate", "labelbox", "--yes")
    assert "webhook create --name labelbox --again --allow-local " in rotated.out


# ---- disable


def test_a_webhook_is_switched_off_once(operator: Operator, api: Api) -> None:
    which, other = api.add(OURS, TOPICS), api.add(ELSEWHERE, TOPICS)
    refused = operator.run("disable", which)
    assert (refused.status, api.webhooks[0]["status"]) == (2, "ACTIVE") and "no terminal" in refused.err
    done = operator.run("disable", which, "--yes", "--json")
    assert (done.status, done.summary["status"], api.webhooks[0]["status"]) == (0, "INACTIVE", "INACTIVE")
    assert done.err.startswith(operator.site.target) and "not this stack" not in done.err
    asked = len(api.asked)
    assert operator.run("disable", which, "--yes").status == 0
    assert api.names()[asked:] == ["GetWebhookPyApi"]
    assert f"{ELSEWHERE}, which is not this stack" in operator.run("disable", other, "--yes").err


@pytest.mark.parametrize(("typed", "status"), [("yes\n", 0), ("n\n", 1), (CTRL_C, 130)])
def test_a_person_is_asked_before_a_change(operator: Operator, api: Api, typed: str, status: int) -> None:
    seen = operator.type("Create it? [y/N]", typed, *CREATE)
    assert (seen.status, len(api.webhooks)) == (status, 0 if status else 1), seen
    assert "scope   global: every project of the workspace" in seen.screen and "permanent" in seen.screen
    which = api.add(OURS, TOPICS)
    seen = operator.type("Disable it? [y/N]", typed, "disable", which)
    assert (seen.status, api.webhooks[-1]["status"]) == (status, "ACTIVE" if status else "INACTIVE")


# ---- the key


def test_the_key_may_come_from_a_file_or_from_standard_input(operator: Operator, api: Api, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("hush-of-file\n")
    assert operator.run("list", "--api-key-file", str(file)).status == 0
    assert operator.run("list", "--api-key-file", "-", given="hush-of-input\n", LABELBOX_API_KEY="").status == 0
    shown = [asked.headers["authorization"] for asked in api.asked]
    assert shown == ["Bearer hush-of-file", "Bearer hush-of-input"]
    for arguments, variables, said in [
        ([], {"LABELBOX_API_KEY": ""}, "no Labelbox API key is set"),
        (["--api-key-file", "/nowhere/key"], {}, "the Labelbox API key cannot be read: /nowhere/key"),
        (["--api-key-file", "/dev/zero"], {}, "the Labelbox API key cannot be read: /dev/zero: it is over"),
        ([], {"LABELBOX_API_URL": "nonsense"}, "an API key is not sent to nonsense; LABELBOX_API_URL"),
        ([], {"LABELBOX_API_URL": "http://127.0.0.1:9/graphql"}, "no response from Labelbox"),
    ]:
        assert operator.run("list", *arguments, **variables).error.startswith(f"relayctl: {said}")
    assert len(api.asked) == 2


# ---- what Labelbox answers


def error(code: str, message: str = "no") -> labelbox_api.Answer:
    return 200, {"data": None, "errors": [{"message": message, "extensions": {"code": code}}]}


@pytest.mark.parametrize(
    ("fault", "said", "times"),
    [
        ((401, ""), "Labelbox does not accept this API key", 1),
        (error("AUTHORIZATION_ERROR", "not\nyours"), "Labelbox does not allow this: not yours; ask for", 1),
        ((301, ""), "the response is not one of Labelbox's GraphQL API", 1),
        ((429, ""), "Labelbox limits the requests: status 429; try again in a minute", 3),
        ((502, "<html>"), "Labelbox failed: status 502; try again later", 3),
    ],
)
def test_a_fault_of_labelbox_is_said_on_one_line(
    operator: Operator, api: Api, fault: labelbox_api.Answer, said: str, times: int
) -> None:
    api.faults = [fault] * times
    assert operator.run("list").error.startswith(f"relayctl: {said}")
    # It was asked again if Labelbox was busy, and is again now.
    assert len(api.asked) == times
    api.faults = [(429, ""), (503, "")]
    assert operator.run("list", "--project", PROJECT).status == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ((502, "<html>"), "it is not known whether the change was made"),
        ((429, ""), "limits the requests"),
        (error("GRAPHQL_PARSE_FAILED", 'Syntax Error near secret:"hush-new"'), 'near secret:"…"'),
        (error("GRAPHQL_PARSE_FAILED", "x" * 295 + "hush-new"), "x…"),
    ],
)
def test_a_change_is_sent_once_and_an_error_that_quotes_it_is_not_repeated(
    operator: Operator, api: Api, fault: labelbox_api.Answer, said: str
) -> None:
    api.change_fault = fault
    done = operator.run(*CREATE, "--yes")
    assert (done.status, done.out) == (3, "") and said in done.err, done
    assert api.names().count("CreateWebhookPyApi") == 1
