"""One run: every claim in the order of the table, the page, and nothing left however it ends."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape

from dev import UserError, build, emulator, environment, processes
from dev.accept.claims import CLAIMS, Claim
from dev.accept.relay import TAG, Account, Emulated, NotShown, Relay, Wrong
from dev.emulator import Emulator
from dev.output import Row, console, show, step
from dev.paths import PROJECT, Instance

_PAGE = PROJECT / "docs" / "aws-acceptance.md"
_REACH = {
    True: "The stack was created for this run and deleted after it.",
    False: "The emulator is no evidence of what AWS does, and encrypts nothing: what only AWS can show is *not shown"
    " here*. Run `make accept` with your own credentials to fill this page.",
}
_DOLLARS_PER_HOUR = (25 * 0.1 + 3.0 + 0.4 + 2 * 1.0) / 730
"""List prices in us-east-1: 25 alarms, a dashboard, a secret, two keys until they wait for their deletion."""
_DOLLARS_FOR_REQUESTS = 20_000 * 8e-6
"""API Gateway 1, Lambda 0.6, SQS 6 calls, logs and X-Ray, all rounded up."""


class Status(StrEnum):
    SHOWN = "shown"
    NOT_SHOWN = "not shown here"
    FAILED = "failed"


class Outcome(NamedTuple):
    claim: str
    status: Status
    found: str


def run(on: str, page: Path | None = None, email: str = "") -> bool:
    """Runs all claims at AWS, on an emulator of its own, or on the one with this address. Returns whether none failed.

    Without a `page` to write, a run at AWS writes the document's.
    """
    if email and "@" not in email:
        raise UserError(f"{email} is not an email address")
    outcomes: list[Outcome] = []
    page = page or (_PAGE if on == "aws" else None)
    with Instance("accept").claim() as instance, _cloud(on, instance) as cloud:
        relay = Relay(cloud, email)
        console.print(f"The stack is {relay.name}, on {cloud.where}", markup=False)
        try:
            for claim, shows in CLAIMS:
                with step(claim):
                    outcomes.append(_outcome(claim, shows, relay))
                if outcomes[-1].status is Status.FAILED:
                    console.print(f"  [red]failed:[/red] {escape(outcomes[-1].found)}")
                if not hasattr(relay, "stack"):
                    break
        finally:
            is_clean = _delete_everything(relay)
        summary = _summary(outcomes, relay)
        if page is not None:
            _write(outcomes, summary, cloud, page)
        rows = [Row(it, ["failed"] * (it.status is Status.FAILED)) for it in outcomes]
        show("Acceptance", ("claim", "status", "what happened"), rows)
        print(summary)
    return is_clean and all(each.status is not Status.FAILED for each in outcomes)


def _outcome(claim: str, shows: Claim, relay: Relay) -> Outcome:
    try:
        return Outcome(claim, Status.SHOWN, shows(relay))
    except NotShown as reason:
        return Outcome(claim, Status.NOT_SHOWN, str(reason))
    except Wrong as found:
        return Outcome(claim, Status.FAILED, str(found))
    except Exception as error:  # the other claims are worth knowing, and the page says what failed
        return Outcome(claim, Status.FAILED, f"{type(error).__name__}: {error}")


def _summary(outcomes: list[Outcome], relay: Relay) -> str:
    """One line for the end of the run, with what it has cost by list prices."""
    statuses = Counter(each.status for each in outcomes)
    counts = ", ".join(f"{statuses[status]} {status}" for status in Status)
    seconds = time.time() - relay.started
    dollars = seconds / 3600 * _DOLLARS_PER_HOUR + _DOLLARS_FOR_REQUESTS
    cost = f"about ${dollars:.2f}" if relay.cloud.is_aws else "nothing"
    return f"{counts}; {seconds / 60:.0f} min on {relay.cloud.where}; cost {cost}"


def _write(outcomes: list[Outcome], summary: str, cloud: Account | Emulated, page: Path) -> None:
    head = f"Written by `make accept` on {time.strftime('%Y-%m-%d')}, on {cloud.where}.\n{_REACH[cloud.is_aws]}"
    # What the emulator does in place of AWS is shown on the terminal only.
    hidden = None if cloud.is_aws else Status.NOT_SHOWN
    found = ["-" if it.status is hidden else " ".join(it.found.replace("|", r"\|").split()) for it in outcomes]
    rows = [f"| {each.claim} | {each.status} | {text} |" for each, text in zip(outcomes, found, strict=True)]
    table = "\n".join(["| claim | status | what happened |", "|---|---|---|", *rows])
    page.write_text(f"# Acceptance on AWS\n\n{head}\n\n{summary}.\n\n{table}\n")


def _delete_everything(relay: Relay) -> bool:
    """Deletes the stack and what outlives it, whatever happens meanwhile. Returns whether nothing is left."""
    with processes.uninterrupted(), step("Deleting everything that this has created"):
        try:
            try:
                relay.delete_stack()
            finally:
                relay.delete_the_rest()
            left = relay.leftovers()
        except (Wrong, BotoCoreError, ClientError) as error:
            console.print(f"[red]Not deleted:[/red] {error}. Delete what has the tag {TAG}={relay.name}.")
            return False
    for service, name in left:
        console.print(f"[red]Not deleted:[/red] {service} {name}")
    return not left


@contextmanager
def _cloud(on: str, instance: Instance) -> Iterator[Account | Emulated]:
    if on == "aws":
        account = Account(instance)
        with Instance("build").claim() as building, step("Building the function, which takes some minutes"):
            build.build_for_aws(building, environment.host_architecture())
        yield account
        return
    with step("Building the function"):
        build.build_locally(instance, function_only=True)
    given = nullcontext(Emulator(instance, on))
    with emulator.run(instance) if on == "emulator" else given as running:
        yield Emulated(running)
