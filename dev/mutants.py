"""cargo-mutants over `src/` and `aws-lite/`, first with the modules' own tests, then the survivors with
`tests/it`.

Unit tests build in seconds and kill most mutants. At least 95 % of the viable mutants have to be caught.
"""

import json
import os
import re
import subprocess

from dev import cargo_tools
from dev.places import PROJECT

_OUT = PROJECT / "target" / "mutants"
_LEAST_PERCENT = 95
# All caught, some missed, some timed out; anything else is a fault of the run itself.
_GOOD = (0, 2, 3)


def run(files: list[str], shard: str | None) -> bool:
    """Returns whether enough mutants are noticed."""
    which = [f"--file={file}" for file in files]
    if shard:
        which.append(f"--shard={shard}")
    unit = _run("unit", ["--lib"], which)
    survivors = [name for name, summary in unit.items() if summary in ("MissedMutant", "Timeout")]
    relay = _run("relay", ["--test=it"], _exactly(survivors)) if survivors else {}
    # cargo-mutants 27 tries a field that is left out whatever one asks for.
    return _report(unit | {name: summary for name, summary in relay.items() if name in unit})


def _run(name: str, tests: list[str], which: list[str]) -> dict[str, str]:
    """Runs cargo-mutants with some of the tests, and gives what came of each mutant."""
    output = _OUT / name
    packages = ["--package=labelbox-relay", "--package=aws-lite"]
    command = [str(cargo_tools.install("cargo-mutants")), "mutants", f"--output={output}", *packages, *which]
    # The crates that `make test` has compiled together, so that their dependencies are used here, too. Which tests is said to cargo
    # and not to them, so that nothing else is built either.
    cargo = ["--locked", "--workspace", "--exclude=usual", *tests]
    command += [f"--cargo-arg={argument}" for argument in cargo]
    environment = os.environ | {
        "CARGO_TARGET_DIR": str(PROJECT / "target"),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        # A defect that 32 random cases miss is one for a test that says it; a smaller counterexample is of no use here.
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


def _exactly(names: list[str]) -> list[str]:
    return [f"--re=^{re.escape(name)}$" for name in names]


def _report(outcomes: dict[str, str]) -> bool:
    by_summary: dict[str, list[str]] = {}
    for name, summary in outcomes.items():
        by_summary.setdefault(summary, []).append(name)
    missed = by_summary.get("MissedMutant", [])
    timeouts = by_summary.get("Timeout", [])
    viable = len(outcomes) - len(by_summary.get("Unviable", []))
    noticed = viable - len(missed)
    if not viable:
        raise SystemExit("nothing was broken: does the file exist?")
    percent = 100 * noticed / viable
    for name in missed:
        print(f"missed   {name}")
    print(
        f"{len(outcomes)} mutants, {viable} viable: {noticed} noticed ({len(timeouts)} by a timeout), "
        f"{len(missed)} missed: {percent:.1f} %"
    )
    return percent >= _LEAST_PERCENT
