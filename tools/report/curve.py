"""A latency distribution as a curve of percentiles. Must not know of plots."""

import zlib

from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram

POINTS_PER_DECADE = 8


def percentile_curve(histogram: str) -> list[tuple[float, int]]:
    """(one in how many calls is slower, latency in nanoseconds) from HdrHistogram V2 base64.

    Ends at the slowest call, so that no point claims more than the samples hold. Empty for an empty
    histogram; raises ValueError where it is not one.
    """
    try:
        decoded = HdrHistogram.decode(histogram)
    except (HdrCookieException, HdrLengthException, ValueError, zlib.error) as error:
        raise ValueError("not a histogram") from error
    samples = decoded.get_total_count()
    if not samples:
        return []
    odds = [1.0]
    while odds[-1] < samples:
        odds.append(min(float(samples), 10 ** (len(odds) / POINTS_PER_DECADE)))
    values = decoded.get_percentile_to_value_dict([100 * (1 - 1 / one_in) for one_in in odds])
    return list(zip(odds, values.values(), strict=True))
