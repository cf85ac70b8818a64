"""One row for each figure: its interval beside its threshold, which is the same line for all. Must not know claims.

Each place is a distance from the threshold: the logarithm of the ratio to it, above 0 on the right side. The square
root of the distance is drawn, so that 5 % and a factor of 50 are both visible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, inf, log, sqrt
from textwrap import wrap
from typing import Literal

from markupsafe import Markup

from tools.report.plots import TEMPLATES
from tools.report.plots.axis import PlotAxis, marked

FACTORS = ((1.1, "1.1x"), (2.0, "2x"), (10.0, "10x"), (100.0, "100x"))
"""Ticks on each side. A value beyond the last one is drawn there, as an arrow."""
LEAST = 2.0
"""The factor that each side has room for at least."""
WIDTH = 820
"""Of a file of its own, in pixels."""
PLOT_LEFT, PLOT_WIDTH = 396, 214
HEAD, FOOT, LINE, GAP = 88, 52, 15, 12
"""Above the rows, below them, of a line of text, and between rows. Pixels."""
TEXT_CHARACTERS, NOTE_CHARACTERS, TITLE_CHARACTERS = 52, 29, 92
"""Characters that have room in a line."""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One figure."""

    name: str
    text: str
    kind: str
    """A name of the style sheet, which colours it."""
    word: str
    """What the colour means."""
    note: str
    """After the word: the figure in numbers, or why there is none."""
    shape: Literal["circle", "square"]
    value: float | None
    """None: the row has no mark."""
    low: float = 0.0
    high: float = 0.0
    expected: float | None = None
    """A hollow mark."""


@dataclass(frozen=True, slots=True)
class RowPositions:
    """A row with the places of its marks, 0 to 1."""

    row: ForestRow
    value: float | None
    low: float
    high: float
    expected: float | None
    below: bool
    """The interval continues to the left of the axis."""
    beyond: bool
    """The interval continues to the right of it."""


@dataclass(frozen=True, slots=True)
class ForestLine:
    """A row of a file of its own."""

    placed: RowPositions
    text: Sequence[str]
    note: Sequence[str]
    top: float
    """In pixels."""


def placed(rows: Sequence[ForestRow]) -> tuple[PlotAxis, list[RowPositions]]:
    """The axis for all, and each row on it."""
    axis = _axis(rows)

    def place(distance: float) -> float:
        return axis.place(min(max(_drawn(distance), axis.low), axis.high))

    return axis, [
        RowPositions(
            row=row,
            value=None if row.value is None else place(row.value),
            low=place(row.low),
            high=place(row.high),
            expected=None if row.expected is None else place(row.expected),
            below=row.value is not None and _drawn(row.low) < axis.low - 1e-9,
            beyond=row.value is not None and _drawn(row.high) > axis.high + 1e-9,
        )
        for row in rows
    ]


def draw(groups: Sequence[tuple[str, Sequence[ForestRow]]], *, title: str, caption: str) -> Markup:
    """For a page: the rows of each group under its title."""
    axis, every = placed([row for _, rows in groups for row in rows])
    known = iter(every)
    return Markup(
        TEMPLATES.get_template("forest.html.j2").render(
            groups=[(name, [next(known) for _ in rows]) for name, rows in groups],
            axis=axis,
            title=title,
            caption=caption,
        )
    )


def standalone(rows: Sequence[ForestRow], *, title: str) -> str:
    """A file of its own, WIDTH pixels wide, on a ground of its own: it is read on white and on dark pages."""
    axis, every = placed(rows)
    lines, top = [], float(HEAD)
    for one in every:
        text, note = wrap(one.row.text, TEXT_CHARACTERS), wrap(one.row.note, NOTE_CHARACTERS)
        height = LINE * max(len(text), 1 + len(note)) + GAP
        lines.append(ForestLine(one, text, note, top))
        top += height
    template = TEMPLATES.get_template("forest.svg.j2")
    return template.render(
        lines=lines,
        axis=axis,
        title=wrap(title, TITLE_CHARACTERS),
        width=WIDTH,
        height=top + FOOT,
        top=HEAD,
        bottom=top,
        left=PLOT_LEFT,
        across=PLOT_WIDTH,
        line=LINE,
        gap=GAP,
    )


def _axis(rows: Sequence[ForestRow]) -> PlotAxis:
    ends = [end for row in rows if row.value is not None for end in (row.low, row.high, row.value)]
    ends += [row.expected for row in rows if row.expected is not None]
    finite = [end for end in ends if abs(end) < inf]
    ticks = [(0.0, "")]
    for sign in (-1, 1):
        reach = max((sign * end for end in finite), default=0.0)
        for number, (factor, text) in enumerate(FACTORS):
            ticks.append((_drawn(sign * log(factor)), text))
            if log(factor) >= max(reach, log(LEAST)) - 1e-9 or number == len(FACTORS) - 1:
                break
    return marked(sorted(ticks))


def _drawn(distance: float) -> float:
    return copysign(sqrt(abs(distance)), distance)
