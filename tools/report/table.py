"""The report's tables, cell by cell as text. Must not know HTML."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools import measures
from tools.results import Trial
from tools.standings import START_UP, Standing
from tools.units import count, duration, share, size, three_digits
from tools.words import clients

UNKNOWN = "–"  # noqa: RUF001  (an en dash is how a table says "no value")

COLUMNS: Mapping[str, str] = {
    "asked": "asked",
    "got": "got",
    "clients": "clients",
    "jain": "Jain's index",
    "wait": "longest wait",
    "rate": "calls/s",
    "goodput": "calls/s in time",
    "p50": "p50",
    "p99": "p99",
    "p999": "p99.9",
    "first_p50": "first message, p50",
    "first_p99": "first message, p99",
    "gap_p50": "gap, p50",
    "gap_p99": "gap, p99",
    "errors": "errors",
    "unfinished": "unfinished",
    "cpu": "CPU/call",
    "pss": "memory",
    "pss_each": "memory/ conn.",
    "voluntary": "switches, voluntary",
    "involuntary": "switches, invol.",
    "lag": "loop lag",
}

EVERY_COLUMN: Mapping[str, str] = {
    **COLUMNS,
    "p90": "p90",
    "cpu_user": "CPU/call, user",
    "cpu_system": "CPU/call, system",
}
"""With what the plots show beside that."""

FAIR = 0.95
"""Jain's index of a service that treats clients alike is above this."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial."""

    arm: str
    cells: Mapping[str, str]
    """Key of EVERY_COLUMN -> text."""
    leads: bool
    """It serves most, or cannot be distinguished from the arm that does."""
    rate_share: float
    """Rate as a fraction of the table's best; 0 for one that serves fewer clients."""
    failed: bool


def shown(columns: Mapping[str, str], trials: Iterable[Trial]) -> dict[str, str]:
    """Those columns, without the ones of NEEDS that no trial needs."""
    known = list(trials)
    return {
        key: heading for key, heading in columns.items() if key not in NEEDS or any(NEEDS[key](each) for each in known)
    }


def _turns_clients_away(trial: Trial) -> bool:
    counted = measures.clients_served(trial)
    return counted is not None and counted[0] < counted[1]


def _is_unfair(trial: Trial) -> bool:
    index = measures.jain(trial)
    return index is not None and index < FAIR


def _has_deadline(trial: Trial) -> bool:
    return measures.goodput_rps(trial) is not None


def _streams(trial: Trial) -> bool:
    return bool(trial.result.get("stream"))


NEEDS: Mapping[str, Callable[[Trial], bool]] = {
    "clients": _turns_clients_away,
    "jain": _is_unfair,
    "wait": _is_unfair,
    "goodput": _has_deadline,
    "first_p50": _streams,
    "first_p99": _streams,
    "gap_p50": _streams,
    "gap_p99": _streams,
}
"""Columns that most trials have no use for -> whether this one has."""


def rows(found: Sequence[Standing], everything: Iterable[Trial]) -> list[TrialRow]:
    """One row for each standing, in the order given; `everything` is what memory per connection is counted against."""
    fewest: dict[str, Trial] = {}
    for trial in sorted(everything, key=lambda trial: trial.connections):
        fewest.setdefault(trial.arm, trial)
    best = max((measures.rate_rps(one.trial) for one in found), default=0.0)
    return [
        TrialRow(
            arm=one.arm,
            cells={**_cells(one.trial, fewest[one.arm]), "rate": _rate(one)},
            leads=one.rank in {"best", "tied"},
            rate_share=measures.rate_rps(one.trial) / best if best else 0.0,
            failed=bool(measures.failures(one.trial)),
        )
        for one in found
    ]


def _rate(one: Standing) -> str:
    """With the half-width of its interval, if the arm is ranked by its rate; a service that starts up has no rate."""
    if one.why == START_UP:
        return "start-up"
    rate_rps = measures.rate_rps(one.trial)
    text = count(round(rate_rps))
    known = one.rate  # an arm that serves fewer clients has none: one call more or less is most of its rate
    if known is None or known.low is None or known.high is None or not known.low <= rate_rps <= known.high:
        return text
    return f"{text} ±{share(math.sqrt(known.high / known.low) - 1)}"


def _cells(trial: Trial, fewest: Trial) -> dict[str, str]:
    asked, got, calls = trial.result["asked"], trial.result["got"], trial.result["calls"]
    lag, pss = measures.loop_lag_max_ns(trial), measures.pss_bytes(trial)
    each = measures.pss_per_connection_bytes(trial, fewest)
    failed = sum(measures.failures(trial).values())
    served = measures.clients_served(trial)
    return {
        "asked": f"{count(asked['connections'])}{_load(asked)}",
        "got": count(got["connections"]),
        "clients": UNKNOWN if served is None else clients(served),
        "jain": _known(measures.jain(trial), three_digits),
        "wait": _known(measures.longest_wait_ns(trial), duration),
        "rate": count(round(measures.rate_rps(trial))),
        "goodput": _known(measures.goodput_rps(trial), lambda rate_rps: count(round(rate_rps))),
        **{key: percentile(trial, key) for key in measures.PERCENTILES},
        **{
            f"{key}_{percentile}": _known(measures.stream_ns(trial, times, percentile), duration)
            for key, times in {"first": "first_message_ns", "gap": "gap_ns"}.items()
            for percentile in ("p50", "p99")
        },
        "errors": share(measures.failed_share(trial)) if failed else "0",
        "unfinished": count(calls["unfinished"]),
        "cpu": _known(measures.per_call(trial, "cpu_user_ns", "cpu_system_ns"), duration),
        "cpu_user": _known(measures.per_call(trial, "cpu_user_ns"), duration),
        "cpu_system": _known(measures.per_call(trial, "cpu_system_ns"), duration),
        "pss": _known(pss, size),
        "pss_each": _known(each, size),
        "voluntary": _known(measures.per_call(trial, "voluntary_switches"), three_digits),
        "involuntary": _known(measures.per_call(trial, "involuntary_switches"), three_digits),
        "lag": _known(lag, duration),
    }


def _load(asked: Mapping[str, Any]) -> str:
    if asked["loop"] == "closed":
        return f" x {count(asked['streams'])}"
    return f", {count(asked['rate_rps'])}/s" if asked["rate_rps"] else f", {asked['schedule']}"


def percentile(trial: Trial, key: str) -> str:
    """Of latency, as `10 ms`; `> 3 s` if too many calls have no answer, `n<1,000` if there are too few."""
    value = measures.latency(trial, key)
    if value is None:
        return f"n<{count(measures.samples_needed(measures.PERCENTILES[key]))}"
    return duration(value.ns, is_bound=value.is_bound)


def _known(value: float | None, text: Callable[[float], str]) -> str:
    return UNKNOWN if value is None else text(value)
