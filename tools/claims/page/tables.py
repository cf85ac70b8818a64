"""The values of each round of one claim, as they were read. Must not know HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.claims import description, words
from tools.claims.claim import Operand, Statistic
from tools.claims.judged_run import JudgedClaim
from tools.claims.page.pictures import figures, value_text
from tools.claims.sample import SampleReading
from tools.report.axes import WORDS
from tools.units import count

NOT_KNOWN = "not known"
BOUNDS = {-1: "< ", 0: "", 1: "> "}


@dataclass(frozen=True, slots=True)
class Table:
    """Of one clause."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    """The number of the round first."""


def of_rounds(judged: JudgedClaim) -> list[Table]:
    """For each clause of a measured claim all rounds that were made, looked at or not; none without any value."""
    if judged.claim.kind == "counted" or not judged.source.rounds:
        return []
    tables = [_table(judged, clause.statistic) for clause in judged.claim.clauses]
    return [table for table in tables if any(cell != NOT_KNOWN for _, *cells in table.rows for cell in cells)]


def _table(judged: JudgedClaim, statistic: Statistic) -> Table:
    made = judged.source.rounds
    leaves = list(statistic.leaves)
    known = figures(judged, statistic, made)
    same = len({description.title(leaf) for leaf in leaves}) == 1
    return Table(
        title=description.statistic(statistic),
        columns=["figure", *((description.label(leaf) if same else description.operand(leaf)) for leaf in leaves)],
        rows=[
            [
                count(number),
                words.text(statistic, known[number]) if number in known else NOT_KNOWN,
                *(_value(judged, leaf, number) for leaf in leaves),
            ]
            for number in range(1, made + 1)
        ],
    )


def _value(judged: JudgedClaim, leaf: Operand, number: int) -> str:
    if leaf.over:
        along = judged.source.along(leaf, number) or ()
        axis = WORDS.get(leaf.over)
        parts = (f"{axis.value(at) if axis else at}: {_text(leaf, reading)}" for at, reading in along)
        return "; ".join(parts) or NOT_KNOWN
    reading = judged.source.reading(leaf, number)
    if reading is None:
        return NOT_KNOWN
    if not leaf.per:
        return _text(leaf, reading)
    cases = judged.source.reading(leaf.cases, number)
    return f"{_text(leaf, reading)} of {count(cases.value)}" if cases else _text(leaf, reading)


def _text(leaf: Operand, reading: SampleReading) -> str:
    return f"{BOUNDS[reading.bound]}{value_text(leaf, reading.value)}"
