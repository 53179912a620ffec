"""The soak: clients and consumers use a deployed stack during faults, and each event is accounted for."""

import hashlib
import itertools
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from dev import deploy, emulator, environment, processes, samples
from dev.build import build_locally
from dev.output import Row, console, show, step
from dev.paths import Instance
from dev.samples import SECRET, sign
from dev.stack import QUEUES, Stack
from dev.tcp_proxy import TcpProxy

SQS, S3, SECRETS_MANAGER = "SQS", "S3", "SECRETS_MANAGER"
DURABLE = ("queued", "unrouted", "spilled")
_CLIENTS = 6
_SLOWEST_SECONDS = 10
_PATIENCE_SECONDS = 60
_QUEUED_BETWEEN_FAULTS = 20
_SHOWN = 10
_KINDS: dict[str, tuple[str, str | None, float]] = {
    "label": ("label", "LABEL_UPDATED", 40),
    "review": ("review", "review_created", 15),
    "move": ("workflow", "MOVE", 15),
    "unknown topic": ("unrouted", "PROJECT_ARCHIVED", 5),
    "no topic": ("unrouted", None, 5),
    "model run": ("model_run", "MODEL_RUN_CREATED", 10),
    "forged": ("label", "LABEL_CREATED", 5),
    "not UTF-8": ("unrouted", "MODEL_RUN_CREATED", 2),
    "character that SQS rejects": ("label", "LABEL_UPDATED", 2),
    "above 1 MiB": ("label", "LABEL_UPDATED", 1),
    "4.3 MB": ("label", "LABEL_UPDATED", 0.2),
}
"""Each kind with its queue, its topic and its weight."""
_SIZES = {"above 1 MiB": 1_050_000, "4.3 MB": 4_300_000}
_label = cache(samples.label)


@dataclass(frozen=True)
class Found:
    """A message as a consumer received it."""

    id: str
    dedup_id: str
    queue: str
    topic: str | None
    is_pointer: bool = False


@dataclass
class Entry:
    """An event, what was answered to each of its requests, and its messages."""

    kind: str
    sent: int = 0
    outcomes: list[str] = field(default_factory=list)
    """The status in the body of a 200, else the HTTP status, or `no response`."""
    slowest: float = 0
    found: set[Found] = field(default_factory=set)

    def violations(self, *, is_fifo: bool) -> list[str]:
        """Returns the invariants that this event's outcome violates."""
        queue, topic, _ = _KINDS[self.kind]
        durable = sum(outcome in DURABLE for outcome in self.outcomes)
        errors = sum(outcome.startswith("5") or outcome == "no response" for outcome in self.outcomes)
        ids = {message.dedup_id for message in self.found}
        if self.kind == "forged":
            is_accepted = self.found or self.outcomes.count("401") + errors < len(self.outcomes)
            return ["forged, but accepted"] if is_accepted else []
        # Each request for a training run is an event, whose id is that of its invocation.
        is_run = topic == "MODEL_RUN_CREATED"
        due, most = (durable, self.sent) if is_run else (min(durable, 1), 1)
        # A spilled message may have reached its queue, and is replayed with another deduplication id.
        copies = len(self.found) - min(most, len(ids)) - self.outcomes.count("spilled")
        return [
            name
            for name, is_violated in {
                "lost": len(ids) < due,
                "duplicated": is_fifo and copies > 0,
                "in a wrong queue": any(message.queue != queue for message in self.found),
                "with another topic": any(message.topic != (topic and topic.upper()) for message in self.found),
                "genuine, but rejected": durable + errors < len(self.outcomes),
                "slower than 10 s": self.slowest > _SLOWEST_SECONDS,
            }.items()
            if is_violated
        ]


@dataclass(frozen=True)
class Fault:
    """Services that refuse connections or hang, or function processes that are killed."""

    name: str
    services: tuple[str, ...]
    mode: str
    outcome: str
    """What has to be answered meanwhile."""
    kills: bool = False
    makes_stale: bool = False


FAULTS = (
    Fault("function killed", (), "", "502", kills=True),
    *(
        fault
        for mode in ("close", "hang")
        for fault in (
            Fault(f"SQS: {mode}", (SQS,), mode, "spilled"),
            Fault(f"S3: {mode}", (S3,), mode, "503"),
            Fault(f"all services: {mode}", (SQS, S3, SECRETS_MANAGER), mode, "503"),
            Fault(f"Secrets Manager: {mode}", (SECRETS_MANAGER,), mode, "queued", makes_stale=True),
            Fault(f"Secrets Manager at a cold start: {mode}", (SECRETS_MANAGER,), mode, "503", kills=True),
        )
    ),
)


def command(minutes: float, queue_type: str) -> bool:
    """`make soak`. Returns whether no invariant was violated."""
    with Instance("soak").claim() as instance:
        with step("Building the function and relayctl"):
            relayctl = build_locally(instance)
        with (
            step(f"Soaking for {minutes:g} minutes, {queue_type} queues"),
            deployed(instance, queue_type) as (stack, proxies),
        ):
            soak = Soak(stack, proxies, relayctl)
            violations = soak.run(minutes * 60)
    rows = [Row((name, f"{count:,}")) for name, count in soak.figures().items()]
    rows += [Row((name, str(len(each))), each[:_SHOWN]) for name, each in violations.items()]
    show("Outcome", ("", "count"), rows)
    return not violations


@contextmanager
def deployed(instance: Instance, queue_type: str) -> Iterator[tuple[Stack, dict[str, TcpProxy]]]:
    """Deploys a stack to an emulator of its own; the function reaches each service through a proxy."""
    with ExitStack() as resources:
        proxies = {service: resources.enter_context(TcpProxy()) for service in (SQS, S3, SECRETS_MANAGER)}
        variables = {f"AWS_ENDPOINT_URL_{service}": proxy.url for service, proxy in proxies.items()}
        running = resources.enter_context(emulator.run(instance, variables))
        for proxy in proxies.values():
            proxy.forward_to(running.endpoint)
        # A secret that expires soon, so that an outage of Secrets Manager soon has an effect.
        stack = deploy.deploy(running, "labelbox-relay-soak", {"SecretTtlSeconds": "2", "QueueType": queue_type})
        stack.put_secret({"labelbox": SECRET, "training": SECRET})
        yield stack, proxies


class Soak:
    """A soak on a stack whose messages nobody else receives."""

    def __init__(self, stack: Stack, proxies: dict[str, TcpProxy], relayctl: Path) -> None:
        self.stack, self._proxies, self._relayctl = stack, proxies, relayctl
        self.entries: dict[str, Entry] = {}
        """Every event, by the SHA-256 of its body."""
        self.outcomes: Counter[str] = Counter()
        self.faults = self.killed = self.replayed = 0
        self._violations: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._sending, self._receiving = threading.Event(), threading.Event()
        self._threads: list[Future[None]] = []

    def run(self, seconds: float) -> dict[str, list[str]]:
        """Injects every fault, once or until `seconds` have passed. Returns the violations of each invariant."""
        deadline = time.monotonic() + seconds
        self._sending.set()
        self._receiving.set()
        with ThreadPoolExecutor(_CLIENTS + 1) as pool:
            try:
                self._threads = [pool.submit(self._send_events) for _ in range(_CLIENTS)]
                self._threads.append(pool.submit(self._receive_messages))
                self._wait_until_recovered()
                while not self.faults or time.monotonic() < deadline:
                    for fault in random.sample(FAULTS, len(FAULTS)):
                        console.print(f"  {fault.name}", markup=False)
                        self._undergo(fault)
                self._sending.clear()
                self._expect("clients end", lambda: all(thread.done() for thread in self._threads[:-1]))
                self._replay()
                self._expect("queues are emptied", lambda: not any(self.stack.count().values()))
            finally:
                self._sending.clear()
                self._receiving.clear()
        for entry in self.entries.values():
            for name in entry.violations(is_fifo=self.stack.is_fifo):
                self._violate(name, str(entry))
        for key in self.stack.objects("spill/"):
            self._violate("left in spill/", key)
        return self._violations

    def figures(self) -> dict[str, float]:
        found = [message for entry in self.entries.values() for message in entry.found]
        return {
            "events": len(self.entries),
            **{f"responses: {outcome}": count for outcome, count in sorted(self.outcomes.items())},
            "slowest response, s": round(max(entry.slowest for entry in self.entries.values()), 2),
            "messages": len(found),
            "messages with a pointer": sum(message.is_pointer for message in found),
            "faults": self.faults,
            "processes killed": self.killed,
            "messages replayed": self.replayed,
        }

    def _undergo(self, fault: Fault) -> None:
        before, since = Counter(self.outcomes), time.time()

        def has_effect() -> bool:
            if fault.kills and random.random() < 0.05:
                self._kill()
            if self.outcomes[fault.outcome] == before[fault.outcome]:
                return False
            return not fault.makes_stale or self.stack.counted("SecretStale", since) > 0

        for service in fault.services:
            getattr(self._proxies[service], fault.mode)()
        if fault.kills:
            self._kill()
        self._expect(f"{fault.name} has an effect", has_effect)
        for service in fault.services:
            self._proxies[service].open()
        self.faults += 1
        self._wait_until_recovered()
        self._replay()

    def _kill(self) -> None:
        self.killed += processes.kill(self.stack.emulator.instance, "bootstrap")

    def _wait_until_recovered(self) -> None:
        least = self.outcomes["queued"] + _QUEUED_BETWEEN_FAULTS
        self._expect("recovers", lambda: self.outcomes["queued"] >= least)

    def _replay(self) -> None:
        instance = self.stack.emulator.instance
        log, settings = instance.log("replay-spill"), environment.for_emulator(instance, self.stack.emulator.endpoint)
        program = [str(self._relayctl), "replay-spill", "--stack", self.stack.name, "--json"]
        processes.run("relayctl replay-spill", program, settings, log)
        [summary] = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        self.replayed += summary["sent"]

    def _expect(self, what: str, is_true: Callable[[], bool]) -> None:
        """Waits until it is true. Raises what a thread has failed with."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not is_true():
            for thread in self._threads:
                if thread.done():
                    thread.result()
            if time.monotonic() > deadline:
                self._violate("not within a minute", what)
                return
            time.sleep(0.1)

    def _violate(self, invariant: str, what: str) -> None:
        self._violations.setdefault(invariant, []).append(what)

    def _send_events(self) -> None:
        """Sends events, many of them repeatedly. Labelbox documents no retries."""
        stack = Stack(self.stack.emulator, self.stack.name, self.stack.outputs)
        while self._sending.is_set():
            [kind] = random.choices(list(_KINDS), [weight for _, _, weight in _KINDS.values()])
            body = _body(kind)
            entry = self.entries[_digest(body)] = Entry(kind)
            headers = _headers(kind, body)
            path = "/webhooks/labelbox" if ("Content-Type", "application/json") in headers else "/training/model_run"
            while self._sending.is_set():
                outcome = self._send(stack, entry, path, headers, body)
                time.sleep(random.uniform(0, 0.3))
                if random.random() > (0.2 if outcome in DURABLE else 0.6):
                    break

    def _send(self, stack: Stack, entry: Entry, path: str, headers: list[tuple[str, str]], body: bytes) -> str:
        entry.sent += 1  # before it is sent: the event may arrive without a response
        started = time.monotonic()
        try:
            response = stack.send("POST", path, headers, body)
            outcome = str(response.status if response.status != 200 else json.loads(response.data).get("status"))
        except urllib3.exceptions.HTTPError:
            outcome = "no response"
        entry.slowest = max(entry.slowest, time.monotonic() - started)
        entry.outcomes.append(outcome)
        with self._lock:
            self.outcomes[outcome] += 1
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
                        attributes, payload = message.attributes, self.stack.payload(message)
                        found = Found(
                            message.id, attributes["dedup_id"], entity, attributes.get("event"), bool(payload)
                        )
                        digest = _digest(payload or message.body)
                        if digest in self.entries:
                            self.entries[digest].found.add(found)
                        else:
                            self._violate("never sent, or altered", str(found))
                        self.stack.delete(queue, message)
            except (ClientError, BotoCoreError):
                pass  # the messages come again
            time.sleep(0.05)


def _headers(kind: str, body: bytes) -> list[tuple[str, str]]:
    _, topic, _ = _KINDS[kind]
    signature = ("X-Hub-Signature", sign(body, "another secret" if kind == "forged" else SECRET))
    if topic == "MODEL_RUN_CREATED":
        # Only without a content type of text does the emulator's gateway encode a body in base64.
        return [signature, ("Content-Type", "application/octet-stream")]
    named = [("X-Labelbox-Event", topic)] if topic else []
    return [signature, ("Content-Type", "application/json"), ("X-Labelbox-Id", uuid.uuid4().hex), *named]


def _body(kind: str) -> bytes:
    """Returns a body that no other event has."""
    id = f"c{uuid.uuid4().hex[:24]}"
    if kind in _SIZES:
        body = _label(_SIZES[kind])
        return body.replace(json.loads(body)["id"].encode(), id.encode(), 1)
    if kind == "not UTF-8":
        return b"\xff\xfe" + id.encode()
    text = "\uffff" if kind == "character that SQS rejects" else '"\\ä漢\u2028😀' * random.randint(50, 300)
    fields = {"modelRunId": id} if kind == "model run" else {"id": id, "updatedAt": "2026-01-01T00:00:00.000Z"}
    return json.dumps({**fields, "label": text}, ensure_ascii=False).encode()


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
