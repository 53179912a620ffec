"""Where everything lies: the project, its tools, and the folder of each instance."""

import fcntl
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.prefix) / "bin"
CARGO_TOOLS = TOOLS.parent / "cargo" / "bin"
LOCAL = PROJECT / ".local"
CACHE = LOCAL / "cache"
EVENTS = PROJECT / "events"
PROGRAM = Path("Function", "bootstrap")
"""The function's program, in a build of SAM's."""


class Busy(Exception):
    """Somebody else works with the same folder."""


@dataclass(frozen=True)
class Instance:
    """One emulator and what belongs to it, all in one ignored folder."""

    name: str

    @property
    def folder(self) -> Path:
        return LOCAL / self.name

    @property
    def temporary(self) -> Path:
        """Every program of this instance has this as its TMPDIR, which is also how we tell that it is one of ours."""
        return self.folder / "tmp"

    @property
    def build(self) -> Path:
        return self.folder / "build"

    @property
    def record(self) -> Path:
        return self.folder / "emulator.json"

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def prepare(self) -> None:
        for folder in (self.temporary, self.folder / "logs"):
            folder.mkdir(parents=True, exist_ok=True)

    def tidy(self) -> None:
        """Throws away what only a running emulator needs. Logs and the built function stay."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.record.unlink(missing_ok=True)

    @contextmanager
    def claim(self) -> Iterator["Instance"]:
        """Keeps others off this instance's folder meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"another command is working in {self.folder}; wait for it to end") from None
            self.prepare()
            yield self
