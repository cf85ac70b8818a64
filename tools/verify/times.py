"""Whether a distribution of times is what its histogram holds, and whether parts add up to it."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tools.histogram import buckets, decode

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}
ROUNDING = 1e-9
"""Sums of doubles in another order differ by less."""


def wrong(times: Mapping[str, Any]) -> Iterator[str]:
    """A line for each number that the histogram contradicts, as `p99 is 12, and the histogram has 13`.

    Counts and percentiles are compared exactly. The exact mean and extremes lie within the histogram's buckets, which
    are 0.1 % wide. Values above its range are `clamped`: they are in its last bucket, whose end then bounds nothing.
    """
    try:
        held, percentiles, highest = _held(times["histogram"])
    except ValueError as error:
        yield f"histogram: {error}"
        return
    if times["count"] != (count := sum(held.values())):
        yield f"count is {times['count']}, and the histogram has {count}"
    if not held:
        return
    for name, percentile in PERCENTILES.items():
        if times[name] != (value := min(percentiles[percentile], times["max"])):
            yield f"{name} is {times[name]}, and the histogram has {value}"
    if times["clamped"] and times["max"] <= highest:
        yield f"clamped is {times['clamped']}, and max is within the histogram's range"
    lows, highs = (sum(bounds[end] * number for bounds, number in held.items()) / count for end in (0, 1))
    for name, low, high in (("min", *next(iter(held))), ("mean", lows, highs), ("max", *list(held)[-1])):
        if not low <= times[name] <= (math.inf if times["clamped"] and name != "min" else high):
            yield f"{name} is {times[name]}, and the histogram has it from {low:.0f} to {high:.0f}"


def apart(whole: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each number of the whole that is not that of its parts together. Each is right by itself."""
    some = [part for part in parts if part["count"]]
    try:
        held: Counter[tuple[int, int]] = Counter()
        for part in some:
            held.update(_held(part["histogram"])[0])
        if held != _held(whole["histogram"])[0]:
            yield "histogram is not the sum of its parts"
    except ValueError:
        return
    sums = {name: sum(part[name] for part in parts) for name in ("count", "clamped")}
    if some:
        sums |= {"min": min(part["min"] for part in some), "max": max(part["max"] for part in some)}
        sums["mean"] = sum(part["mean"] * part["count"] for part in some) / max(sums["count"], 1)
    for name, value in sums.items():
        if not math.isclose(whole[name] or 0, value, rel_tol=ROUNDING):
            yield f"{name} is {whole[name]}, and its parts give {value}"


@lru_cache(maxsize=256)
def _held(histogram: str) -> tuple[Mapping[tuple[int, int], int], Mapping[float, int], int]:
    """Its buckets, the percentiles, and the end of its range. Several of a closed loop are one."""
    decoded = decode(histogram)
    percentiles = decoded.get_percentile_to_value_dict(list(PERCENTILES.values()))
    return buckets(histogram), percentiles, decoded.highest_trackable_value
