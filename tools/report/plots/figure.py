"""A figure of a page: a plot with one or more views, of which one is shown at a time. Must not know what is plotted."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class View:
    """One thing that a figure can show."""

    label: str
    plot: Markup
    notes: Sequence[str] = ()
    """Shown below the plot."""


@dataclass(frozen=True, slots=True)
class PlotFigure:
    """One figure."""

    name: str
    """Unique in its page."""
    title: str
    caption: str
    chooser: str
    """What choosing a view chooses, as `Percentile`."""
    views: Sequence[View]
    selected: int = 0
