"""The tables that `make run` prints."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Wide enough for two ids; a terminal's own width counts only where there is a terminal.
_output = Console(highlight=False, width=None if sys.stdout.isatty() else 150)


@dataclass(frozen=True)
class Row:
    """One line of a table, and what is wrong with it."""

    cells: Sequence[str]
    wrong: Sequence[str] = ()


def show(title: str, columns: Iterable[str], rows: Iterable[Row]) -> None:
    """Prints a table; a wrong line is red and says what is wrong below it."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        mark, style = ("✗", "red") if row.wrong else ("✓", "")
        table.add_row(
            Text(mark, style="red" if row.wrong else "green"), *(Text(cell) for cell in row.cells), style=style
        )
        for problem in row.wrong:
            table.add_row("", Text(problem), style="red")
    _output.print(table)


def tell(sentence: str) -> None:
    """Prints a line of the result, unbroken however long it is, so that it can be pasted."""
    print(sentence)
