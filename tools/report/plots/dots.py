"""One value an arm, sorted: a dot with its interval on one axis for all. Must not know trials."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from tools.report.plots import TEMPLATES
from tools.report.plots.axis import linear

DotMark = Literal["best", "tied", "", "void"]


@dataclass(frozen=True, slots=True)
class Dot:
    """One arm."""

    label: str
    family: str
    value: float | None
    """None: the arm has a row with its note, and no dot."""
    low: float | None
    """The ends of the interval; None where it is not known."""
    high: float | None
    mark: DotMark
    """`tied`: cannot be distinguished from the best."""
    note: str
    """Shown after the value."""


def draw(
    dots: Sequence[Dot],
    *,
    title: str,
    text: Callable[[float], str],
    unit: str = "",
    caption: str = "",
    higher_is_better: bool = True,
) -> Markup:
    """The best first, and last those without a value. `unit` is empty where `text` has it."""
    axis = linear((end for dot in dots for end in (dot.value, dot.high) if end is not None), text)
    known = sorted((dot for dot in dots if dot.value is not None), key=lambda dot: dot.value or 0.0)
    ordered = (known[::-1] if higher_is_better else known) + [dot for dot in dots if dot.value is None]

    def place(value: float) -> float:
        return 100 * axis.place(value)

    return Markup(
        TEMPLATES.get_template("dots.html.j2").render(
            dots=ordered,
            axis=axis,
            place=place,
            title=title,
            unit=f"{unit}, " if unit else "",
            caption=caption,
            better="higher is better" if higher_is_better else "lower is better",
            text=text,
        )
    )
