"""The pictures of one claim: its figure in each round, and what the figure is made of. Must not know HTML."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf

import numpy as np
from markupsafe import Markup

from tools.claims import description, words
from tools.claims.claim import Clause, Operand, Statistic
from tools.claims.decision import Interval
from tools.claims.judged_run import JudgedClaim
from tools.claims.measures import MEASURES, number
from tools.claims.sample import counts, sample
from tools.report.axes import WORDS
from tools.report.plots import curves, rounds
from tools.report.plots.axis import linear
from tools.report.plots.curves import CurveLine, CurvePoint
from tools.report.plots.rounds import RoundsRow
from tools.units import count

CURVES_HEIGHT = 150.0
"""In pixels."""
Families = Mapping[str, str]
"""Arm -> the family of its model."""


def of_figures(judged: JudgedClaim) -> Iterator[Markup]:
    """One for each clause of a measured claim."""
    if judged.claim.kind == "counted":
        return
    made = judged.verdict.rounds or judged.source.rounds
    for place, clause in enumerate(judged.claim.clauses):
        values = figures(judged, clause.statistic, made)
        shown = judged.verdict.figures[place] if place < len(judged.verdict.figures) else None
        if values:
            yield _of_figure(clause, list(values.values()), shown)


def figures(judged: JudgedClaim, statistic: Statistic, made: int) -> dict[int, float]:
    """Round -> the figure, of the rounds that have one."""
    if statistic.form == "events":
        found = {each: counts(statistic, judged.source, each) for each in range(1, made + 1)}
        return {each: known[0] / known[1] for each, known in found.items() if known and known[1]}
    readings = {each: sample(statistic, judged.source, each) for each in range(1, made + 1)}
    return {each: reading.value for each, reading in readings.items() if reading}


def _of_figure(clause: Clause, values: Sequence[float], shown: Interval | None) -> Markup:
    statistic, bound = clause.statistic, clause.holds_if
    finite = shown is not None and abs(shown.low) < inf and abs(shown.high) < inf
    return rounds.draw(
        [
            RoundsRow(
                label="figure",
                family="figure",
                values=values,
                text=words.figure(statistic, shown) if shown else "",
                low=shown.low if shown and finite else None,
                high=shown.high if shown and finite else None,
            )
        ],
        title=f"{description.statistic(statistic)}; asked: {words.asked(statistic, bound)}",
        text=lambda value: words.text(statistic, value),
        allowed=(bound.low, bound.high),
    )


def of_operands(judged: JudgedClaim, families: Families) -> Iterator[Markup]:
    """What the figures are made of: one picture for each thing that is measured, a row for each arm."""
    grouped: dict[tuple[str, str], list[Operand]] = {}
    for leaf in (leaf for clause in judged.claim.clauses for leaf in clause.statistic.leaves):
        group = grouped.setdefault((description.title(leaf), leaf.over), [])
        if leaf not in group and not _is_whole_figure(judged, leaf):
            group.append(leaf)
    made = 1 if judged.claim.kind == "counted" else judged.verdict.rounds or judged.source.rounds
    for (title, over), leaves in grouped.items():
        drawn = _slopes if over else _dots
        yield from drawn(judged, title, leaves, families, made)


def _is_whole_figure(judged: JudgedClaim, leaf: Operand) -> bool:
    """Whether it is drawn as the figure of a clause already."""
    if judged.claim.kind == "counted" or leaf.over:
        return False
    return any(
        clause.statistic.form == "value" and clause.statistic.operands == (leaf,) for clause in judged.claim.clauses
    )


def _dots(
    judged: JudgedClaim, title: str, leaves: Sequence[Operand], families: Families, made: int
) -> Iterator[Markup]:
    rows = []
    for leaf in leaves:
        readings = [judged.source.reading(leaf, each) for each in range(1, made + 1)]
        values = [reading.value for reading in readings if reading]
        bound = any(reading.bound > 0 for reading in readings if reading)
        rows.append(
            RoundsRow(
                label=description.label(leaf) or title,
                family=families.get(leaf.arm, "other"),
                values=values,
                text=_range(leaf, values, is_bound=bound),
            )
        )
    if any(row.values for row in rows):
        yield rounds.draw(rows, title=title, text=lambda value: value_text(leaves[0], value))


def _range(leaf: Operand, values: Sequence[float], *, is_bound: bool) -> str:
    """As `48 to 51 ms`."""
    if not values:
        return "not known"
    ends = [value_text(leaf, end) for end in (min(values), max(values))]
    shown = ends[0] if ends[0] == ends[1] else words.span(*ends)
    return f"> {shown}" if is_bound else shown


def value_text(leaf: Operand, value: float) -> str:
    """With its unit."""
    if leaf.measure in MEASURES:
        return MEASURES[leaf.measure].text(value)
    return count(value) if float(value).is_integer() else number(value)


def _slopes(
    judged: JudgedClaim, title: str, leaves: Sequence[Operand], families: Families, made: int
) -> Iterator[Markup]:
    lines = []
    for leaf in leaves:
        found = [along for each in range(1, made + 1) if (along := judged.source.along(leaf, each))]
        if not found:
            continue
        places = [place for place, _ in found[0]]
        means = np.mean([[reading.value for _, reading in along] for along in found], axis=0)
        points = [
            CurvePoint(place, float(mean), text=value_text(leaf, mean))
            for place, mean in zip(places, means, strict=True)
        ]
        lines.append(CurveLine(description.label(leaf), families.get(leaf.arm, "other"), points))
    if not lines:
        return
    leaf = leaves[0]
    axis = WORDS.get(leaf.over)
    yield curves.draw(
        lines,
        x=linear((point.x for line in lines for point in line.points), axis.tick if axis else count),
        y=linear(
            (point.y for line in lines for point in line.points if point.y is not None),
            lambda value: value_text(leaf, value),
        ),
        title=title,
        x_title=axis.title if axis else leaf.over,
        y_title=title.removeprefix("slope of "),
        least_height=CURVES_HEIGHT,
    )
