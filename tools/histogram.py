"""Latencies as HdrHistogram V2 base64, as the driver's result has them. Must not know what they are latencies of."""

import zlib

from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram


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


def buckets(histogram: str) -> dict[tuple[int, int], int]:
    """(lowest, highest value) -> how many are within, ascending. Raises ValueError where it is not a histogram."""
    decoded = decode(histogram)
    found = {}
    for index, number in enumerate(decoded.counts):
        if number:
            value = decoded.get_value_from_index(index)
            found[value, decoded.get_highest_equivalent_value(value)] = number
    return found
