"""What an operator does after a trouble: send what was spilled to its queue, with the operator's tool."""

import json
from dataclasses import dataclass
from pathlib import Path

from dev import environment, processes
from dev.stack import Stack

SPILL = "spill/"
# How a run ends that has tried every message; one in trouble (3), or interrupted (130), has not.
_DONE, _SOME_KEPT = 0, 1


@dataclass(frozen=True)
class Replayed:
    """The account of the operator's tool."""

    sent: int
    kept: tuple[str, ...]
    """The messages that stayed in the bucket, with reasons."""


def replay(stack: Stack, tool: Path) -> Replayed:
    """Runs `relayctl replay-spill`. Raises `Failed` if it has not tried every message."""
    instance = stack.emulator.instance
    log = instance.log("replay-spill")
    settings = environment.for_emulator(instance, stack.emulator.endpoint)
    program = [str(tool), "replay-spill", "--stack", stack.name, "--json"]
    processes.run("relayctl replay-spill", program, settings, log, good=(_DONE, _SOME_KEPT))
    accounts = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    if not accounts:
        # The keeper ends with 1, too, where it cannot start the tool.
        raise processes.Failed("relayctl replay-spill gave no account", log)
    [account] = accounts
    return Replayed(account["sent"], tuple(f"{kept['message']}: {kept['reason']}" for kept in account["kept"]))
