"""What an operator does after a trouble: send what was spilled to its queue, with the operator's tool."""

import json
from dataclasses import dataclass
from pathlib import Path

from local import environment, processes
from local.stack import Stack

SPILL = "spill/"


@dataclass(frozen=True)
class Replayed:
    """The account of the operator's tool."""

    sent: int
    kept: tuple[str, ...]
    """The messages that stayed in the bucket, with reasons."""


def replay(stack: Stack, tool: Path) -> Replayed:
    """Runs `relayctl replay-spill`. Raises `Failed` if it could not work at all."""
    instance = stack.emulator.instance
    log = instance.log("replay-spill")
    settings = environment.for_emulator(instance, stack.emulator.endpoint)
    program = [str(tool), "replay-spill", "--stack", stack.name, "--json"]
    try:
        processes.run("relayctl replay-spill", program, settings, log)
    except processes.Failed:
        # It ends with 1 when something stayed, and then there is an account, too.
        if '"kept":[{' not in log.read_text():
            raise
    [account] = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return Replayed(account["sent"], tuple(f"{kept['message']}: {kept['reason']}" for kept in account["kept"]))
