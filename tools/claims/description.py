"""What a claim measures, in words. Must not know any figure."""

import re
from collections.abc import Callable, Mapping

from tools.claims.claim import Operand, Statistic
from tools.claims.measures import MEASURES
from tools.report.axes import WORDS
from tools.units import count

MEASURED: Mapping[str, str] = {
    "rate_rps": "calls/s",
    "goodput_rps": "calls/s in time",
    "latency_p50_ns": "p50 latency",
    "latency_p90_ns": "p90 latency",
    "latency_p99_ns": "p99 latency",
    "answered_p90_ns": "p90 latency of answered calls",
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
"""Measures whose names need other words. Other names need none: `lost_updates` becomes lost updates."""


MOST_ARMS = 10
"""A sentence with more names would not be readable."""
JOINED = {"ratio": " divided by ", "difference": " less "}
WITHIN = {"ratio": " / ", "difference": " - "}


def statistic(of: Statistic) -> str:
    """As `p99 latency of innocent calls: loop divided by threads`."""
    first, *others = of.operands
    titles = {title(leaf) for leaf in of.leaves}
    arms = {leaf.arm for leaf in of.leaves}
    if len(arms) > MOST_ARMS:
        return f"{', '.join(sorted(titles))} of {count(len(arms))} arms, combined as the claim's file has it"
    if len(titles) == 1 and (others or first.parts):
        return f"{titles.pop()}: {JOINED.get(of.form, '').join(map(label, of.operands))}"
    if others:
        return JOINED[of.form].join(_within(each, operand) for each in of.operands)
    if of.form == "events":
        return f"{operand(first)}, for each of the {_measured(first.per)}"
    return operand(first)


def operand(of: Operand) -> str:
    """As `p99 latency of innocent calls (loop at 100 conn.)`."""
    if of.parts:
        return _within(of, operand)
    return f"{title(of)} ({label(of)})" if label(of) else title(of)


def _within(of: Operand, named: Callable[[Operand], str]) -> str:
    """An operand as a part of others."""
    if not of.parts:
        return named(of)
    parts = [_within(part, named) for part in of.parts]
    (form,) = of.forms
    return f"({WITHIN[form].join(parts)})" if form in WITHIN else f"{form} of ({', '.join(parts)})"


def title(of: Operand) -> str:
    """What is measured, the same for each arm: `p99 latency of innocent calls`, `functions of a call`."""
    if of.measure not in MEASURES:
        return _counted(of)[1]
    kind = f" of {of.of} calls" if of.of else ""
    return (
        f"slope of {_measured(of.measure)}{kind} over {WORDS[of.over].over}"
        if of.over
        else _measured(of.measure) + kind
    )


def label(of: Operand) -> str:
    """What it is measured of: `loop at 3x capacity`, `ripped code`, `(one / two)`."""
    if of.parts:
        return _within(of, label)
    if of.measure not in MEASURES:
        return _counted(of)[0]
    at = ", ".join(
        WORDS[axis].value(value) if axis in WORDS else f"{axis} {count(value)}" for axis, value in of.at.items()
    )
    return f"{of.arm} at {at}" if at else of.arm


def _counted(of: Operand) -> tuple[str, str]:
    """The two parts of a path: `ripped.code.saved_by_hand` is `ripped code` and `saved by hand`."""
    path = of.measure or of.arm
    found = re.fullmatch(r"(?:(.+)\.)?([^.]*[^.\d][^.]*)((?:\.\d+)*)", path)
    assert found  # each path has a name
    owner, what, places = found.groups()
    return _plain(owner or ""), _plain(f"{what}{places}")


def _measured(name: str) -> str:
    return MEASURED.get(name, _plain(name))


def _plain(name: str) -> str:
    return " ".join(re.split(r"[._]", name))
