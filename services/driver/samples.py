"""Latencies: stored raw while load is made, folded into an HdrHistogram when it is over.

Appending to an array takes some 30 ns and 8 bytes; recording into `hdrhistogram` takes some 1,500 ns, a tenth of a
whole call. Must not know what the values are latencies of.
"""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import repeat
from operator import rshift
from typing import Any

from hdrh.histogram import HdrHistogram

LOWEST_NS = 1_000
HIGHEST_NS = 120_000_000_000
SIGNIFICANT_DIGITS = 3

# HdrHistogram's unit is the largest power of two within the lowest value. It does not distinguish values that are equal
# after this shift. So equal ones are counted first, and recorded once with their number.
_UNIT_SHIFT = LOWEST_NS.bit_length() - 1

_PERCENTILES: Mapping[str, float] = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


def samples() -> "array[int]":
    """An empty series of nanoseconds; append to it."""
    return array("Q")


def summarize(values: "array[int]") -> dict[str, Any]:
    """The result's form of a series: count, extremes, mean, percentiles and the histogram (V2, base64).

    `min`, `mean` and `max` are exact. A value above the range is recorded as its highest and counted in `clamped`;
    one below a microsecond falls into the histogram's first unit. Without values all statistics are None.
    """
    histogram = HdrHistogram(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)
    clamped = 0
    for units, count in Counter(map(rshift, values, repeat(_UNIT_SHIFT))).items():
        value_ns = units << _UNIT_SHIFT
        if value_ns > HIGHEST_NS:
            clamped += count
            value_ns = HIGHEST_NS
        histogram.record_value(value_ns, count)
    exact = (min(values), sum(values) / len(values), max(values)) if values else None
    return _summary(histogram, len(values), clamped, exact)


def merge(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The summary of all their values together: of each bucket the counts are added, nothing is averaged."""
    histogram = HdrHistogram(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)
    for summary in summaries:
        histogram.add(HdrHistogram.decode(summary["histogram"]))
    some = [summary for summary in summaries if summary["count"]]
    count = sum(summary["count"] for summary in some)
    exact = None
    if some:
        mean = sum(summary["mean"] * summary["count"] for summary in some) / count
        exact = (min(summary["min"] for summary in some), mean, max(summary["max"] for summary in some))
    return _summary(histogram, count, sum(summary["clamped"] for summary in summaries), exact)


def _summary(histogram: HdrHistogram, count: int, clamped: int, exact: tuple[int, float, int] | None) -> dict[str, Any]:
    summary: dict[str, Any] = {"count": count, "clamped": clamped}
    if exact is None:
        summary |= dict.fromkeys(("min", "mean", "max", *_PERCENTILES))
    else:
        summary |= dict(zip(("min", "mean", "max"), exact, strict=True))
        found = histogram.get_percentile_to_value_dict(list(_PERCENTILES.values()))
        # A bucket's upper end may lie above the largest value in it.
        summary |= {name: min(found[percentile], exact[2]) for name, percentile in _PERCENTILES.items()}
    summary["histogram"] = histogram.encode().decode("ascii")
    return summary
