"""What one sees while it works: a spinner with the time on a terminal, plain lines anywhere else."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_SECONDS_BETWEEN_LINES = 20

console = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
"""Where the steps are shown. Standard output is for results."""


class Step:
    """A piece of work that takes a while."""

    def __init__(self, title: str, progress: Progress | None) -> None:
        self._title = title
        self._progress = progress
        self._started = self._said = time.monotonic()

    def say(self, detail: str) -> None:
        """Shows how far it is."""
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], detail=detail)
        elif time.monotonic() - self._said > _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            console.print(f"  … {self.seconds:.0f} s {detail}", markup=False)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Shows that `title` is being done, and how long it took when it is done."""
    if not console.is_terminal:
        console.print(title, markup=False)
        this = Step(title, None)
        yield this
        console.print(f"  done in {this.seconds:.1f} s", markup=False)
    else:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[detail]}"),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            progress.add_task(title, detail="")
            this = Step(title, progress)
            yield this
        console.print(f"[green]✓[/green] {title}, {this.seconds:.1f} s")
