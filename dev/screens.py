"""Draws the output of a command, with its colours, as an SVG picture for the README. `docs/screens` has them.

    script -qec 'stty columns 128; relayctl doctor' /dev/null | .tools/bin/python -m dev.screens 'relayctl doctor' \
        > docs/screens/doctor.svg
"""

import re
import sys
from io import StringIO

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

_ROWS, _HEAD, _TAIL = 40, 22, 12
"""The height of a picture, and the lines that are shown of longer output."""
# Without the fonts that a browser would load from another host.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)

if __name__ == "__main__":
    lines = sys.stdin.read().replace("\r\n", "\n").strip("\n").split("\n")
    if len(lines) > _ROWS:
        lines = [*lines[:_HEAD], "…", *lines[-_TAIL:]]
    console = Console(record=True, width=128, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ {sys.argv[1]}", style="bold"))
    console.print(Text.from_ansi("\n".join(lines)))
    print(console.export_svg(title="", unique_id="screen", code_format=_FORMAT))
