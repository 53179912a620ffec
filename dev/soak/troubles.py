"""What goes wrong during the soak: how it begins, how one sees that the relay feels it, how it ends."""

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from dev import processes
from dev.gate import Gate
from dev.soak.crew import Crew, Traffic
from dev.soak.ledger import Ledger
from dev.stack import Stack

SERVICES = {
    "SQS": "AWS_ENDPOINT_URL_SQS",
    "Secrets Manager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "S3": "AWS_ENDPOINT_URL_S3",
}
"""The services that the function uses, and the variable that leads it through a gate to each."""

_ONLY_READ = ("QueueArn", "CreatedTimestamp", "LastModifiedTimestamp")
_SECONDS_TO_DRAIN = 120


@dataclass(frozen=True)
class Site:
    """Where troubles happen."""

    stack: Stack
    gates: dict[str, Gate]
    ledger: Ledger
    crew: Crew
    traffic: Traffic
    random: Random


class Trouble:
    """A trouble does nothing by itself; each kind says what it does."""

    name: str
    killed = 0
    """How many processes of the function it has killed."""
    remade: tuple[str, ...] = ()
    """The entities whose queues were deleted and made again. A new queue has forgotten what the old one has seen."""

    def begin(self, site: Site) -> None:
        raise NotImplementedError

    def is_felt(self, site: Site, answers: Counter[str]) -> bool:
        """Whether the relay has felt it, by the answers since it began. Asked again and again until it has."""
        raise NotImplementedError

    def end(self, site: Site) -> None:
        """Mends it; does nothing when it has not begun."""

    def _kill(self, site: Site) -> None:
        self.killed += processes.kill(site.stack.emulator.instance, "bootstrap")


class Killed(Trouble):
    """SIGKILL for the function's processes, in the middle of whatever they do, at moments that nobody chose."""

    name = "function killed"

    def begin(self, site: Site) -> None:
        self._kill(site)

    def is_felt(self, site: Site, answers: Counter[str]) -> bool:
        if site.random.random() < 0.05:
            self._kill(site)
        return self.killed > 0 and answers[OF_A_KILLED_FUNCTION] > 0


class Deleted(Trouble):
    """Two queues are deleted, and later made again with the same names and attributes.

    They are deleted only when they are empty and nothing is on its way to them: the messages in a deleted queue are
    lost, and that would be the deletion's doing and not the relay's.
    """

    name = "queues deleted"

    def __init__(self) -> None:
        self._deleted: dict[str, dict[str, str]] = {}

    def begin(self, site: Site) -> None:
        sqs = site.stack.emulator.client("sqs")
        entities = ["label", site.random.choice(["workflow", "review", "model_run", "unrouted"])]
        queues = [site.stack.queue_url(entity) for entity in entities]
        self.remade = tuple(entities)
        with site.traffic.held(site.crew):
            site.crew.wait_until(
                lambda: not any(site.stack.count_in(queue) for queue in queues), _SECONDS_TO_DRAIN, "queues not empty"
            )
            for queue in queues:
                attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
                self._deleted[queue] = {
                    name: value
                    for name, value in attributes.items()
                    if name not in _ONLY_READ and not name.startswith("Approximate")
                }
                sqs.delete_queue(QueueUrl=queue)

    def is_felt(self, site: Site, answers: Counter[str]) -> bool:
        return answers["spilled"] > 0

    def end(self, site: Site) -> None:
        # AWS wants a minute to pass before a name is used again; the emulator does not.
        while self._deleted:
            queue, attributes = self._deleted.popitem()
            site.stack.emulator.client("sqs").create_queue(QueueName=queue.rpartition("/")[2], Attributes=attributes)


@dataclass
class Cut(Trouble):
    """Services cannot be reached: connections to them are refused or hang."""

    services: tuple[str, ...]
    mode: str
    """What happens to connections: `close` or `hang`."""
    felt_as: str
    """The answer that this has to lead to."""
    name: str = field(init=False)

    def __post_init__(self) -> None:
        how = {"close": "refused", "hang": "hanging"}[self.mode]
        self.name = f"{'all three' if len(self.services) == len(SERVICES) else ' and '.join(self.services)} {how}"

    def begin(self, site: Site) -> None:
        for service in self.services:
            getattr(site.gates[service], self.mode)()

    def is_felt(self, site: Site, answers: Counter[str]) -> bool:
        return answers[self.felt_as] > 0

    def end(self, site: Site) -> None:
        for service in self.services:
            site.gates[service].open()


class Stale(Cut):
    """Secrets Manager cannot be reached, and the last secret serves on."""

    def __init__(self, mode: str) -> None:
        super().__init__(("Secrets Manager",), mode, "")
        self._since = 0.0

    def begin(self, site: Site) -> None:
        self._since = time.time()
        super().begin(site)

    def is_felt(self, site: Site, answers: Counter[str]) -> bool:
        return answers["queued"] > 0 and site.stack.counted("SecretStale", self._since) > 0


class Cold(Cut):
    """Secrets Manager cannot be reached, and the function starts anew, without any secret."""

    def __init__(self, mode: str) -> None:
        super().__init__(("Secrets Manager",), mode, "503")
        self.name += " at a cold start"

    def begin(self, site: Site) -> None:
        super().begin(site)
        self._kill(site)


OF_A_KILLED_FUNCTION = "502"
"""What the gateway answers when the function ends without an answer."""


def all_kinds() -> list[Trouble]:
    """One of each."""
    everything = tuple(SERVICES)
    return [
        Killed(),
        Deleted(),
        Cut(("SQS",), "close", "spilled"),
        Cut(("SQS",), "hang", "spilled"),
        Stale("close"),
        Stale("hang"),
        Cold("close"),
        Cold("hang"),
        Cut(("S3",), "close", "503"),
        Cut(("S3",), "hang", "503"),
        Cut(everything, "close", "503"),
        Cut(everything, "hang", "503"),
    ]
