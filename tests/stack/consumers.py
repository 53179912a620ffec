"""The example consumers as programs that poll a queue, and as functions that Lambda calls."""

import fcntl
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import pytest
from feed import Feed
from runtime import Runtime

from dev import environment, processes
from dev.build import SAM, SAM_CONFIG, WORKSPACE
from dev.emulator import Emulator
from dev.places import LOCAL, PROJECT, TOOLS, Instance

_SECONDS = 120
_EXAMPLES = PROJECT / "examples"
DOCUMENT = PROJECT / "docs" / "consuming.md"


@dataclass(frozen=True)
class Ended:
    """How a consumer exited, and what it wrote."""

    all_done: bool
    lines: list[str]
    """One for each piece of work."""
    log: str


class Consumer:
    """One of the examples, however it is called."""

    program: tuple[str, ...]

    @classmethod
    def build(cls, instance: Instance) -> Self:
        """Makes it ready to be called."""
        return cls()

    def start(self, feed: Feed) -> subprocess.Popen[str]:
        """Lets it poll the queue until there are no messages."""
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
    """`examples/python`."""

    program: tuple[str, ...] = (sys.executable, str(_EXAMPLES / "python" / "consumer.py"))

    def _answer(self, variables: dict[str, str], event: dict[str, Any]) -> dict[str, Any]:
        call = "import json, sys, consumer; print(json.dumps(consumer.handler(json.load(sys.stdin), None)))"
        return _last_line([sys.executable, "-c", call], {**variables, "PYTHONPATH": str(_EXAMPLES / "python")}, event)

    def forget(self, feed: Feed, window: tuple[str, str]) -> int:
        call = "import json, sys, labelbox_queue as it; print(it.Consumer(print, sys.argv[1]).forget(*json.load(sys.stdin)))"
        variables = {**_environment(feed), "PYTHONPATH": str(_EXAMPLES / "python")}
        return int(_last_line([sys.executable, "-c", call, feed.name], variables, window))


@dataclass(frozen=True)
class Node(Consumer):
    """`examples/node`, with its dependencies."""

    program: tuple[str, ...] = (str(TOOLS / "node"), str(_EXAMPLES / "node" / "consumer.js"))

    @classmethod
    def build(cls, instance: Instance) -> Self:
        """Installs its dependencies, unless they are up to date: tests in other processes may be using them."""
        with (LOCAL / "node.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            install = [str(TOOLS / "npm"), "install", "--prefix", str(_EXAMPLES / "node"), "--no-audit", "--no-fund"]
            settings = environment.for_building(instance, quick=False)
            processes.run("npm install", install, settings, instance.log("npm"))
        return cls()

    def _answer(self, variables: dict[str, str], event: dict[str, Any]) -> dict[str, Any]:
        call = """import { handler } from './examples/node/consumer.js'
            import { json } from 'node:stream/consumers'
            console.log(JSON.stringify(await handler(await json(process.stdin))))"""
        return _last_line([self.program[0], "--input-type=module", "--eval", call], variables, event)

    def forget(self, feed: Feed, window: tuple[str, str]) -> int:
        call = f"""import {{ Consumer }} from './examples/node/labelbox-queue.js'
            import {{ json }} from 'node:stream/consumers'
            console.log(await new Consumer(() => {{}}, '{feed.name}').forget(...(await json(process.stdin))))"""
        return int(_last_line([self.program[0], "--input-type=module", "--eval", call], _environment(feed), window))


@dataclass(frozen=True)
class Rust(Consumer):
    """`examples/rust`, compiled."""

    program: tuple[str, ...]

    @classmethod
    def build(cls, instance: Instance) -> Self:
        built = subprocess.run(
            ["cargo", "build", "--locked", *WORKSPACE, "--example", "consumer", "--message-format", "json"],
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
        # Not there, because `cargo run` of the same example replaces it.
        return cls((shutil.copy2(program, instance.folder),))

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


@pytest.fixture(scope="module", params=[Python, Rust, Node], ids=lambda kind: kind.__name__.lower())
def consumer(request: pytest.FixtureRequest, running: Emulator) -> Consumer:
    """What asks for this runs once with each example."""
    built: Consumer = request.param.build(running.instance)
    return built


@contextmanager
def function(feed: Feed, **instead: str) -> Iterator[str]:
    """The template of docs/consuming.md, deployed: a function that Lambda calls with what is in the queue.

    Gives the name of its table. `instead` says what replaces which line of the template.
    """
    [template] = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(), flags=re.DOTALL | re.MULTILINE)
    for name, value in instead.items():
        template, replaced = re.subn(rf"(?<= {name}: ).*", value, template)
        assert replaced == 1, name
    instance, name = feed.emulator.instance, feed.name
    folder = instance.temporary / name
    folder.mkdir()
    (folder / "examples").symlink_to(_EXAMPLES)
    (folder / "template.yaml").write_text(template)
    settings = environment.for_emulator(instance, feed.emulator.endpoint)
    deploy = [
        *(*SAM, "deploy", *SAM_CONFIG, "--template-file", str(folder / "template.yaml"), "--stack-name", name),
        *("--s3-bucket", name, "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"),
        *("--parameter-overrides", f"QueueArn={feed.arn} PayloadBucketName={name}"),
    ]
    processes.run("sam deploy", deploy, settings, instance.log(f"deploy-{name}"))
    cloudformation = feed.emulator.client("cloudformation")
    try:
        resource = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId="Newest")
        yield str(resource["StackResourceDetail"]["PhysicalResourceId"])
    finally:
        cloudformation.delete_stack(StackName=name)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})
        shutil.rmtree(folder)


def ended(program: subprocess.Popen[str]) -> Ended:
    """Waits for a consumer to exit by itself."""
    try:
        lines, log = program.communicate(timeout=_SECONDS)
    finally:
        program.kill()
    assert program.returncode in (0, 1), log
    assert "will be received again" in log if program.returncode else not log, log
    return Ended(program.returncode == 0, lines.splitlines(), log)


def _environment(feed: Feed) -> dict[str, str]:
    return environment.for_emulator(feed.emulator.instance, feed.emulator.endpoint)


def _last_line(program: list[str], variables: dict[str, str], event: object) -> Any:
    """What a program that is given an event, or something else, prints last."""
    finished = subprocess.run(
        program, env=variables, cwd=PROJECT, input=json.dumps(event), capture_output=True, text=True, timeout=_SECONDS
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])
