"""Mutation tests of the library and aws-lite with cargo-mutants: unit tests first, then `tests/it` for what they miss.

Unit tests build in seconds and catch most mutants. At least 95 % of the viable mutants have to be caught.
"""

import json
import os
import re
import subprocess
from collections import Counter

from dev import cargo_tools
from dev.build import WORKSPACE
from dev.paths import PROJECT

_OUT = PROJECT / "target" / "mutants"
_LEAST_PERCENT = 95
# All caught, some missed, some timed out.
_GOOD = (0, 2, 3)


def run(files: list[str], shard: str | None) -> bool:
    """Returns whether the tests catch enough mutants."""
    which = [f"--file={file}" for file in files]
    if shard:
        which.append(f"--shard={shard}")
    unit = _run("unit", ["--lib"], which)
    survivors = [name for name, summary in unit.items() if summary in ("MissedMutant", "Timeout")]
    relay = _run("relay", ["--test=it"], [f"--re=^{re.escape(name)}$" for name in survivors]) if survivors else {}
    # cargo-mutants 27 tests omitted fields whatever the filter says.
    return _report(unit | {name: summary for name, summary in relay.items() if name in unit})


def _run(name: str, tests: list[str], which: list[str]) -> dict[str, str]:
    """Runs cargo-mutants with some of the tests. Returns the outcome of each mutant."""
    output = _OUT / name
    packages = ["--package=labelbox-relay", "--package=aws-lite"]
    command = [str(cargo_tools.install("cargo-mutants")), "mutants", f"--output={output}", *packages, *which]
    # The flags of `make test`, so that cargo uses the dependencies that it has compiled.
    cargo = [*WORKSPACE, *tests]
    command += [f"--cargo-arg={argument}" for argument in cargo]
    environment = os.environ | {
        "CARGO_TARGET_DIR": str(PROJECT / "target"),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        # Counterexamples need not be minimal here.
        "PROPTEST_CASES": "32",
        "PROPTEST_MAX_SHRINK_ITERS": "0",
    }
    output.mkdir(parents=True, exist_ok=True)
    status = subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
    if status not in _GOOD:
        raise SystemExit(f"cargo-mutants ended with status {status}; its logs are in {output}/mutants.out/log")
    outcomes = json.loads((output / "mutants.out" / "outcomes.json").read_text())["outcomes"]
    return {
        outcome["scenario"]["Mutant"]["name"]: outcome["summary"]
        for outcome in outcomes
        if outcome["scenario"] != "Baseline"
    }


def _report(outcomes: dict[str, str]) -> bool:
    missed = [name for name, summary in outcomes.items() if summary == "MissedMutant"]
    count = Counter(outcomes.values())
    viable = len(outcomes) - count["Unviable"]
    if not viable:
        raise SystemExit("there are no mutants: does the file exist?")
    percent = 100 * (viable - len(missed)) / viable
    for name in missed:
        print(f"missed   {name}")
    print(
        f"{len(outcomes)} mutants, {viable} viable: {viable - len(missed)} caught ({count['Timeout']} by a timeout), "
        f"{len(missed)} missed: {percent:.1f} %"
    )
    return percent >= _LEAST_PERCENT
