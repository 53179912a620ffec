"""The project's folders, and the folder of each instance of the emulator."""

import fcntl
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev import UserError

PROJECT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.prefix) / "bin"
LOCAL = PROJECT / ".local"
CACHE = LOCAL / "cache"
EVENTS = PROJECT / "events"
PROGRAM = Path("Function", "bootstrap")
"""The function's program in a build folder of SAM."""


@dataclass(frozen=True)
class Instance:
    """One emulator with its build, logs and data in a folder that git ignores."""

    name: str

    @property
    def folder(self) -> Path:
        return LOCAL / self.name

    @property
    def temporary(self) -> Path:
        """TMPDIR of every process of this instance, by which `processes.end_all` finds them."""
        return self.folder / "tmp"

    @property
    def build(self) -> Path:
        return self.folder / "build"

    @property
    def record(self) -> Path:
        """Where `emulator.find` reads which process is, or was, the emulator, and on which port."""
        return self.folder / "emulator.json"

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def prepare(self) -> None:
        for folder in (self.temporary, self.folder / "logs"):
            folder.mkdir(parents=True, exist_ok=True)

    def clean(self) -> None:
        """Deletes what only a running emulator needs. Logs, builds and the record stay."""
        shutil.rmtree(self.temporary, ignore_errors=True)

    @contextmanager
    def claim(self) -> Iterator["Instance"]:
        """Locks the folder for as long as the block runs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"another command uses {self.folder}; wait until it ends") from None
            self.prepare()
            yield self
