"""A latency distribution as a curve of percentiles. Must not know of plots."""

from tools.histogram import decode

POINTS_PER_DECADE = 8


def percentile_curve(histogram: str, answered_share: float = 1.0) -> list[tuple[float, int]]:
    """(one in how many calls is slower, latency in nanoseconds) from HdrHistogram V2 base64.

    The histogram is of that share of the calls; the others count as slower. Ends at the slowest answer, so that no
    point claims more than the samples hold. Empty without an answer; raises ValueError where it is not one.
    """
    decoded = decode(histogram)
    samples = decoded.get_total_count()
    if not samples or not answered_share:
        return []
    highest = 1 / (1 - answered_share * (1 - 1 / samples))
    odds = [1.0]
    while odds[-1] < highest:
        odds.append(min(highest, 10 ** (len(odds) / POINTS_PER_DECADE)))
    values = decoded.get_percentile_to_value_dict([100 * (1 - 1 / one_in) / answered_share for one_in in odds])
    return list(zip(odds, values.values(), strict=True))
