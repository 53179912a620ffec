"""Labelbox's GraphQL API for webhooks and exports: a server on this machine that records what it was asked."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dev.paths import EVENTS

KEY = "hush-api-key"
PROJECT = "cl0sjr9nb9tfi0zatagsq5zw1"
WHEN = "2026-11-23T10:00:00.000Z"

Answer = tuple[int, Any]
_TOKENS = re.compile(r'"(?:\\.|[^"\\])*"|\w+|\S')


@dataclass(frozen=True)
class Asked:
    line: str
    headers: dict[str, str]
    query: tuple[str, ...]
    """The text's words and signs: white space means nothing in GraphQL."""
    variables: Any


@dataclass
class Api:
    url: str = ""
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    faults: list[Answer] = field(default_factory=list)
    """Answered in place of what would be right, one after the other."""
    change_fault: Answer | None = None
    """Answered to every change in place of doing it."""
    rows: dict[str, list[bytes]] = field(default_factory=dict)
    """The lines that an export of each project has."""
    errors: bytes = b""
    """What exports have in their stream of errors."""
    tasks: list[dict[str, Any]] = field(default_factory=list)
    """What polls find of an export's task, one after the other; the last one stays. A task is usually complete."""
    file_bytes: int = 1_000_000
    file_faults: list[int | None] = field(default_factory=list)
    """The status of each fetched file in turn, or None: half of the file, and then the connection breaks."""
    fetched: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """The files that were fetched: path and headers."""
    _streams: dict[str, bytes] = field(default_factory=dict)
    """The content of each stream of each export."""

    def add(self, url: str, topics: list[str], project: str | None = None, status: str = "ACTIVE") -> str:
        """Registers a webhook. Returns its id."""
        webhook = {"id": f"webhook{len(self.webhooks)}", "url": url, "topics": topics, "status": status}
        times = {"createdAt": WHEN, "updatedAt": WHEN}
        self.webhooks.append({**webhook, **times, "project": project})
        return str(webhook["id"])

    def names(self) -> list[str]:
        """What was asked, by the names that the requests have."""
        return [asked.query[1] for asked in self.asked]

    def answer(self, query: str, variables: dict[str, Any]) -> Answer:
        if self.faults:
            return self.faults.pop(0)
        if self.change_fault and query.startswith("mutation"):
            return self.change_fault
        name = re.findall(r"\w+", query)[1]
        of = variables.get("param_0")
        known = {webhook["id"]: webhook for webhook in self.webhooks}
        answers: dict[str, Callable[[], Any]] = {
            "GetOrganizationWebhooksPyApi": lambda: {"organization": self._page(query)},
            "GetProjectWebhooksPyApi": lambda: {"project": self._page(query, of) if of == PROJECT else None},
            "GetWebhookPyApi": lambda: {"webhook": known.get(of) and _shown(known[of])},
            "GetWebhookProjectPyApi": lambda: {"webhook": {"project": _project(query, known[of])}},
            "CreateWebhookPyApi": lambda: {"createWebhook": self._create(query)},
            "UpdateWebhookPyApi": lambda: {"updateWebhook": self._update(query, known)},
            "CurrentUserPyApi": lambda: {"user": {"timezone": "UTC"}},
            "GetUserPyApi": lambda: {"user": {**dict.fromkeys(_fields(query)), "id": "user0"}},
            "GetUserCreatedTasksPyApi": lambda: {"user": {"createdTasks": [self._task(query, variables)]}},
            "exportDataRowsInProjectPyApi": lambda: {"exportDataRowsInProject": self._export(variables["input"])},
            "GetExportMetadataHeaderPyApi": lambda: {"task": {"exportMetadataHeader": self._header(variables)}},
            "GetExportFileFromOffsetPyApi": lambda: {"task": {"exportFileFromOffset": self._file(variables)}},
        }
        data = answers[name]()
        if None in data.values():
            return 200, {"data": None, "errors": [{"message": "gone", "extensions": {"code": "RESOURCE_NOT_FOUND"}}]}
        return 200, {"data": data}

    def _page(self, query: str, project: str | None = None) -> dict[str, Any]:
        [(skip, first)] = re.findall(r"skip: (\d+) first: (\d+)", query)
        webhooks = [_shown(each) for each in self.webhooks if project in (None, each["project"])]
        return {"webhooks": webhooks[int(skip) : int(skip) + int(first)]}

    def _create(self, query: str) -> dict[str, Any]:
        [topics], [url] = re.findall(r"set:\[([A-Z_ ]*)\]", query), re.findall(r'url:"([^"]*)"', query)
        self.add(url, topics.split(), *re.findall(r'project:\{id:"([^"]*)"', query))
        return _shown(self.webhooks[-1])

    def _update(self, query: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
        [which], [status] = re.findall(r'id: "([^"]*)"', query), re.findall(r"status: (\w+)", query)
        known[which]["status"] = status
        return _shown(known[which])

    # ---- exports

    def _export(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """Exports the rows of a project that had any activity since a time."""
        rows = self.rows.get(wanted["filters"]["projectId"])
        if rows is None:
            return None
        [condition] = wanted["filters"]["searchQuery"]["query"]
        assert condition["type"] == "data_row_last_activity_at" and condition["value"]["timezone"] == "UTC"
        assert condition["value"]["operator"] == "GREATER_THAN_OR_EQUAL"
        since = condition["value"]["value"].replace(" ", "T")
        task = f"task{len(self._streams)}"
        self._streams[f"{task}/RESULT"] = b"".join(row + b"\n" for row in rows if _last_activity(row) >= since)
        self._streams[f"{task}/ERRORS"] = self.errors
        return {"taskId": task, "isStreamable": True}

    def _task(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        assert variables["param_1"] == "user0"
        task = self.tasks.pop(0) if len(self.tasks) > 1 else (self.tasks or [{}])[0]
        usual = {"id": variables["param_0"], "status": "COMPLETE", "type": "export-data-rows", "metadata": "{}"}
        return {**dict.fromkeys(_fields(query)), **usual, **task}

    def _stream(self, variables: dict[str, Any]) -> tuple[str, bytes]:
        name = f"{variables['where']['id']}/{variables['streamType']}"
        return name, self._streams[name]

    def _header(self, variables: dict[str, Any]) -> dict[str, Any] | None:
        _, content = self._stream(variables)
        return {"totalSize": len(content), "totalLines": content.count(b"\n")} if content else None

    def _file(self, variables: dict[str, Any]) -> dict[str, Any]:
        name, content = self._stream(variables)
        assert isinstance(variables["offset"], str)
        start = int(variables["offset"])
        end = min(start + self.file_bytes, len(content)) - 1
        first = content.count(b"\n", 0, start)
        return {
            "offsets": {"start": start, "end": end},
            "lines": {"start": first, "end": first + content.count(b"\n", start, end)},
            "file": f"{self.url.removesuffix('/graphql')}/files/{name}/{start}-{end}?signature=hush",
        }

    def file(self, path: str) -> tuple[int, bytes, bool]:
        """A file by its path: the status, the content, and whether all of it is sent."""
        status = self.file_faults.pop(0) if self.file_faults else 200
        parts = re.fullmatch(r"/files/(.+)/(\d+)-(\d+)\?signature=hush", path)
        assert parts
        content = self._streams[parts[1]][int(parts[2]) : int(parts[3]) + 1]
        return status or 200, content if status in (None, 200) else b"", status is not None


def _fields(query: str) -> list[str]:
    return re.findall(r"\w+", query.rpartition("{")[2])


def _last_activity(row: bytes) -> str:
    """When a row was last active; for what is no row, in a distant future."""
    try:
        return str(json.loads(row)["data_row"]["details"]["last_activity_at"])
    except (ValueError, KeyError, TypeError):
        return "9999"


def _shown(webhook: dict[str, Any]) -> dict[str, Any]:
    """A webhook without its project, which has to be asked for."""
    return {name: value for name, value in webhook.items() if name != "project"}


def _project(query: str, webhook: dict[str, Any]) -> dict[str, Any] | None:
    fields = re.findall(r"\w+", query.partition("project")[2])
    return webhook["project"] and {**dict.fromkeys(fields), "id": webhook["project"]}


@contextmanager
def serve() -> Iterator[Api]:
    """The API for as long as the block runs."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            words = tuple(_TOKENS.findall(body["query"]))
            api.asked.append(Asked(self.requestline, headers, words, body["variables"]))
            status, answer = api.answer(body["query"], body["variables"] or {})
            self._respond(status, answer.encode() if isinstance(answer, str) else json.dumps(answer).encode())

        def do_GET(self) -> None:
            api.fetched.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            self._respond(*api.file(self.path))

        def _respond(self, status: int, content: bytes, is_whole: bool = True) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if is_whole else content[: len(content) // 2])

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}/graphql"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    with serve() as running:
        running.rows[PROJECT] = [path.read_bytes() for path in sorted(EVENTS.glob("*-v2*.payload.json"))]
        print(running.url, flush=True)
        threading.Event().wait()
