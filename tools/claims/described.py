"""What a claim measures, in words. Must not know any figure."""

import re
from collections.abc import Mapping

from tools.claims.claim import Operand, Statistic
from tools.claims.measures import MEASURES
from tools.report.axes import WORDS
from tools.units import count

MEASURED: Mapping[str, str] = {
    "rate_rps": "calls answered OK in a second",
    "goodput_rps": "calls answered in time in a second",
    "latency_p50_ns": "p50 latency",
    "latency_p90_ns": "p90 latency",
    "latency_p99_ns": "p99 latency",
    "answered_p99_ns": "p99 latency of answered calls",
    "longest_wait_ns": "longest wait of a client",
    "cpu_per_call_ns": "CPU time of a call",
    "cpus_used": "CPUs in use",
    "switches_per_call": "context switches of a call",
    "involuntary_per_call": "involuntary context switches of a call",
    "pss_bytes": "memory (PSS)",
    "vsz_bytes": "address space",
    "loop_lag_max_ns": "longest lag of the loop",
    "served_share": "share of clients that are served",
    "failed_share": "share of calls that fail",
    "jain": "fairness between clients (Jain's index)",
    "calls_planned": "calls sent",
    "calls_ok": "calls answered OK",
}
"""Those whose names need other words than they have: `lost_updates` reads as lost updates."""


def statistic(of: Statistic) -> str:
    """As `p99 latency of innocent calls: loop divided by threads`."""
    first, *others = of.operands
    if of.form == "events":
        return f"{operand(first)}, for each of the {MEASURED.get(first.per, _plain(first.per))}"
    if not others:
        return operand(first)
    (second,) = others
    joined = "divided by" if of.form == "ratio" else "less"
    if first.ratio is None and second.ratio is None and title(first) == title(second):
        return f"{title(first)}: {label(first)} {joined} {label(second)}"
    return f"{operand(first)} {joined} {operand(second)}"


def operand(of: Operand) -> str:
    """As `p99 latency of innocent calls, loop at 100 connections`."""
    if of.ratio is None:
        return f"{title(of)} ({label(of)})" if label(of) else title(of)
    first, second = (operand(each) for each in of.ratio if isinstance(each, Operand))
    return f"({first} divided by {second})"


def title(of: Operand) -> str:
    """What is measured, the same for each arm: `p99 latency of innocent calls`, `functions of a call`."""
    if of.measure not in MEASURES:
        return _counted(of)[1]
    kind = f" of {of.of} calls" if of.of else ""
    if not of.over:
        return f"{MEASURED.get(of.measure, _plain(of.measure))}{kind}"
    return f"slope of {MEASURED.get(of.measure, _plain(of.measure))}{kind} over {WORDS[of.over].over}"


def label(of: Operand) -> str:
    """What it is measured of: `loop at 3x capacity`, `ripped code`."""
    if of.measure not in MEASURES:
        return _counted(of)[0]
    at = ", ".join(
        WORDS[axis].value(value) if axis in WORDS else f"{axis} {count(value)}" for axis, value in of.at.items()
    )
    return f"{of.arm} at {at}" if at else of.arm


def _counted(of: Operand) -> tuple[str, str]:
    """The two parts of a path: `ripped.code.saved_by_hand` is `ripped code` and `saved by hand`."""
    path = of.measure or of.arm
    found = re.fullmatch(r"(?:(.+)\.)?([^.]+?)((?:\.\d+)*)", path)
    assert found  # any text without a line break matches
    owner, what, places = found.groups()
    return _plain(owner or ""), " ".join(filter(None, (_plain(what), places.replace(".", " "))))


def _plain(name: str) -> str:
    return " ".join(re.split(r"[._]", name))
