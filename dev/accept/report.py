"""What a run has shown: `docs/aws-acceptance.md`, and what the run has cost."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dev.accept.relay import Relay
from dev.paths import PROJECT

PAGE = PROJECT / "docs" / "aws-acceptance.md"

_HOURS_IN_A_MONTH = 730
_MONTHLY = {"25 alarms": 2.5, "a dashboard": 3.0, "a secret": 0.4, "two keys, until they wait for their deletion": 2.0}
"""List prices in dollars, us-east-1."""
_PER_REQUEST = 8e-6
"""Dollars: API Gateway 1, Lambda 0.6, SQS 6 calls, logs and X-Ray, all rounded up."""
_REQUESTS = 20_000


class Status(StrEnum):
    """What a run says of a claim."""

    SHOWN = "shown"
    NOT_SHOWN = "not shown here"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """A claim, and what became of it."""

    claim: str
    status: Status
    found: str

    @property
    def wrong(self) -> list[str]:
        return [self.found] if self.status is Status.FAILED else []


def cost(relay: Relay) -> float:
    """About how many dollars a run has cost so far, from list prices."""
    hours = (time.time() - relay.started) / 3600
    return hours * sum(_MONTHLY.values()) / _HOURS_IN_A_MONTH + _REQUESTS * _PER_REQUEST


def summary(outcomes: Sequence[Outcome], relay: Relay) -> str:
    """One line for the end of the run."""
    counts = ", ".join(f"{sum(each.status == status for each in outcomes)} {status}" for status in Status)
    minutes = (time.time() - relay.started) / 60
    costs = f"about ${cost(relay):.2f}" if relay.cloud.is_aws else "nothing"
    return f"{counts}; {minutes:.0f} min on {relay.cloud.where}; cost {costs}"


def write(outcomes: Sequence[Outcome], relay: Relay, page: Path) -> None:
    """Writes the page."""
    lines = [
        "# Acceptance on AWS",
        "",
        f"Written by `make accept` on {time.strftime('%Y-%m-%d')}, on {relay.cloud.where}.",
        _REACH[relay.cloud.is_aws],
        "",
        f"{summary(outcomes, relay)}.",
        "",
        "| claim | status | what happened |",
        "|---|---|---|",
        *(f"| {each.claim} | {each.status} | {_cell(each.found)} |" for each in outcomes),
    ]
    page.write_text("\n".join(lines) + "\n")


_REACH = {
    True: "The stack was created for this run and deleted after it.",
    False: "The emulator is no evidence of what AWS does: what only AWS can show is *not shown here*. Run `make accept`"
    " with your own credentials to fill this page.",
}


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
