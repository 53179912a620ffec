"""A short soak in which each fault occurs once, and the evaluation of a soak."""

import shutil
from pathlib import Path

import pytest
from conftest import own_instance

from dev.paths import Instance
from dev.soak import deployed, find_violations, soak


@pytest.mark.extended
def test_no_fault_loses_an_event(queue_type: str, built: tuple[Instance, Path]) -> None:
    with own_instance("soak-test").claim() as instance:
        shutil.copytree(built[0].build, instance.build, dirs_exist_ok=True)
        with deployed(instance, queue_type) as site:
            load, violations = soak(*site, built[1], 0)
    assert not any(violations.values()), violations
    assert {"queued", "spilled", "502", "503"} <= load.count().keys()


@pytest.mark.parametrize(
    ("violated", "answers", "found"),
    [
        ([], {"a": "queued", "b": "503", "c": "502", "d": "spilled"}, ["a", "b", "d", "d"]),
        (["lost"], {"a": "spilled"}, []),
        (["duplicated"], {"a": "queued"}, ["a", "a"]),
        (["rejected"], {"a": "401"}, []),
        (["duplicated", "never sent"], {}, ["a"]),
    ],
)
def test_violation_is_reported(violated: list[str], answers: dict[str, str], found: list[str]) -> None:
    assert [name for name, events in find_violations(answers, found, is_fifo=True).items() if events] == violated
