"""A comparison as one line of text, the same in terminal, page and export."""

from math import floor, log10
from typing import TYPE_CHECKING

from tools.stats.estimate import Estimate
from tools.stats.verdict import Verdict
from tools.units import count, rest, share

if TYPE_CHECKING:
    from tools.stats.best import RatioToBest

SEPARATOR = "   "


def line(first: str, second: str, measure: str, ratio: Estimate, verdict: Verdict, *, duration_s: float) -> str:
    """As `reactor / thread_pool   rate 1.15 [1.12, 1.18]   faster   64 pairs, 3 starts, 31 s`."""
    return SEPARATOR.join(
        (f"{first} / {second}", f"{measure} {interval(ratio)}", word(verdict), f"{basis(ratio)}, {rest(duration_s)}")
    )


def against_line(best: str, measure: str, other: "RatioToBest", *, duration_s: float) -> str:
    """The same for an arm beside the best, with the verdict corrected for their number; without a ratio, only that."""
    if other.ratio is None:
        return SEPARATOR.join((f"{best} / {other.arm}", measure, f"no common block: {other.verdict.word}"))
    return line(best, other.arm, measure, other.ratio, other.verdict, duration_s=duration_s)


def interval(estimate: Estimate) -> str:
    """As `1.15 [1.12, 1.18]`."""
    ends = (
        "no interval"
        if estimate.low is None or estimate.high is None
        else f"{_number(estimate.low)}, {_number(estimate.high)}"
    )
    return f"{_number(estimate.value)} [{ends}]"


def word(verdict: Verdict) -> str:
    """As `faster`, or `not distinguishable (a difference of 3.1 % would show)`."""
    if verdict.outcome != "not distinguishable" or verdict.smallest_difference is None:
        return verdict.word
    return f"{verdict.word} (a difference of {share(verdict.smallest_difference)} would show)"


def basis(ratio: Estimate) -> str:
    """As `64 pairs, 3 starts`, with what limits the verdict: dropped pairs, too few starts."""
    dropped = f" ({count(ratio.dropped)} dropped)" if ratio.dropped else ""
    provisional = " (provisional)" if ratio.provisional else ""
    return f"{_counted(ratio.samples, 'pair')}{dropped}, {_counted(ratio.starts, 'start')}{provisional}"


def runs_basis(first: Estimate, second: Estimate) -> str:
    """As `12 and 12 blocks, 3 and 3 starts`, for two runs."""
    provisional = " (provisional)" if first.provisional or second.provisional else ""
    blocks = f"{count(first.samples)} and {count(second.samples)} blocks"
    return f"{blocks}, {count(first.starts)} and {count(second.starts)} starts{provisional}"


def _number(value: float) -> str:
    """Three digits; trailing zeros stay, so that lines below one another compare."""
    return f"{value:,.{max(0, 2 - floor(log10(value)))}f}"


def _counted(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
