"""Each ranked arm of a point compared with the best, as one line: ratio, interval, verdict, and the data behind it."""

from collections.abc import Iterator

from tools.standings import PointStandings
from tools.stats.line import against_line


def lines(at: PointStandings) -> Iterator[str]:
    """As `reactor / thread_pool   rate 1.15 [1.12, 1.18]   faster   64 pairs, 3 starts, 31 s`; none for one arm.

    Pairs are values of one block. The verdict is that of the rank, corrected for the number of pairs.
    """
    best, *others = at.ranked or (None,)
    for other in others:
        if best is not None and other is not None and other.against is not None:
            duration_s = sum(one.trial.result["got"]["duration_s"] for one in (best, other))
            yield against_line(best.arm, at.measure, other.against, duration_s=duration_s)
