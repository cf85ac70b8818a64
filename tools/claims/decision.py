"""What the rounds of a claim decide: looks, intervals, and the word. docs/claims.md describes the rule.

A verdict is derived from values each time it is shown, and stored nowhere. Must not know where values come from.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log, sqrt

import numpy as np
from scipy import special

from tools.claims.claim import Claim, Clause, Statistic, Word
from tools.claims.sample import SampleReading, SampleSource, counts, sample

LOOKS = {3: 0.99, 5: 0.985, 8: 0.975}
"""Rounds -> confidence of the intervals at that look. Together they err for at most 5 % of claims (Bonferroni)."""
FEWEST = min(LOOKS)
MOST = 100_000
"""Rounds. A claim that needs more shows no number."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Of a figure."""

    value: float
    low: float
    """-inf or 0, and inf, where the readings are bounds."""
    high: float
    rounds: int
    """With a figure."""


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """Of one claim."""

    word: Word
    figures: tuple[Interval | None, ...] = ()
    """One for each clause, the primary one first; None where too few rounds have a figure."""
    rounds: int = 0
    """Rounds made until it was decided."""
    more_rounds: int | None = None
    """Where the claim is not distinguishable: how many further rounds would decide it, as the figures are now."""
    why: str = ""
    """What is missing, where it is `void` or `not here`."""


def decide(claim: Claim, source: SampleSource, claims: int = 1) -> ClaimVerdict:
    """The verdict at the first look that decides the claim, or else at the last look that was reached.

    `claims` is the number of claims that share the error.
    """
    if not source.rounds:
        return ClaimVerdict("void", why=f"nothing was {claim.kind}")
    if claim.kind == "counted":
        return _decided(claim, source, 1, 1.0)
    found = ClaimVerdict("not distinguishable", (None,), source.rounds, FEWEST - source.rounds)
    for rounds, confidence in LOOKS.items():
        if rounds > source.rounds:
            break
        found = _decided(claim, source, rounds, 1 - (1 - confidence) / claims)
        if found.word in ("holds", "does not hold"):
            break
    return found


def _decided(claim: Claim, source: SampleSource, rounds: int, confidence: float) -> ClaimVerdict:
    # Each clause may refute the claim, so that each has its part of the error.
    confidence = 1 - (1 - confidence) / len(claim.clauses)
    figures = tuple(interval(clause.statistic, source, rounds, confidence) for clause in claim.clauses)
    known = [(each, clause) for each, clause in zip(figures, claim.clauses, strict=True) if each is not None]
    sides = [clause.holds_if.side(each.low, each.high) for each, clause in known]
    if "outside" in sides:
        return ClaimVerdict("does not hold", figures, rounds)
    if len(known) < len(figures):
        return ClaimVerdict("void", figures, rounds, why="too few rounds have a figure")
    if "across" not in sides:
        return ClaimVerdict("holds", figures, rounds)
    more = [
        _more(each, clause, parts=len(claim.clauses))
        for (each, clause), side in zip(known, sides, strict=True)
        if side == "across"
    ]
    needed = [each for each in more if each is not None]
    return ClaimVerdict("not distinguishable", figures, rounds, max(needed) if len(needed) == len(more) else None)


def interval(statistic: Statistic, source: SampleSource, rounds: int, confidence: float) -> Interval | None:
    """The interval over the first `rounds` rounds; None if fewer than FEWEST of them have a figure.

    With a confidence of 1 it is the value of the only round.
    """
    if statistic.form == "events":
        return _of_counts(statistic, source, rounds, confidence)
    readings = [sample(statistic, source, number) for number in range(1, rounds + 1)]
    known = [reading for reading in readings if reading is not None]
    if confidence == 1:
        return Interval(known[0].value, known[0].value, known[0].value, 1) if known else None
    if len(known) < FEWEST:
        return None
    if statistic.form == "ratio" and all(reading.value > 0 for reading in known):
        found = _student([log(reading.value) for reading in known], confidence)
        value, low, high = map(exp, found)
    else:
        value, low, high = _student([reading.value for reading in known], confidence)
    return _opened(Interval(value, low, high, len(known)), known)


def _student(values: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """Mean, and the ends of Student's interval."""
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / sqrt(len(values))
    reach = float(special.stdtrit(len(values) - 1, (1 + confidence) / 2)) * error
    return mean, mean - reach, mean + reach


def _opened(found: Interval, readings: Sequence[SampleReading]) -> Interval:
    """The interval, infinite at an end that a bound leaves open."""
    bounds = {reading.bound for reading in readings}
    low = -inf if -1 in bounds else found.low
    high = inf if 1 in bounds else found.high
    return Interval(found.value, low, high, found.rounds)


def _of_counts(statistic: Statistic, source: SampleSource, rounds: int, confidence: float) -> Interval | None:
    """For the share of cases with an event: its geometric mean over the rounds, or the mean if one has no event.

    Events of one start are correlated, so only the rounds show how much the share varies. If no round has an event, the
    upper end is that of Clopper and Pearson (Biometrika 26, 1934): for 0 in n, some 5/n. A share is at most 1.
    """
    found = [counts(statistic, source, number) for number in range(1, rounds + 1)]
    known = [(events, cases) for events, cases in filter(None, found) if cases]
    if len(known) < (1 if confidence == 1 else FEWEST):
        return None
    shares = [events / cases for events, cases in known]
    if confidence == 1:
        return Interval(shares[0], shares[0], shares[0], 1)
    if not any(shares):
        cases = sum(each for _, each in known)
        return Interval(0.0, 0.0, float(special.betaincinv(1, cases, (1 + confidence) / 2)), len(known))
    if all(shares):
        value, low, high = map(exp, _student([log(share) for share in shares], confidence))
        return Interval(value, low, min(high, max(1.0, *shares)), len(known))
    value, low, high = _student(shares, confidence)
    return Interval(value, max(low, 0.0), high, len(known))


def _more(figure: Interval, clause: Clause, parts: int) -> int | None:
    """How many further rounds make the interval shorter than the distance to the threshold, if readings vary as before.

    `parts` is the number of clauses that share the error. None if MOST rounds are not enough.
    """
    bound = clause.holds_if
    scale = log if clause.statistic.form == "ratio" and figure.value > 0 and figure.low > 0 else float
    ends = [end for end in (bound.low, bound.high) if abs(end) < inf and not (scale is log and end <= 0)]
    if not ends or figure.high == inf or figure.low == -inf:
        return None
    distance = min(abs(scale(figure.value) - scale(end)) for end in ends)
    if not distance:
        return None
    spread = (scale(figure.high) - scale(figure.low)) / 2 / _reach(figure.rounds, parts)
    further = range(1, MOST)
    at = bisect_left(further, -distance, key=lambda more: -spread * _reach(figure.rounds + more, parts))
    return further[at] if at < len(further) else None


def _reach(rounds: int, parts: int) -> float:
    """Half of an interval over that many rounds, in standard deviations of a reading."""
    confidence = LOOKS[max(look for look in LOOKS if look <= max(rounds, FEWEST))]
    return float(special.stdtrit(rounds - 1, 1 - (1 - confidence) / parts / 2)) / sqrt(rounds)
