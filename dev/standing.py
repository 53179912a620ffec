"""A stack that stays: `make up`, `make shell`, `make outputs`, `make logs` and `make down`."""

import json
import shlex
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from dev import deploy, emulator, environment, processes
from dev.build import build_quickly, build_tool
from dev.places import EVENTS, TOOLS, Instance
from dev.progress import console, step
from dev.report import tell
from dev.samples import SECRET, Sample, load
from dev.stack import Stack

_INSTANCE = Instance("up")
_STACK = "labelbox-relay"
_SHELL = 'eval "$(make --silent shell)"'


class NotUp(Exception):
    """There is no stack to say anything about."""


class Damaged(Exception):
    """Something of the stack was deleted by other means than a deployment."""


def up(parameters: dict[str, str]) -> None:
    """Deploys to the emulator that runs, or to a new one, and leaves it running."""
    deploy.check_parameters(parameters)
    with _INSTANCE.claim() as instance:
        with step("Building the function") as this:
            build_quickly(instance, this.say)
        running, keeper = emulator.find(instance), None
        try:
            if running is None:
                with step("Starting the emulator of AWS"):
                    running, keeper = emulator.start(instance)
            with step("Deploying template.yaml to it"):
                stack = deploy.deploy(running, _STACK, parameters)
                if keeper is not None:
                    stack.put_secret({"labelbox": SECRET, "training": SECRET})
        except BaseException:
            if keeper is not None:
                emulator.stop(instance, keeper)
            raise
        if keeper is not None:
            processes.release(keeper)
    if missing := _missing_queues(stack):
        raise Damaged(f"{', '.join(missing)} of the running stack is deleted; `make down` and `make up` start anew")
    for name, value in _outputs(stack).items():
        tell(f"{name:<28} {value}")
    tell(f"\nThe secret is {SECRET}. Send a signed event with\n\n{_curl(stack, load()[0])}\n")
    tell("A FIFO queue keeps what it has seen for five minutes and takes it only once.\n")
    tell(f"Operate it with relayctl and the AWS CLI, which reach it in this shell after\n\n{_SHELL}\n")
    tell("`make down` stops everything.")


def outputs() -> None:
    """Prints the stack's outputs as JSON, and nothing else."""
    print(json.dumps(_outputs(_stack()), indent=2))


def shell() -> None:
    """Prints what makes `relayctl` and `aws` work in a shell, and work on the running stack."""
    stack = _stack()
    with step("Building relayctl") as this:
        tool = build_tool(_INSTANCE, this.say)
    programs = _INSTANCE.folder / "bin"
    install_tools(programs, tool)
    for name, value in for_tools(stack).items():
        print(f"export {name}={shlex.quote(value)}")
    print(f"export PATH={shlex.quote(str(programs))}:$PATH")


def install_tools(folder: Path, relayctl: Path) -> None:
    """Puts `relayctl` and `aws` into a folder that a shell can have in its PATH."""
    folder.mkdir(exist_ok=True)
    (folder / "relayctl").unlink(missing_ok=True)
    (folder / "relayctl").symlink_to(relayctl)
    # For SQS, version 1 of the AWS CLI has an address of its own that comes before AWS_ENDPOINT_URL.
    aws = f'#!/bin/sh\nexec {shlex.quote(str(TOOLS / "aws"))} --endpoint-url "$AWS_ENDPOINT_URL" "$@"\n'
    (folder / "aws").write_text(aws)
    (folder / "aws").chmod(0o755)


def for_tools(stack: Stack) -> dict[str, str]:
    """What `relayctl` and `aws` are told, so that they reach this stack and nothing else."""
    aws = environment.for_emulator(stack.emulator.instance, stack.emulator.endpoint)
    return {name: aws[name] for name in aws if name.startswith("AWS_")} | {"RELAY_STACK": stack.name}


def settings() -> None:
    """Prints the function's settings as a shell takes them, to run it by hand with the stack's queues and secret."""
    stack = _stack()
    aws = environment.for_emulator(_INSTANCE, stack.emulator.endpoint)
    given = {name: aws[name] for name in aws if name.startswith("AWS_")} | stack.settings
    for name, value in given.items():
        print(f"export {name}={shlex.quote(value)}")


def logs() -> None:
    """Prints what the function has written so far."""
    print("\n".join(_stack().logs()))


def down() -> None:
    """Stops what `make up` left running."""
    with _INSTANCE.claim() as instance:
        console.print("Stopped." if emulator.stop(instance) else "Nothing is running.")


def _stack() -> Stack:
    running = emulator.find(_INSTANCE)
    try:
        if running is not None:
            return Stack.find(running, _STACK)
    except (BotoCoreError, ClientError):
        pass  # `make up` has not come that far
    raise NotUp("nothing is running yet; `make up` starts it")


def _missing_queues(stack: Stack) -> list[str]:
    """CloudFormation does not notice that a queue was deleted."""
    urls = stack.emulator.client("sqs").list_queues().get("QueueUrls", [])
    return [name for name, url in stack.outputs.items() if name.endswith("QueueUrl") and url not in urls]


def _outputs(stack: Stack) -> dict[str, str]:
    return {**stack.outputs, "Endpoint": stack.emulator.endpoint, "ApiBaseUrl": stack.api}


def _curl(stack: Stack, sample: Sample) -> str:
    """A command that sends a sample with the signature that it has anyway."""
    words = ["curl", "-i", stack.api + sample.request.path]
    for name, value in sample.request.headers:
        if name.startswith(("content-", "x-")):
            words += ["-H", f"{name}: {value}"]
    return shlex.join([*words, "--data-binary", f"@{EVENTS / sample.name}.payload.json"])
