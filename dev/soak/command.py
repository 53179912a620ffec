"""What `make soak` does: build, deploy, run the course, show the account."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import SystemRandom

from dev import deploy, emulator
from dev.build import build_quickly, build_tool
from dev.gate import Gate
from dev.places import Instance
from dev.progress import step
from dev.report import show, tell
from dev.samples import SECRET
from dev.soak.course import Course
from dev.soak.deliveries import WEBHOOKS
from dev.soak.troubles import SERVICES
from dev.stack import Stack

# A secret that ages soon, so that it is soon felt when Secrets Manager is away.
_PARAMETERS = {"SecretTtlSeconds": "2"}
_STACK = "labelbox-relay-soak"


def run(minutes: float, queue_type: str, seed: str | None, file: Path | None) -> bool:
    """Builds, deploys, soaks, and shows. Returns whether the account balances."""
    seed = seed or str(SystemRandom().randrange(1_000_000))
    with Instance("soak").claim() as instance:
        with step("Building the function and the operator's tool") as this:
            build_quickly(instance, this.say)
            tool = build_tool(instance)
        with ExitStack() as stage:
            with step("Starting the emulator of AWS, and deploying template.yaml to it"):
                stack, gates = stage.enter_context(deployed(instance, queue_type))
            with step(f"Soaking for {minutes:g} minutes, {queue_type} queues, seed {seed}") as this:
                account = Course(stack, gates, tool, seed).run(minutes * 60, this.say)
    show("Troubles", ("trouble", "lasted", "answers meanwhile", "killed", "sent later"), account.trouble_rows())
    show(f"Account: {minutes:g} minutes, {queue_type} queues, seed {seed}", ("", "count"), account.rows())
    if file is not None:
        file.write_text(json.dumps({"seed": seed, "minutes": minutes, **account.to_json()}, indent=2) + "\n")
    tell("The account balances." if account.balances else f"Wrong: {', '.join(account.wrong)}.")
    return account.balances


@contextmanager
def deployed(instance: Instance, queue_type: str) -> Iterator[tuple[Stack, dict[str, Gate]]]:
    """A stack on an emulator of its own, whose function reaches each service through a gate."""
    with ExitStack() as opened:
        gates = {service: opened.enter_context(Gate()) for service in SERVICES}
        ways = {SERVICES[service]: gate.url for service, gate in gates.items()}
        running = opened.enter_context(emulator.run(instance, ways))
        for gate in gates.values():
            gate.leads_to(running.endpoint)
        stack = deploy.deploy(running, _STACK, {**_PARAMETERS, "QueueType": queue_type})
        stack.put_secret(dict.fromkeys((*WEBHOOKS, "training"), SECRET))
        yield stack, gates
