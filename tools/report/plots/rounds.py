"""The values of each round, a dot each, on one axis for all rows. Must not know trials."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tools.report.plots import TEMPLATES
from tools.report.plots.axis import PlotAxis, linear, logarithmic

SPREAD = 30.0
"""Values that are above 0 and differ by more than this factor are drawn on a logarithmic axis."""
SHORT = 6
"""Characters of a text that has room between two others."""


@dataclass(frozen=True, slots=True)
class RoundsRow:
    """One arm."""

    label: str
    family: str
    values: Sequence[float]
    """Of the rounds that have one, in their order."""
    text: str
    """Shown after the dots."""
    low: float | None = None
    """The ends of the interval; None where there is none."""
    high: float | None = None


def draw(
    rows: Sequence[RoundsRow],
    *,
    title: str,
    text: Callable[[float], str],
    allowed: tuple[float, float] | None = None,
) -> Markup:
    """`allowed`: the range that is shaded; an end that is not finite is that of the axis."""
    values = [value for row in rows for value in row.values]
    ends = [end for row in rows for end in (row.low, row.high) if end is not None]
    bounds = [end for end in allowed or () if abs(end) < float("inf")]
    axis = _axis([*values, *ends, *bounds], text)
    shaded = allowed and (max(allowed[0], axis.low), min(allowed[1], axis.high))
    return Markup(
        TEMPLATES.get_template("rounds.html.j2").render(
            rows=rows,
            axis=axis,
            ticks=_sparse(axis),
            place=lambda value: 100 * axis.place(min(max(value, axis.low), axis.high)),
            title=title,
            shaded=shaded,
            bounds=bounds,
        )
    )


def _axis(values: Sequence[float], text: Callable[[float], str]) -> PlotAxis:
    above = bool(values) and min(values) > 0
    return logarithmic(values, text) if above and max(values) > SPREAD * min(values) else linear(values, text)


def _sparse(axis: PlotAxis) -> Sequence[tuple[float, str]]:
    """Those with a text: the ends, and one between where texts are short."""
    ticks = axis.ticks
    short = all(len(text) <= SHORT for _, text in ticks)
    return ticks if len(ticks) < 3 else (ticks[0], *([ticks[len(ticks) // 2]] if short else []), ticks[-1])
