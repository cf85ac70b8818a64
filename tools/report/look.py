"""How each model looks in every plot, table and waterfall. Must not know what is plotted.

Colours are Okabe and Ito's (jfly.uni-koeln.de/color), which stay apart in every common form of colour
blindness; the marker tells models apart where colour cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A8A8A")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "x")


@dataclass(frozen=True, slots=True)
class Look:
    """What stands for a model."""

    model: str
    colour: str
    """CSS colour."""
    symbol: str
    """Plotly marker."""


def looks(models: Sequence[str]) -> dict[str, Look]:
    """Model -> look; 7 colours and 8 symbols make 56 that differ."""
    return {
        model: Look(model, COLOURS[place % len(COLOURS)], SYMBOLS[place % len(SYMBOLS)])
        for place, model in enumerate(models)
    }
