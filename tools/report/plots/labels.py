"""Places for labels beside the ends of lines, so that no two overlap. Must not know what is labelled."""

from collections.abc import Sequence


def spread(wanted: Sequence[float], gap: float, high: float) -> list[float]:
    """A place for each label: as near as possible to the wanted one, at least `gap` apart, from 0 to `high`.

    The order is that of the wanted places. Labels that are too close form a group around their mean, as in isotonic
    regression (pool adjacent violators). If the room is too small, places go beyond `high`.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    high = max(high, gap * (len(wanted) - 1))
    groups: list[tuple[float, int]] = []
    """The place of a group's first label, and the size of the group."""
    for index in order:
        first, size = min(max(wanted[index], 0.0), high), 1
        while groups and groups[-1][0] + groups[-1][1] * gap > first:
            before, number = groups.pop()
            first = (before * number + (first - number * gap) * size) / (number + size)
            size += number
            first = min(max(first, 0.0), high - (size - 1) * gap)
        groups.append((first, size))
    places = [first + step * gap for first, size in groups for step in range(size)]
    return [place for _, place in sorted(zip(order, places, strict=True))]
