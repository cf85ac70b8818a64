"""One line an arm over an axis, with its name at its end. Must not know trials."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from tools.report.plots import TEMPLATES
from tools.report.plots.axis import PlotAxis
from tools.report.plots.labels import spread

HEIGHT = 300.0
"""Of the area between the axes, in pixels, if no other is given; more if the labels need it."""
LINE_OF_TEXT = 14.0
"""Of a label, in pixels."""
CHARACTER = 6.6
"""Mean width of a character of a label, in pixels."""
WIDE = 0.1
"""Ticks closer than this share of the width have no text."""
NARROW = 0.28
"""Ticks closer than this share of the width have their text only in wide windows."""


class CurvePoint(NamedTuple):
    """y None: a gap in the line, never a zero. low, high: the interval; None where it is not known."""

    x: float
    y: float | None
    low: float | None = None
    high: float | None = None
    text: str = ""
    """The value as a reader sees it while the line is highlighted; a point without it has no dot."""


@dataclass(frozen=True, slots=True)
class CurveLine:
    """One arm."""

    label: str
    """Model and options; in the plot, each word has a line of its own."""
    family: str
    points: Sequence[CurvePoint]
    fitted: Sequence[tuple[float, float]] = ()
    """A curve fitted to the points; where there is one, no line connects the points."""


class Mark(NamedTuple):
    """A point as it is drawn. x in per cent of the width, y in pixels from the top."""

    x: float
    y: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True, slots=True)
class DrawnCurve:
    """A line as it is drawn."""

    line: CurveLine
    path: str
    marks: Sequence[Mark]

    @property
    def end(self) -> Mark:
        return self.marks[-1]


def draw(
    lines: Sequence[CurveLine],
    *,
    x: PlotAxis,
    y: PlotAxis,
    title: str,
    x_title: str,
    y_title: str,
    proportional: bool = False,
    least_height: float = HEIGHT,
) -> Markup:
    """An SVG; `proportional` adds the line y = x."""
    words = [line.label.split() for line in lines]
    gap = LINE_OF_TEXT * max(map(len, words), default=1)
    height = max(least_height, gap * len(lines))

    def place(x_value: float, y_value: float) -> tuple[float, float]:
        return 100 * x.place(x_value), height * (1 - y.place(y_value))

    def mark(point: CurvePoint) -> Mark | None:
        if point.y is None:
            return None
        low, high = (None if end is None else place(point.x, end)[1] for end in (point.low, point.high))
        return Mark(*place(point.x, point.y), low, high, point.text)

    curves = []
    for line in lines:
        marks = [mark(point) for point in line.points]
        path = _path([place(*point) for point in line.fitted] if line.fitted else marks)
        if known := [each for each in marks if each]:
            curves.append(DrawnCurve(line, path, known))
    template = TEMPLATES.get_template("curves.svg.j2")
    return Markup(
        template.render(
            curves=list(zip(curves, spread([curve.end.y for curve in curves], gap, height), strict=True)),
            reference=_path([place(end, end) for end in (x.low, min(x.high, y.high))]) if proportional else "",
            title=title,
            x_title=x_title,
            y_title=y_title,
            height=height,
            x_ticks=_ticks(x),
            y_ticks=[(place(x.low, value)[1], name) for value, name in y.ticks],
            labels_px=round(CHARACTER * max((len(word) for label in words for word in label), default=0)),
            line_of_text=LINE_OF_TEXT,
        )
    )


def _path(places: Iterable[Sequence[float | str | None] | None]) -> str:
    """SVG path data; None interrupts the line."""
    parts, command = [], "M"
    for place in places:
        if place is None:
            command = "M"
            continue
        parts.append(f"{command}{place[0]:.4g} {place[1]:.4g}")
        command = "L"
    return "".join(parts)


def _ticks(axis: PlotAxis) -> list[tuple[float, str, bool]]:
    """Place in per cent, text, and whether a narrow window has room for the text. No text where no window has."""
    ticks, last, last_narrow = [], -1.0, -1.0
    for value, name in axis.ticks:
        place = axis.place(value)
        has_room, fits = place - last >= WIDE, place - last_narrow >= NARROW
        last, last_narrow = place if has_room else last, place if fits else last_narrow
        ticks.append((100 * place, name if has_room else "", fits))
    return ticks
