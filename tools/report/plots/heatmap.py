"""A number for each pair of two sizes: a table whose fields are the darker the higher. Must not know trials."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from tools.report.plots import TEMPLATES


class HeatField(NamedTuple):
    """One field of the table."""

    value: float | None
    """0 or more; None where it is not known."""
    text: str
    note: str
    """Shown on demand: an interval, or the reason why there is no value."""


def heatmap(
    fields: Sequence[Sequence[HeatField]],
    *,
    title: str,
    columns: Sequence[str],
    rows: Sequence[str],
    column_title: str,
    row_title: str,
) -> Markup:
    """`fields` row by row."""
    highest = max((field.value or 0.0 for row in fields for field in row), default=0.0) or 1.0
    return Markup(
        TEMPLATES.get_template("heatmap.html.j2").render(
            rows=list(zip(rows, fields, strict=True)),
            columns=columns,
            title=title,
            column_title=column_title,
            row_title=row_title,
            share=lambda value: f"{100 * value / highest:.0f}%",
        )
    )
