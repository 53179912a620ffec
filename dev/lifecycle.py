"""`make up` and the commands for the stack that it leaves running."""

import json
import os
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from dev import UserError, deploy, emulator, environment, labelbox_api, processes
from dev.build import build_locally
from dev.output import console, step
from dev.paths import EVENTS, TOOLS, Instance
from dev.samples import SECRET, SECRETS, Sample, load
from dev.stack import Stack

_INSTANCE = Instance(os.environ.get("DEV_INSTANCE", "up"))
_STACK = "labelbox-relay"


def up(parameters: dict[str, str]) -> None:
    """Deploys to the running emulator, or to a new one, and leaves it running."""
    deploy.check_parameters(parameters)
    with _INSTANCE.claim() as instance:
        with step("Building the function"):
            build_locally(instance, function_only=True)
        running = emulator.find(instance)
        is_new = running is None
        try:
            if running is None:
                with step("Starting the emulator of AWS"):
                    running = emulator.start(instance)
                    _start_labelbox(instance)
            with step("Deploying template.yaml to it"):
                stack = deploy.deploy(running, _STACK, parameters)
                if is_new:
                    stack.put_secret(SECRETS)
        except BaseException:
            if is_new:
                emulator.stop(instance)
            raise
    # CloudFormation does not notice that a queue was deleted.
    urls = stack.emulator.client("sqs").list_queues().get("QueueUrls", [])
    if missing := [name for name, url in stack.outputs.items() if name.endswith("QueueUrl") and url not in urls]:
        what = f"{', '.join(missing)} of the running stack is deleted"
        raise UserError(f"{what}; `{_make('down')}` and `{_make('up')}` start anew")
    for name, value in _outputs(stack).items():
        print(f"{name:<28} {value}")
    repeated = "A FIFO queue drops an event that it has seen in the last five minutes."
    if not stack.is_fifo:
        repeated = "A standard queue delivers an event each time that it is sent."
    print(f"""
{_how_to_send(stack)}

{repeated}

Use relayctl and the AWS CLI in this shell after

eval "$({_make("--silent shell")})"

relayctl webhook and backfill use a local stand-in for Labelbox, whose data rows changed in March 2025:

relayctl backfill --project {labelbox_api.PROJECT} --since 2025-03-01

`{_make("down")}` stops everything.""")


def _make(target: str) -> str:
    """Returns the command for a target of the same instance."""
    instance = os.environ.get("DEV_INSTANCE")
    return f"make {target}" + (f" DEV_INSTANCE={shlex.quote(instance)}" if instance else "")


def _how_to_send(stack: Stack) -> str:
    value = stack.emulator.client("secretsmanager").get_secret_value(SecretId=stack.outputs["SecretArn"])
    if value["SecretString"] != json.dumps(SECRETS):
        return "The secret was changed; `relayctl secret show-names --values` prints it."
    return f"The secret is {SECRET}. Send a signed event with\n\n{curl(stack, load()[0])}"


def _start_labelbox(instance: Instance) -> None:
    """Starts Labelbox's API as far as relayctl needs it. It writes its URL to its log."""
    variables = environment.for_emulator(instance, environment.NOWHERE)
    process = processes.start([sys.executable, "-m", "dev.labelbox_api"], variables, instance.log("labelbox"))
    while not instance.log("labelbox").read_text().endswith("/graphql\n"):
        if process.poll() is not None:
            raise processes.Failed("the API of Labelbox ended", instance.log("labelbox"))
        time.sleep(0.1)


def outputs() -> None:
    print(json.dumps(_outputs(running_stack()), indent=2))


def shell() -> None:
    """Prints commands that make `relayctl` and `aws` available in a shell, with the running stack as their target."""
    stack = running_stack()
    with step("Building relayctl"):
        relayctl = build_locally(_INSTANCE)
    programs = _INSTANCE.folder / "bin"
    install_tools(programs, relayctl)
    labelbox = {"LABELBOX_API_URL": _INSTANCE.log("labelbox").read_text().strip(), "LABELBOX_API_KEY": labelbox_api.KEY}
    _export(tool_variables(stack) | labelbox)
    print(f"export PATH={shlex.quote(str(programs))}:$PATH")


def install_tools(folder: Path, relayctl: Path) -> None:
    """Puts `relayctl` and `aws` into a folder for PATH."""
    folder.mkdir(exist_ok=True)
    (folder / "relayctl").unlink(missing_ok=True)
    (folder / "relayctl").symlink_to(relayctl)
    # For SQS, version 1 of the AWS CLI prefers an address of its own to AWS_ENDPOINT_URL.
    aws = f'#!/bin/sh\nexec {shlex.quote(str(TOOLS / "aws"))} --endpoint-url "$AWS_ENDPOINT_URL" "$@"\n'
    (folder / "aws").write_text(aws)
    (folder / "aws").chmod(0o755)


def tool_variables(stack: Stack) -> dict[str, str]:
    """Returns the variables with which `relayctl` and `aws` reach this stack and nothing else."""
    return environment.aws(stack.emulator.endpoint) | {"RELAY_STACK": stack.name}


def settings() -> None:
    """Prints the function's settings for a shell, to run it by hand with the stack's queues and secret."""
    stack = running_stack()
    _export(environment.aws(stack.emulator.endpoint) | stack.settings)


def _export(variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


def logs() -> None:
    print("\n".join(running_stack().logs()))


def down() -> None:
    """Stops what `make up` left running."""
    with _INSTANCE.claim() as instance:
        console.print("Stopped." if emulator.stop(instance) else "Nothing is running.")


def curl(stack: Stack, sample: Sample) -> str:
    """Returns a command that sends a sample."""
    words = ["curl", "-i", stack.api + sample.request.path]
    for name, value in sample.request.headers:
        if name.startswith(("content-", "x-")):
            words += ["-H", f"{name}: {value}"]
    return shlex.join([*words, "--data-binary", f"@{EVENTS / sample.name}.payload.json"])


def running_stack() -> Stack:
    running = emulator.find(_INSTANCE)
    try:
        if running is not None:
            return Stack.find(running, _STACK)
    except (BotoCoreError, ClientError):
        pass  # `make up` has not deployed it yet
    raise UserError(f"nothing is running yet; `{_make('up')}` starts it")


def _outputs(stack: Stack) -> dict[str, str]:
    return {**stack.outputs, "Endpoint": stack.emulator.endpoint, "ApiBaseUrl": stack.api}
