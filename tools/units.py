"""Numbers as a person reads them. Knows nothing of trials, and rounds for the eye only: never parse these back."""

import math


def duration(ns: float, *, is_bound: bool = False) -> str:
    """A time span given in nanoseconds, to three digits: `850 ns`, `12.3 µs`, `310 ms`, `1.2 s`.

    One of which only a bound is known reads `> 3 s`.
    """
    if is_bound:
        return f"> {duration(ns)}"
    size = abs(ns)
    for limit, unit in ((1e3, "ns"), (1e6, "µs"), (1e9, "ms")):
        if float(f"{size:.3g}") < limit:
            return f"{three_digits(ns / (limit / 1e3))} {unit}"
    return f"{three_digits(ns / 1e9)} s"


def size(byte_count: float) -> str:
    """A number of bytes, in binary units: `512 B`, `9.8 KiB`, `48.2 MiB`."""
    for limit, unit in ((1024, "B"), (1024**2, "KiB"), (1024**3, "MiB")):
        if abs(byte_count) < limit:
            return f"{three_digits(byte_count / (limit / 1024))} {unit}"
    return f"{three_digits(byte_count / 1024**3)} GiB"


def count(number: float) -> str:
    """A whole number with separators (`4,210`); a small one that is not whole has three digits (`0.25`)."""
    return f"{number:,.0f}" if float(number).is_integer() or abs(number) >= 100 else three_digits(number)


def share(fraction: float) -> str:
    """A fraction of one as a percentage: `3.2 %`; next to none is `<0.01 %`, never 0."""
    if 0 < fraction < 0.0001:
        return "<0.01 %"
    return f"{three_digits(fraction * 100)} %"


def three_digits(number: float) -> str:
    """Three significant digits without an exponent and without trailing zeros: `1.2`, `310`, `4,210`."""
    if number == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(number))))
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rest(seconds: float) -> str:
    """How long a thing still takes, as exact as an estimate is: `40 s`, `3 min`, `2 h 10 min`."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
