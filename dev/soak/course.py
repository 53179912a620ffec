"""The course of a soak: senders and consumers at work, one trouble after another, and everything fetched in the end."""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from dev.gate import Gate
from dev.soak import account, troubles
from dev.soak.account import Account, Experience
from dev.soak.collectors import Collector
from dev.soak.crew import Crew, Stuck, Traffic
from dev.soak.deliveries import stream
from dev.soak.ledger import Ledger
from dev.soak.replay import SPILL, replay
from dev.soak.senders import Mail, Sender
from dev.soak.troubles import Site, Trouble
from dev.stack import QUEUES, Stack

_SENDERS = 6
_SECONDS_TO_BE_FELT = 60
_SECONDS_TO_RECOVER = 60
_SECONDS_TO_DRAIN = 180
_LONGEST_TROUBLE_SECONDS = 12
_QUIET_ANSWERS = 20
"""So many events must be taken again between two troubles."""


class Course:
    """A soak on a deployed stack, of which nobody else takes messages."""

    def __init__(self, stack: Stack, gates: dict[str, Gate], tool: Path, seed: str) -> None:
        self._stack, self._tool, self._seed = stack, tool, seed
        self._site = Site(stack, gates, Ledger(), Crew(), Traffic(), Random(f"{seed} troubles"))
        self._collectors = [Collector(stack, self._site.ledger, dead_letters) for dead_letters in (False, True)]
        self._experiences: list[Experience] = []

    def run(self, seconds: float, say: Callable[[str], None] = lambda _: None) -> Account:
        """Every trouble once, each as short as it can be; then more of them, and longer, for `seconds` in all."""
        site, until = self._site, time.monotonic() + seconds
        mail = Mail(stream(self._seed))
        collecting = Crew()
        for collector in self._collectors:
            collecting.start(collector.work)
        for number in range(_SENDERS):
            sender = Sender(self._stack, mail, site.ledger, site.traffic, Random(f"{self._seed} sender {number}"))
            site.crew.start(sender.work)
        self._rest()
        shortest = 0.0
        while not self._experiences or time.monotonic() < until:
            for trouble in _shuffled(site.random):
                if shortest == 0 or time.monotonic() < until:
                    say(trouble.name)
                    self._undergo(trouble, shortest)
            self._clear()
            shortest = _LONGEST_TROUBLE_SECONDS / 4
        say("fetching what is left")
        site.crew.stop()
        self._clear()
        collecting.wait_until(self._is_drained, _SECONDS_TO_DRAIN, "queues not empty")
        collecting.stop()
        return account.draw_up(
            site.ledger.pages,
            site.ledger.strangers,
            self._experiences,
            self._stack.objects(SPILL),
            self._stack.is_fifo,
        )

    def _undergo(self, trouble: Trouble, shortest: float) -> None:
        site, before, began = self._site, self._site.ledger.words, time.monotonic()
        seconds = site.random.uniform(shortest, shortest * 4)
        was_felt = True

        def is_over() -> bool:
            is_felt = trouble.is_felt(site, site.ledger.words - before)
            return is_felt and time.monotonic() - began >= seconds

        try:
            trouble.begin(site)
            site.crew.wait_until(is_over, seconds + _SECONDS_TO_BE_FELT, trouble.name)
        except Stuck:
            was_felt = False
        finally:
            trouble.end(site)
        lasted, answers = time.monotonic() - began, site.ledger.words - before
        self._rest()
        replayed = replay(self._stack, self._tool)
        self._experiences.append(
            Experience(
                trouble.name,
                lasted,
                was_felt,
                dict(answers),
                trouble.killed,
                replayed.sent,
                trouble.remade,
                replayed.kept,
            )
        )

    def _rest(self) -> None:
        """Goes on when the relay takes events again as if nothing had been."""
        ledger, before = self._site.ledger, self._site.ledger.words["queued"]
        self._site.crew.wait_until(
            lambda: ledger.words["queued"] - before >= _QUIET_ANSWERS, _SECONDS_TO_RECOVER, "the relay did not recover"
        )

    def _clear(self) -> None:
        """Empties the bucket at a moment when no request is under way, as then no message can point to a read payload.

        Spilled messages come first: one may have reached its queue before, and then its payload has been read already.
        """
        with self._site.traffic.held(self._site.crew):
            replayed = replay(self._stack, self._tool)
            if replayed.sent or replayed.kept:
                self._experiences.append(
                    Experience("answers that came later", 0, True, {}, 0, replayed.sent, kept=replayed.kept)
                )
            for collector in self._collectors:
                collector.forget_payloads()

    def _is_drained(self) -> bool:
        queues = [self._stack.queue_url(entity) for entity in QUEUES]
        dead = [self._stack.dead_letter_queue_url(entity) for entity in QUEUES]
        return not any(self._stack.count_in(queue) for queue in (*queues, *dead))


def _shuffled(random: Random) -> list[Trouble]:
    all_of_them = troubles.all_kinds()
    random.shuffle(all_of_them)
    return all_of_them
