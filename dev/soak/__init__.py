"""The soak: clients and consumers use a deployed stack during faults, and each event is accounted for."""

import argparse
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random, SystemRandom

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from dev import deploy, emulator, environment, processes
from dev.build import build_locally
from dev.output import show, step
from dev.paths import Instance
from dev.samples import SECRET
from dev.soak.events import WEBHOOKS, Event, digest, stream
from dev.soak.faults import SERVICES, Fault, all_faults
from dev.soak.journal import DURABLE, FaultRecord, Found, Journal, Report, Response
from dev.stack import QUEUES, Message, Stack
from dev.tcp_proxy import TcpProxy

_STACK = "labelbox-relay-soak"
# A secret that expires soon, so that an outage of Secrets Manager soon has an effect.
_PARAMETERS = {"SecretTtlSeconds": "2"}
_CLIENTS = 6
_RESEND_PROBABILITY = 0.6
_LONGEST_PAUSE_SECONDS = 0.3
_SECONDS_TO_TAKE_EFFECT = 60
_SECONDS_TO_RECOVER = 60
_SECONDS_TO_DRAIN = 180
_LONGEST_FAULT_SECONDS = 12
_QUEUED_BETWEEN_FAULTS = 20
_DONE, _SOME_KEPT = 0, 1
"""The exit statuses of `relayctl replay-spill` after it has tried every message."""


class Timeout(Exception):
    """A condition was not met in time."""


def run_command(arguments: argparse.Namespace) -> bool:
    """`make soak`. Returns whether no invariant was violated."""
    minutes, queue_type = arguments.minutes, arguments.queue_type
    seed = arguments.seed or str(SystemRandom().randrange(1_000_000))
    with Instance("soak").claim() as instance:
        with step("Building the function and relayctl") as this:
            relayctl = build_locally(instance, this.update)
        with ExitStack() as resources:
            with step("Starting the emulator of AWS, and deploying template.yaml to it"):
                stack, proxies = resources.enter_context(deployed(instance, queue_type))
            with step(f"Soaking for {minutes:g} minutes, {queue_type} queues, seed {seed}") as this:
                report = Soak(stack, proxies, relayctl, seed).run(minutes * 60, this.update)
    rows = [fault.row() for fault in report.faults]
    show("Faults", ("fault", "duration", "responses meanwhile", "killed", "replayed"), rows)
    show(f"Outcome: {minutes:g} minutes, {queue_type} queues, seed {seed}", ("", "count"), report.rows())
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"seed": seed, "minutes": minutes, **report.to_json()}, indent=2) + "\n")
    return report.is_valid


@contextmanager
def deployed(instance: Instance, queue_type: str) -> Iterator[tuple[Stack, dict[str, TcpProxy]]]:
    """Deploys a stack to an emulator of its own; the function reaches each service through a proxy."""
    with ExitStack() as resources:
        proxies = {service: resources.enter_context(TcpProxy()) for service in SERVICES}
        variables = {SERVICES[service]: proxy.url for service, proxy in proxies.items()}
        running = resources.enter_context(emulator.run(instance, variables))
        for proxy in proxies.values():
            proxy.forward_to(running.endpoint)
        stack = deploy.deploy(running, _STACK, {**_PARAMETERS, "QueueType": queue_type})
        stack.put_secret(dict.fromkeys((*WEBHOOKS, "training"), SECRET))
        yield stack, proxies


class Soak:
    """A soak on a stack whose messages nobody else receives."""

    def __init__(self, stack: Stack, proxies: dict[str, TcpProxy], relayctl: Path, seed: str) -> None:
        self.stack, self.journal = stack, Journal()
        self._relayctl, self._seed = relayctl, seed
        self._random = Random(f"{seed} faults")
        self._proxies = proxies
        self._events, self._lock = stream(seed), threading.Lock()
        self._sending, self._receiving = threading.Event(), threading.Event()
        self._threads: list[Future[None]] = []
        self._faults: list[FaultRecord] = []

    def faults(self) -> list[Fault]:
        return all_faults(self.stack, self._random, self._proxies)

    def run(self, seconds: float, say: Callable[[str], None] = lambda _: None) -> Report:
        """Injects every fault once and briefly, then more of them, and longer ones, until `seconds` have passed."""
        deadline, shortest = time.monotonic() + seconds, 0.0
        self._sending.set()
        self._receiving.set()
        with ThreadPoolExecutor(_CLIENTS + 1) as pool:
            try:
                self._threads = [pool.submit(self._send_events, number) for number in range(_CLIENTS)]
                self._threads.append(pool.submit(self._receive_messages))
                self._wait_until_recovered()
                while not self._faults or time.monotonic() < deadline:
                    for fault in self.faults():
                        if shortest == 0 or time.monotonic() < deadline:
                            say(fault.name)
                            self._undergo(fault, shortest)
                    shortest = _LONGEST_FAULT_SECONDS / 4
                say("receiving the remaining messages")
                self._sending.clear()
                self._wait_until(lambda: all(it.done() for it in self._threads[:-1]), 60, "clients are still sending")
                sent, kept = self.replay()
                self._faults.append(FaultRecord("after the last response", 0, True, {}, 0, sent, kept))
                self._wait_until(
                    lambda: not any(self.stack.count().values()), _SECONDS_TO_DRAIN, "queues are not empty"
                )
            finally:
                self._sending.clear()
                self._receiving.clear()
        return self.journal.report(self._faults, self.stack.objects("spill/"), is_fifo=self.stack.is_fifo)

    def replay(self) -> tuple[int, tuple[str, ...]]:
        """Runs `relayctl replay-spill`. Returns how many messages it sent, and those that it kept, with reasons."""
        instance = self.stack.emulator.instance
        log = instance.log("replay-spill")
        settings = environment.for_emulator(instance, self.stack.emulator.endpoint)
        program = [str(self._relayctl), "replay-spill", "--stack", self.stack.name, "--json"]
        processes.run("relayctl replay-spill", program, settings, log, expected=(_DONE, _SOME_KEPT))
        [summary] = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        return summary["sent"], tuple(f"{kept['message']}: {kept['reason']}" for kept in summary["kept"])

    def _undergo(self, fault: Fault, shortest: float) -> None:
        before, started = self.journal.outcomes, time.monotonic()
        seconds = self._random.uniform(shortest, shortest * 4)
        had_effect = True

        def is_over() -> bool:
            return fault.has_effect(self.journal.outcomes - before) and time.monotonic() - started >= seconds

        try:
            fault.inject()
            self._wait_until(is_over, seconds + _SECONDS_TO_TAKE_EFFECT, fault.name)
        except Timeout:
            had_effect = False
        finally:
            fault.remove()
        lasted, responses = time.monotonic() - started, dict(self.journal.outcomes - before)
        self._wait_until_recovered()
        sent, kept = self.replay()
        self._faults.append(FaultRecord(fault.name, lasted, had_effect, responses, fault.killed, sent, kept))

    def _wait_until_recovered(self) -> None:
        least = self.journal.outcomes["queued"] + _QUEUED_BETWEEN_FAULTS
        self._wait_until(lambda: self.journal.outcomes["queued"] >= least, _SECONDS_TO_RECOVER, "no recovery")

    def _wait_until(self, condition: Callable[[], bool], seconds: float, problem: str) -> None:
        """Raises what a thread has failed with, or `Timeout`."""
        deadline = time.monotonic() + seconds
        while not condition():
            for thread in self._threads:
                if thread.done():
                    thread.result()
            if time.monotonic() > deadline:
                raise Timeout(f"{problem} after {seconds:.0f} s")
            time.sleep(0.1)

    def _send_events(self, number: int) -> None:
        """Sends events, some of them repeatedly. Labelbox documents no retries."""
        random = Random(f"{self._seed} client {number}")
        stack = Stack(self.stack.emulator, self.stack.name, self.stack.outputs)
        while self._sending.is_set():
            with self._lock:
                event = next(self._events)
            while self._sending.is_set():
                outcome = self._send(stack, event)
                time.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))
                is_done = outcome in DURABLE or event.is_forged
                if random.random() > (0.2 if is_done else _RESEND_PROBABILITY):
                    break

    def _send(self, stack: Stack, event: Event) -> str:
        self.journal.send(event)
        started, request = time.monotonic(), event.request
        try:
            response = stack.send(request.method, request.path, request.headers, request.body)
            outcome = str(response.status if response.status != 200 else json.loads(response.data).get("status"))
        except urllib3.exceptions.HTTPError:
            outcome = "no response"
        self.journal.respond(event, Response(outcome, time.monotonic() - started))
        return outcome

    def _receive_messages(self) -> None:
        """Receives and deletes all messages."""
        for entity in itertools.cycle(QUEUES):
            if not self._receiving.is_set():
                return
            try:
                queue = self.stack.queue_url(entity)
                while messages := self.stack.receive(queue, seconds=0):
                    for message in messages:
                        self.journal.find(self.read(entity, message))
                        self.stack.delete(queue, message)
            except (ClientError, BotoCoreError):
                pass  # the messages come again
            time.sleep(0.05)

    def read(self, entity: str, message: Message) -> Found:
        attributes, payload = message.attributes, self.stack.payload(message)
        body = message.body if payload is None else payload
        id, topic = attributes.get("dedup_id", ""), attributes.get("event")
        return Found(message.id, id, entity, topic, digest(body), payload is not None)
