"""Progress on standard error and tables on standard output."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_SECONDS_BETWEEN_LINES = 20

console = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
# Wide enough for two ids; the width of a terminal counts only if there is one.
_output = Console(highlight=False, width=None if sys.stdout.isatty() else 150)


class Step:
    """A piece of work that takes some time."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = self._last_line = time.monotonic()
        self._status = console.status(title)

    def update(self, detail: str) -> None:
        """Shows how far the work is: on a terminal at once, elsewhere as a line every 20 s."""
        seconds = time.monotonic() - self._started
        if console.is_terminal:
            self._status.update(f"{self._title}, {seconds:.0f} s [dim]{detail}")
        elif time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            console.print(f"  … {seconds:.0f} s {detail}", markup=False)


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Shows that the work of the block is in progress, and how long it took."""
    this, started = Step(title), time.monotonic()
    if not console.is_terminal:
        console.print(title, markup=False)
        yield this
        console.print(f"  done in {time.monotonic() - started:.1f} s", markup=False)
        return
    with this._status:
        yield this
    console.print(f"[green]✓[/green] {title}, {time.monotonic() - started:.1f} s")


@dataclass(frozen=True)
class Row:
    """One line of a table, and what is wrong with it."""

    cells: Sequence[str]
    errors: Sequence[str] = ()


def show(title: str, columns: Iterable[str], rows: Iterable[Row]) -> None:
    """Prints a table. Rows with errors are red, and the errors follow them."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("", *columns):
        table.add_column(column, overflow="fold")
    for row in rows:
        mark, style = ("✗", "red") if row.errors else ("✓", "green")
        table.add_row(Text(mark, style), *map(Text, row.cells), style="red" if row.errors else "")
        for error in row.errors:
            table.add_row("", Text(error), style="red")
    _output.print(table)
