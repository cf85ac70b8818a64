"""Figures and verdicts of claims as text, the same in terminal, page and export. Must not know where they come from."""

import re
from math import inf

from tools.claims.claim import Claim, Statistic, Threshold
from tools.claims.decision import LOOKS, ClaimVerdict, Interval
from tools.claims.description import label
from tools.claims.floor import apart
from tools.claims.measures import MEASURES, number
from tools.units import count

PER = 100_000
"""Cases that events are counted in."""


def figure(statistic: Statistic, found: Interval) -> str:
    """As `24x (19 to 31)`, or `9 ms (8 to 11)`; a counted one without an interval."""
    value = text(statistic, found.value)
    if found.low == found.high:
        return value
    if found.high == inf:
        return f"more than {text(statistic, found.low)}"
    if found.low in (-inf, 0) and found.value:
        return f"less than {text(statistic, found.high)}"
    if statistic.form == "events":
        value, low, high = (number(PER * each) for each in (found.value, found.low, found.high))
        return f"{value} ({low} to {high}) in {count(PER)}"
    low, high = text(statistic, found.low), text(statistic, found.high)
    if _unit(low) == _unit(high) == _unit(value):
        return f"{value} ({low.removesuffix(_unit(low))} to {high.removesuffix(_unit(high))})"
    return f"{value} ({low} to {high})"


def span(low: str, high: str) -> str:
    """As `8 to 11 ms`: the unit once, where both have the same one."""
    return f"{low.removesuffix(_unit(low)) if _unit(low) == _unit(high) else low} to {high}"


def _unit(of: str) -> str:
    """What follows the number, as ` ms`, `x`, ` in 100,000`."""
    return re.sub(r"^-?[\d,.]+(e[-+]\d+)?", "", of)


def text(statistic: Statistic, value: float) -> str:
    """One value with its unit."""
    if statistic.form == "ratio":
        return f"{number(value)}x"
    operand = statistic.operands[0]
    if statistic.form == "events":
        return f"{number(PER * value)} in {count(PER)}"
    if operand.is_ratio:
        return f"{number(value)}x"
    if operand.measure not in MEASURES:
        return number(value)
    shown = MEASURES[operand.measure].text(abs(value))
    return f"{'-' if value < 0 else ''}{shown}{f' per {operand.over}' if operand.over else ''}"


def asked(statistic: Statistic, bound: Threshold) -> str:
    """As `at least 5x`."""
    if bound.low == bound.high:
        return f"exactly {text(statistic, bound.low)}"
    if bound.within is not None:
        return span(text(statistic, bound.low), text(statistic, bound.high))
    if bound.at_least is not None:
        return f"at least {text(statistic, bound.at_least)}"
    return f"at most {text(statistic, bound.high)}"


def outcome(verdict: ClaimVerdict) -> str:
    """The word, with what a reader needs beside it: `about n more rounds` are more than the command makes."""
    if verdict.word == "not distinguishable" and verdict.more_rounds:
        more = f"{count(verdict.more_rounds)} more round{'' if verdict.more_rounds == 1 else 's'}"
        if verdict.rounds + verdict.more_rounds > max(LOOKS):
            more = f"about {more}"
        return f"{verdict.word} ({more})"
    return f"{verdict.word}: {verdict.why}" if verdict.why else verdict.word


def row(claim: Claim, verdict: ClaimVerdict) -> tuple[str, str, str, str]:
    """Outcome, figure, threshold and rounds."""
    # What decided it: a further clause may have, while the primary one is inside.
    place = deciding(claim, verdict)
    clause = claim.clauses[place]
    shown = verdict.figures[place] if place < len(verdict.figures) else None
    # A reader takes a figure without a name for that of the claim's own statistic.
    named = f"{' / '.join(map(label, clause.statistic.operands))}: " if place else ""
    return (
        outcome(verdict),
        f"{named}{figure(clause.statistic, shown)}" if shown else "",
        asked(clause.statistic, clause.holds_if),
        "counted" if claim.kind == "counted" else count(verdict.rounds) if verdict.rounds else "",
    )


def deciding(claim: Claim, verdict: ClaimVerdict) -> int:
    """The first clause that is outside of its bound, or across it; else the primary one."""
    for wanted in ("outside", "across") if verdict.word in ("does not hold", "not distinguishable") else ():
        for place, (clause, found) in enumerate(zip(claim.clauses, verdict.figures, strict=False)):
            if found is not None and clause.holds_if.side(found.low, found.high) == wanted:
                return place
    return 0


def tally(words: list[str], floor: Interval | None) -> str:
    """The answer in one sentence: `Of 12 claims 7 hold, 3 do not hold, 1 is not distinguishable here, 1 is void.`"""
    parts = [
        f"{count(found)} {one if found == 1 else several}"
        for word, one, several in (
            ("holds", "holds", "hold"),
            ("does not hold", "does not hold", "do not hold"),
            ("not distinguishable", "is not distinguishable", "are not distinguishable"),
            ("void", "is void", "are void"),
            ("not here", "cannot be decided here", "cannot be decided here"),
        )
        if (found := words.count(word))
    ]
    noise = ""
    if floor is not None:
        noise = f" Noise: two measurements of one model differ by at most {number(100 * apart(floor))} %."
    return f"Of {count(len(words))} claim{'' if len(words) == 1 else 's'} {', '.join(parts)}.{noise}"
