"""The soak: events are sent to a deployed stack during faults, and each is accounted for."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev import deploy, emulator, environment, processes
from dev.build import build_locally
from dev.load import DURABLE, SPILLED, Load, received
from dev.output import Row, console, show, step
from dev.paths import Instance
from dev.samples import SECRET
from dev.stack import Stack
from dev.tcp_proxy import TcpProxy

SQS, S3, SECRETS_MANAGER = "SQS", "S3", "SECRETS_MANAGER"
_PARAMETERS = {"SecretTtlSeconds": "2", "InlineLimitKiB": "2"}
"""A secret that expires soon, so that an outage of Secrets Manager soon has an effect."""
_SIZES = (0, 500, 1000, 0, 5000)
"""The last one goes by pointer."""
_SLOWEST_SECONDS = 10
_SECONDS_TO_TAKE_EFFECT = 60
_SHOWN = 10


@dataclass(frozen=True)
class Fault:
    """Services that refuse connections or hang, or function processes that are killed."""

    name: str
    services: tuple[str, ...]
    mode: str
    answer: str
    """What has to be answered meanwhile."""
    kills: bool = False


FAULTS = (
    Fault("function killed", (), "", "502", kills=True),
    *(
        fault
        for mode in ("close", "hang")
        for fault in (
            Fault(f"SQS: {mode}", (SQS,), mode, SPILLED),
            Fault(f"S3: {mode}", (S3,), mode, "503"),
            Fault(f"all services: {mode}", (SQS, S3, SECRETS_MANAGER), mode, "503"),
            Fault(f"Secrets Manager: {mode}", (SECRETS_MANAGER,), mode, "queued"),
            Fault(f"Secrets Manager at a cold start: {mode}", (SECRETS_MANAGER,), mode, "503", kills=True),
        )
    ),
)


def command(minutes: float, queue_type: str) -> bool:
    """`make soak`. Returns whether every event is accounted for."""
    with Instance("soak").claim() as instance:
        with step("Building the function and relayctl"):
            relayctl = build_locally(instance)
        with step(f"Soaking for {minutes:g} minutes, {queue_type} queues"), deployed(instance, queue_type) as site:
            load, violations = soak(*site, relayctl, minutes * 60)
    rows = [Row((f"answers: {answer}", f"{count:,}")) for answer, count in sorted(load.count().items())]
    rows += [Row(("slowest answer", f"{max(load.seconds):.2f} s"))]
    rows += [Row((name, str(len(each))), each[:_SHOWN]) for name, each in violations.items()]
    show("Outcome", ("", "count"), rows)
    return not any(violations.values())


@contextmanager
def deployed(instance: Instance, queue_type: str) -> Iterator[tuple[Stack, dict[str, TcpProxy]]]:
    """Deploys a stack to an emulator of its own; the function reaches each service through a proxy."""
    with ExitStack() as resources:
        proxies = {service: resources.enter_context(TcpProxy()) for service in (SQS, S3, SECRETS_MANAGER)}
        variables = {f"AWS_ENDPOINT_URL_{service}": proxy.url for service, proxy in proxies.items()}
        running = resources.enter_context(emulator.run(instance, variables))
        for proxy in proxies.values():
            proxy.forward_to(running.endpoint)
        stack = deploy.deploy(running, "labelbox-relay-soak", {**_PARAMETERS, "QueueType": queue_type})
        stack.put_secret({"labelbox": SECRET})
        yield stack, proxies


def soak(
    stack: Stack, proxies: Mapping[str, TcpProxy], relayctl: Path, seconds: float
) -> tuple[Load, dict[str, list[str]]]:
    """Injects every fault, once or until `seconds` have passed. Returns what was answered, and what is wrong."""
    deadline = time.monotonic() + seconds
    # Without a pause, the emulator does nothing but start functions when they are killed.
    with Load(stack, senders=6, sizes=_SIZES, pause=0.2) as load:
        load.wait_for(20, "queued")
        faults = random.sample(FAULTS, len(FAULTS))
        while faults or time.monotonic() < deadline:
            fault = faults.pop() if faults else random.choice(FAULTS)
            console.print(f"  {fault.name}", markup=False)
            _undergo(fault, stack, proxies, load)
            load.wait_for(20, "queued")
            _replay(stack, relayctl)
    _replay(stack, relayctl)
    violations = find_violations(load.answers, received(stack, 0), is_fifo=stack.is_fifo)
    violations["slower than 10 s"] = [f"{each:.2f} s" for each in load.seconds if each > _SLOWEST_SECONDS]
    violations["left in spill/"] = stack.objects("spill/")
    return load, violations


def _undergo(fault: Fault, stack: Stack, proxies: Mapping[str, TcpProxy], load: Load) -> None:
    since, wanted = time.time(), load.count()[fault.answer] + 5
    for service in fault.services:
        getattr(proxies[service], fault.mode)()
    if fault.kills:
        processes.kill(stack.emulator.instance, "bootstrap")
    deadline = time.monotonic() + _SECONDS_TO_TAKE_EFFECT
    while load.count()[fault.answer] < wanted or (fault.answer == "queued" and not stack.counted("SecretStale", since)):
        assert time.monotonic() < deadline, f"{fault.name}: not answered {fault.answer}, or no stale secret"
        load.wait_for(1)
        if fault.answer == "502":
            processes.kill(stack.emulator.instance, "bootstrap")
    for service in fault.services:
        proxies[service].open()


def _replay(stack: Stack, relayctl: Path) -> None:
    instance = stack.emulator.instance
    settings = environment.for_emulator(instance, stack.emulator.endpoint)
    program = [str(relayctl), "replay-spill", "--stack", stack.name, "--json"]
    processes.run("relayctl replay-spill", program, settings, instance.log("replay-spill"))


def find_violations(answers: Mapping[str, str], found: Sequence[str], *, is_fifo: bool) -> dict[str, list[str]]:
    """Compares what was answered to each event with the messages."""
    copies = Counter(found)
    # A spilled message may have reached its queue, and is replayed with another deduplication id.
    most = {event: 2 if answer == SPILLED else 1 for event, answer in answers.items()}
    genuine = (*DURABLE, "no response")
    return {
        "lost": [event for event, answer in answers.items() if answer in DURABLE and not copies[event]],
        "duplicated": [event for event, count in copies.items() if is_fifo and count > most.get(event, 0)],
        "rejected": [event for event, it in answers.items() if not (it in genuine or it.startswith("5"))],
        "never sent": [event for event in copies if event not in answers],
    }
