"""The example consumers as programs: taking messages off a queue, and called by Lambda."""

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from feed import Feed
from local import environment
from local.places import PROJECT, Instance

_SECONDS = 120
_EXAMPLES = PROJECT / "examples"


@dataclass(frozen=True)
class Ended:
    """How a consumer has ended, and what it has written."""

    all_done: bool
    lines: list[str]
    """One for each piece of work."""
    log: str


class Consumer:
    """One of the examples, however it is called."""

    program: list[str]

    def start(self, feed: Feed) -> subprocess.Popen[str]:
        """Lets it take messages off the queue until there are none."""
        program = [*self.program, feed.queue, feed.name, "--until-empty"]
        return subprocess.Popen(
            program, env=_environment(feed), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def drain(self, feed: Feed) -> Ended:
        return ended(self.start(feed))

    def invoke(self, feed: Feed, records: list[dict[str, Any]]) -> list[str]:
        """Calls it as Lambda does. Returns the ids that it reports as failed."""
        answer = self._answer(feed, {"Records": records})
        assert answer.keys() == {"batchItemFailures"}, answer
        assert all(failure.keys() == {"itemIdentifier"} for failure in answer["batchItemFailures"]), answer
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def _answer(self, feed: Feed, event: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


@dataclass(frozen=True)
class Python(Consumer):
    """`examples/consumer.py`."""

    program: list[str] = field(default_factory=lambda: [sys.executable, str(_EXAMPLES / "consumer.py")])

    def _answer(self, feed: Feed, event: dict[str, Any]) -> dict[str, Any]:
        return self.call(feed, "print(json.dumps(consumer.handler(json.load(sys.stdin), None)))", event)

    def call(self, feed: Feed, code: str, event: dict[str, Any]) -> dict[str, Any]:
        """Runs a piece of code in which `consumer` is the example. The last line that it prints is what comes back."""
        finished = subprocess.run(
            [sys.executable, "-c", f"import json, sys, consumer\n{code}"],
            env={**_environment(feed), "PYTHONPATH": str(_EXAMPLES), "TABLE": feed.name},
            input=json.dumps(event),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        assert finished.returncode == 0, finished.stderr
        answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
        return answer


@dataclass(frozen=True)
class Rust(Consumer):
    """`examples/consumer.rs`, compiled."""

    program: list[str]

    @classmethod
    def build(cls, instance: Instance) -> "Rust":
        built = subprocess.run(
            ["cargo", "build", "--locked", "--example", "consumer", "--message-format", "json"],
            env=environment.for_building(instance, quick=False),
            cwd=PROJECT,
            capture_output=True,
            text=True,
        )
        assert built.returncode == 0, built.stderr
        said = [json.loads(line) for line in built.stdout.splitlines()]
        [program] = [
            each["executable"]
            for each in said
            if each["reason"] == "compiler-artifact" and each["target"]["kind"] == ["example"]
        ]
        return cls([program])

    def _answer(self, feed: Feed, event: dict[str, Any]) -> dict[str, Any]:
        with _Runtime(event) as runtime:
            function = {
                "AWS_LAMBDA_RUNTIME_API": runtime.address,
                "AWS_LAMBDA_FUNCTION_NAME": "consumer",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "TABLE": feed.name,
            }
            program = subprocess.Popen(self.program, env={**_environment(feed), **function})
            try:
                return runtime.answer()
            finally:
                program.kill()
                program.wait()


class _Runtime:
    """As much of Lambda's Runtime API as one call needs.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
    """

    def __init__(self, event: dict[str, Any]) -> None:
        self._event: bytes | None = json.dumps(event).encode()
        self._answer: dict[str, Any] = {}
        self._answered = threading.Event()
        runtime = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                event, runtime._event = runtime._event, None
                if event is None:
                    runtime._closed.wait()  # there is no second call
                    return
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "the-only-one")
                self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:consumer")
                self.send_header("Content-Length", str(len(event)))
                self.end_headers()
                self.wfile.write(event)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                runtime._answer = {self.path.rpartition("/")[2]: json.loads(body)}
                runtime._answered.set()
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._closed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "_Runtime":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self) -> dict[str, Any]:
        assert self._answered.wait(_SECONDS), "the function has not answered"
        assert self._answer.keys() == {"response"}, self._answer
        response: dict[str, Any] = self._answer["response"]
        return response


def ended(program: subprocess.Popen[str]) -> Ended:
    """Waits for a consumer to end by itself."""
    try:
        lines, log = program.communicate(timeout=_SECONDS)
    finally:
        program.kill()
    assert program.returncode in (0, 1), log
    assert "has to come again" in log if program.returncode else not log, log
    return Ended(program.returncode == 0, lines.splitlines(), log)


def _environment(feed: Feed) -> dict[str, str]:
    return environment.for_emulator(feed.emulator.instance, feed.emulator.endpoint)
