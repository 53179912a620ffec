"""What `make mutants` does: cargo-mutants over `src/` and `aws-lite/`, first with the modules' own tests, then the survivors with
`tests/it`.

Most mutants die in their own room, whose tests are built in seconds; only what survives there is worth the whole relay.
Ends with 1 when less than 95 % of what compiles is noticed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

_PROJECT = Path(__file__).parent.parent
_OUT = _PROJECT / "target" / "mutants"
_CARGO_MUTANTS = _PROJECT / ".tools" / "cargo" / "bin" / "cargo-mutants"
_LEAST_PERCENT = 95
# All caught, some missed, some timed out; anything else is a fault of the run itself.
_GOOD = (0, 2, 3)


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.mutants", description=__doc__)
    parser.add_argument("--file", action="append", default=[], help="only mutants of this file, such as src/secret.rs")
    parser.add_argument("--shard", help="only a part of them, such as 0/8")
    arguments = parser.parse_args()
    which = [f"--file={file}" for file in arguments.file]
    if arguments.shard:
        which.append(f"--shard={arguments.shard}")
    rooms = _run("rooms", ["--lib"], which)
    survivors = [name for name, summary in rooms.items() if summary in ("MissedMutant", "Timeout")]
    relay = _run("relay", ["--test=it"], _exactly(survivors)) if survivors else {}
    # cargo-mutants 27 tries a field that is left out whatever one asks for.
    return _report(rooms | {name: summary for name, summary in relay.items() if name in rooms})


def _run(name: str, tests: list[str], which: list[str]) -> dict[str, str]:
    """Runs cargo-mutants with some of the tests, and gives what came of each mutant."""
    output = _OUT / name
    packages = ["--package=labelbox-relay", "--package=aws-lite"]
    command = [_CARGO_MUTANTS, "mutants", f"--output={output}", *packages, *which]
    # The crates that `make test` has compiled together, so that their dependencies are used here, too. Which tests is said to cargo
    # and not to them, so that nothing else is built either.
    cargo = ["--locked", "--workspace", "--exclude=usual", *tests]
    command += [f"--cargo-arg={argument}" for argument in cargo]
    environment = os.environ | {
        "CARGO_TARGET_DIR": str(_PROJECT / "target"),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        # A defect that 32 random cases miss is one for a test that says it; a smaller counterexample is of no use here.
        "PROPTEST_CASES": "32",
        "PROPTEST_MAX_SHRINK_ITERS": "0",
    }
    output.mkdir(parents=True, exist_ok=True)
    status = subprocess.run(command, cwd=_PROJECT, env=environment, check=False).returncode
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


def _report(outcomes: dict[str, str]) -> int:
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
    return int(percent < _LEAST_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
