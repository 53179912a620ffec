"""A short soak in which each fault occurs once, and the evaluation of a soak."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import own_instance

from dev.paths import Instance
from dev.soak import FAULTS, Entry, Found, Soak, deployed

FOUND = Found("1", "id", "label", "LABEL_UPDATED")
AGAIN = replace(FOUND, id="2")


@pytest.mark.extended
def test_no_fault_violates_an_invariant(
    queue_type: str, copy_build: Callable[[Instance], None], relayctl: Path
) -> None:
    with own_instance("soak-test").claim() as instance:
        copy_build(instance)
        with deployed(instance, queue_type) as site:
            soak = Soak(*site, relayctl)
            assert soak.run(0) == {}
    assert soak.faults == len(FAULTS) and soak.killed and soak.replayed
    assert {"queued", "unrouted", "spilled", "401", "502", "503"} <= soak.outcomes.keys()


@pytest.mark.parametrize(
    ("violated", "entry"),
    [
        ([], Entry("label", 1, ["queued"], 0, {FOUND})),
        ([], Entry("label", 2, ["503", "spilled"], 0, {FOUND, AGAIN})),
        ([], Entry("forged", 2, ["401", "503"])),
        (["lost"], Entry("label", 1, ["spilled"])),
        (["lost"], Entry("model run", 2, ["queued"] * 2, 0, {Found("1", "id", "model_run", "MODEL_RUN_CREATED")})),
        (["duplicated"], Entry("label", 2, ["queued"] * 2, 0, {FOUND, AGAIN})),
        (["in a wrong queue"], Entry("label", 1, ["queued"], 0, {replace(FOUND, queue="review")})),
        (["with another topic"], Entry("label", 1, ["queued"], 0, {replace(FOUND, topic=None)})),
        (["genuine, but rejected"], Entry("label", 1, ["401"])),
        (["slower than 10 s"], Entry("label", 1, ["503"], 10.1)),
        (["forged, but accepted"], Entry("forged", 1, ["queued"])),
        (["forged, but accepted"], Entry("forged", 1, ["401"], 0, {FOUND})),
    ],
)
def test_violation_is_reported(violated: list[str], entry: Entry) -> None:
    assert entry.violations(is_fifo=True) == violated
