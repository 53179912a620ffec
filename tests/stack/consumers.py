"""The example consumers as programs: taking messages off a queue, and called by Lambda."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from feed import Feed
from local import environment
from local.build import ALL_CRATES
from local.places import PROJECT, Instance
from runtime import Runtime

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

    program: tuple[str, ...]

    def start(self, feed: Feed) -> subprocess.Popen[str]:
        """Lets it take messages off the queue until there are none."""
        program = [*self.program, feed.queue, feed.name, "--until-empty"]
        return subprocess.Popen(
            program, env=_environment(feed), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def drain(self, feed: Feed) -> Ended:
        return ended(self.start(feed))

    def invoke(self, feed: Feed, records: list[dict[str, Any]], **extra: str) -> list[str]:
        """Calls it as Lambda does, with `extra` variables. Returns the ids that it reports as failed."""
        answer = self._answer({**_environment(feed), "TABLE": feed.name, **extra}, {"Records": records})
        assert answer.keys() == {"batchItemFailures"}, answer
        assert all(failure.keys() == {"itemIdentifier"} for failure in answer["batchItemFailures"]), answer
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def _answer(self, variables: dict[str, str], event: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


@dataclass(frozen=True)
class Python(Consumer):
    """`examples/consumer.py`."""

    program: tuple[str, ...] = (sys.executable, str(_EXAMPLES / "consumer.py"))
    change: str = ""
    """Code that is run before it is called, where `consumer` is the example."""

    def _answer(self, variables: dict[str, str], event: dict[str, Any]) -> dict[str, Any]:
        call = "print(json.dumps(consumer.handler(json.load(sys.stdin), None)))"
        finished = subprocess.run(
            [sys.executable, "-c", f"import json, sys, consumer\n{self.change}\n{call}"],
            env={**variables, "PYTHONPATH": str(_EXAMPLES)},
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

    program: tuple[str, ...]

    @classmethod
    def build(cls, instance: Instance) -> "Rust":
        built = subprocess.run(
            ["cargo", "build", *ALL_CRATES, "--example", "consumer", "--message-format", "json"],
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
        return cls((program,))

    def _answer(self, variables: dict[str, str], event: dict[str, Any]) -> dict[str, Any]:
        with Runtime(event) as runtime:
            function = {
                "AWS_LAMBDA_RUNTIME_API": runtime.address,
                "AWS_LAMBDA_FUNCTION_NAME": "consumer",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            }
            program = subprocess.Popen(self.program, env={**variables, **function})
            try:
                return runtime.answer(_SECONDS)
            finally:
                program.kill()
                program.wait()


@contextmanager
def function(feed: Feed) -> Iterator[None]:
    """`examples/consumer.py` as a deployed function that Lambda calls with what is in the queue."""
    functions, name = feed.emulator.client("lambda"), feed.name
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as package:
        package.write(_EXAMPLES / "consumer.py", "consumer.py")
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="consumer.handler",
        Role="arn:aws:iam::000000000000:role/consumer",
        Code={"ZipFile": code.getvalue()},
        Timeout=10,
        Environment={"Variables": {"TABLE": feed.name}},
    )
    mapping = functions.create_event_source_mapping(
        FunctionName=name,
        EventSourceArn=feed.arn,
        BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    try:
        yield
    finally:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
        functions.delete_function(FunctionName=name)


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
