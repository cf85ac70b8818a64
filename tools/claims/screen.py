"""Rows of label and text as lines of one screen: text that is too long is cut. Must not know what a text means."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

LINES, COLUMNS = 24, 100
"""The size of a slide that people can read from the last row."""
LABEL = 11


def lines(console: Console, rows: Sequence[tuple[str, str]]) -> list[Text]:
    """Each row in as many lines as its text needs. If these are too many, the longest rows lose their last lines."""
    width = COLUMNS - LABEL
    broken = [list(Text(text).wrap(console, width)) for _, text in rows]
    while sum(map(len, broken)) > LINES and max(map(len, broken)) > 1:
        # Of equally long rows the last one is cut: the claim's statement is the first row.
        longest = max(reversed(broken), key=len)
        longest.pop()
        left = longest[-1].plain.rstrip()
        longest[-1] = Text(f"{set_cell_size(left, min(cell_len(left), width - 4)).rstrip()} ...")
    found = []
    for (label, _), of_row in zip(rows, broken, strict=True):
        for place, text in enumerate(of_row):
            found.append(Text.assemble((f"{'' if place else label:{LABEL}}", "bold"), text.plain.rstrip()))
    return found
