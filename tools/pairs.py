"""Each ranked arm of a point beside the best, as one line: the ratio, its interval, the verdict, what it is of."""

from collections.abc import Iterator

from tools.standings import At, Standing
from tools.stats.interval import ratio
from tools.stats.line import line
from tools.stats.verdict import OF_RATES, verdict


def lines(at: At) -> Iterator[str]:
    """As `reactor / thread_pool   rate 1.15 [1.12, 1.18]   faster   64 pairs, 3 starts, 31 s`; none for one arm.

    Pairs are values of one block. A verdict here is of one pair by itself, at 95 %; the rank of an arm is corrected for
    their number.
    """
    best, *others = at.ranked or (None,)
    for other in others:
        if best is not None and best.values.values.keys() & other.values.values.keys():
            yield _line(at, best, other)


def _line(at: At, best: Standing, other: Standing) -> str:
    found = ratio(best.values, other.values)
    words = OF_RATES if at.measure == "rate" else {"better": "lower", "worse": "higher"}
    decided = verdict(found, "higher" if at.measure == "rate" else "lower", words=words)
    duration_s = sum(one.trial.result["got"]["duration_s"] for one in (best, other))
    return line(best.arm, other.arm, at.measure, found, decided, duration_s=duration_s)
