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

console = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
# Wide enough for two ids; the width of a terminal counts only if there is one.
_output = Console(highlight=False, width=None if sys.stdout.isatty() else 150)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Says that the work of the block is in progress, and then how long it took."""
    console.print(title, markup=False)
    started = time.monotonic()
    yield
    console.print(f"  done in {time.monotonic() - started:.1f} s", markup=False, style="dim")


@dataclass(frozen=True)
class Row:
    """One line of a table, and what is wrong with it."""

    cells: Sequence[str]
    errors: Sequence[str] = ()


def show(title: str, columns: Iterable[str], rows: Iterable[Row]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("", *columns):
        table.add_column(column, overflow="fold")
    for row in rows:
        mark, style = ("✗", "red") if row.errors else ("✓", "green")
        table.add_row(Text(mark, style), *map(Text, row.cells), style="red" if row.errors else "")
        for error in row.errors:
            table.add_row("", Text(error), style="red")
    _output.print(table)
