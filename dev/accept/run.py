"""One run: every claim in the order of the table, the page, and nothing left however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import ClientError

from dev import build, emulator, processes
from dev.accept import report
from dev.accept.claims import CLAIMS, Claim
from dev.accept.relay import TAG, Account, Emulated, NotShown, Relay, Wrong
from dev.accept.report import PAGE, Outcome, Status
from dev.emulator import Emulator
from dev.output import Row, console, show, step
from dev.paths import Instance


def run(on: str, page: Path | None = None, email: str = "") -> bool:
    """Runs all claims at AWS, on an emulator of its own, or on the one with this address. Returns whether none failed.

    Without a `page` to write, a run at AWS writes the document's.
    """
    outcomes: list[Outcome] = []
    with Instance("accept").claim() as instance, _cloud(on, instance) as cloud:
        relay = Relay(cloud, email)
        console.print(f"The stack is {relay.name}, on {cloud.where}", markup=False)
        try:
            for claim, shows in CLAIMS:
                with step(claim):
                    outcomes.append(_outcome(claim, shows, relay))
                if not hasattr(relay, "stack"):
                    break
        finally:
            is_clean = _delete_everything(relay)
        if page is None and cloud.is_aws:
            page = PAGE
        if page is not None:
            report.write(outcomes, relay, page)
        rows = [
            Row((each.claim, each.status, "" if each.status is Status.FAILED else each.found), each.wrong)
            for each in outcomes
        ]
        show("Acceptance", ("claim", "status", "what happened"), rows)
        print(report.summary(outcomes, relay))
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


def _delete_everything(relay: Relay) -> bool:
    """Deletes the stack and what outlives it, whatever happens meanwhile. Returns whether nothing is left."""
    with processes.uninterrupted(), step("Deleting everything that this has created"):
        try:
            try:
                relay.delete_stack()
            finally:
                relay.delete_the_rest()
            left = relay.leftovers()
        except (Wrong, ClientError) as error:
            console.print(f"[red]Not deleted:[/red] {error}. Delete what has the tag {TAG}={relay.name}.")
            return False
    for service, name in left:
        console.print(f"[red]Not deleted:[/red] {service} {name}")
    return not left


@contextmanager
def _cloud(on: str, instance: Instance) -> Iterator[Account | Emulated]:
    if on == "aws":
        yield Account(instance)
        return
    with step("Building the function") as this:
        build.build_locally(instance, this.update, function_only=True)
    if on != "emulator":
        yield Emulated(Emulator(instance, on), instance)
        return
    with emulator.run(instance) as running:
        yield Emulated(running, instance)
