"""What a person reads of one claim, on one screen. Must not know how a verdict is derived, nor how lines are broken."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.claims import description, notes, phrases, reading, table, words
from tools.claims.claim import Claim
from tools.claims.code_locations import code_locations
from tools.claims.counting import COUNTINGS
from tools.claims.judged_run import JudgedRun
from tools.units import count, rest
from tools.words import rounds

Row = tuple[str, str]
"""Label, empty where it is that of the row above; and text."""
LINES, ARMS, CLAUSES, LOCATIONS = 2, 4, 2, 4
"""Shown at most; of more there is the number."""


def rows(claim: Claim, results: Path, last: JudgedRun | None) -> Iterator[Row]:
    """`last` is the last run with the claim, without its others. Raises PlainError."""
    yield claim.claim, claim.says
    yield from _notes(claim)
    yield from _experiment(claim)
    clauses = [
        f"{description.statistic(each.statistic)}: {words.asked(each.statistic, each.holds_if)}"
        for each in claim.clauses
    ]
    yield from _first("asked", clauses, CLAUSES)
    yield "expected", f"{claim.predicts.verdict}: {claim.predicts.because}"
    yield "measured", _to_measure(claim, results) if last is None else _measured(last)
    yield from _first("code", [f"{each.path}  {each.what}" for each in code_locations(claim)], LOCATIONS)


def _first(label: str, texts: Sequence[str], most: int) -> Iterator[Row]:
    for place, text in enumerate(texts[:most]):
        yield "" if place else label, text
    if len(texts) > most:
        yield "", f"and {count(len(texts) - most)} more"


def _notes(claim: Claim) -> Iterator[Row]:
    every = notes.read()
    for name in claim.lines[:LINES]:
        line = every[name]
        yield name, line.text or line.english
        if line.text:
            yield "", line.english
    if further := claim.lines[LINES:]:
        yield "", f"and of {', '.join(further)}"
    if claim.thesis and not claim.lines:
        yield "thesis", f"section {claim.thesis}"
    if claim.reading:
        yield "reading", {"notes": "as the notes have it", "thesis": "as the thesis has it"}[claim.reading]


def _experiment(claim: Claim) -> Iterator[Row]:
    asked = reading.asked(claim.experiment)
    if asked is None:
        yield "counting", f"{COUNTINGS[claim.experiment].title} ({claim.experiment})"
        return
    yield "experiment", f"{asked.title} ({claim.experiment})"
    yield from _first("arms", [f"{arm}: {phrases.arm(asked, arm)}" for arm in claim.arms], ARMS)
    yield "load", phrases.load(asked)
    yield "calls", phrases.calls(asked)


def _measured(last: JudgedRun) -> str:
    """As `holds: 24x (19 to 31), asked at least 5x; 3 rounds, 2026-11-27, in results/claims-...`."""
    (found,) = last.judged
    outcome, figure, asked, _ = words.row(found.claim, found.verdict)
    of = rounds(found.verdict.rounds) if found.verdict.rounds and found.claim.kind == "measured" else ""
    where = ", ".join(filter(None, (of, last.run.began[:10], f"in {last.folder}")))
    return f"{': '.join(filter(None, (outcome, figure)))}{f', asked {asked}' if figure else ''}; {where}"


def _to_measure(claim: Claim, results: Path) -> str:
    needs = table.needs(claim)
    return (
        f"not yet in {results}: sweetspot claims {claim.claim} takes {rest(claim.cost_s)} a round"
        f"{f', and needs {needs}' if needs else ''}"
    )
