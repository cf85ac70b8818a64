"""Latencies as HdrHistogram V2 base64, as the driver's result has them. Must not know what they are latencies of."""

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram

LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS = 1_000, 120_000_000_000, 3
"""As the driver's histograms have them, so that both can be added."""
_PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}


def decode(histogram: str) -> HdrHistogram:
    """Raises ValueError where it is not one."""
    try:
        return HdrHistogram.decode(histogram)
    except (HdrCookieException, HdrLengthException, ValueError, zlib.error) as error:
        raise ValueError("not a histogram") from error


def value_at(histogram: str, fraction: float) -> int:
    """The value that this fraction of all values is at or below. Raises ValueError where it is not a histogram."""
    value: int = decode(histogram).get_value_at_percentile(100 * fraction)
    return value


def value_of_all(histograms: Sequence[str], fraction: float) -> int:
    """The same for the values of all of them. Raises ValueError where one is not a histogram, or there is none."""
    if not histograms:
        raise ValueError("no histogram")
    first, *others = map(decode, histograms)
    for other in others:
        first.add(other)
    value: int = first.get_value_at_percentile(100 * fraction)
    return value


def buckets(histogram: str) -> dict[tuple[int, int], int]:
    """(lowest, highest value) -> how many are within, ascending. Raises ValueError where it is not a histogram."""
    decoded = decode(histogram)
    found = {}
    for index, number in enumerate(decoded.counts):
        if number:
            value = decoded.get_value_from_index(index)
            found[value, decoded.get_highest_equivalent_value(value)] = number
    return found


def distribution(values_ns: Sequence[int]) -> dict[str, Any]:
    """The result's form of latencies (services/driver/result.schema.json); without values, statistics are None."""
    histogram = HdrHistogram(LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)
    for value_ns, number in Counter(values_ns).items():
        histogram.record_value(min(value_ns, HIGHEST_NS), number)
    found: dict[str, Any] = dict.fromkeys(("min", "mean", "max", *_PERCENTILES))
    if values_ns:
        most_ns = max(values_ns)
        at = histogram.get_percentile_to_value_dict(list(_PERCENTILES.values()))
        found = {"min": min(values_ns), "mean": sum(values_ns) / len(values_ns), "max": most_ns}
        found |= {name: min(at[percentile], most_ns) for name, percentile in _PERCENTILES.items()}
    clamped = sum(value_ns > HIGHEST_NS for value_ns in values_ns)
    encoded = histogram.encode().decode("ascii")
    return {"count": len(values_ns), "clamped": clamped, **found, "histogram": encoded}
