"""The report's tables, cell by cell as text. Must not know HTML."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

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
    "rate": "calls/s",
    "p50": "p50",
    "p99": "p99",
    "p999": "p99.9",
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


@dataclass(frozen=True, slots=True)
class Row:
    """One trial."""

    arm: str
    cells: Mapping[str, str]
    """Key of EVERY_COLUMN -> text."""
    leads: bool
    """Serves most, or ties with the one that does."""
    rate_share: float
    """Rate as a fraction of the table's best; 0 for one that serves fewer clients."""
    failed: bool


def shown(columns: Mapping[str, str], trials: Iterable[Trial]) -> dict[str, str]:
    """Those columns, without that of the clients where all were served."""
    counted = filter(None, map(measures.clients_served, trials))
    if any(served < asked for served, asked in counted):
        return dict(columns)
    return {key: heading for key, heading in columns.items() if key != "clients"}


def rows(found: Sequence[Standing], everything: Iterable[Trial]) -> list[Row]:
    """One row for each standing, in the order given; `everything` is what memory per connection is counted against."""
    fewest: dict[str, Trial] = {}
    for trial in sorted(everything, key=lambda trial: trial.connections):
        fewest.setdefault(trial.arm, trial)
    best = max((measures.rate_rps(one.trial) for one in found), default=0.0)
    return [
        Row(
            arm=one.arm,
            cells={**_cells(one.trial, fewest[one.arm]), "rate": _rate(one)},
            leads=one.rank in {"best", "tied"},
            rate_share=measures.rate_rps(one.trial) / best if best else 0.0,
            failed=bool(measures.failures(one.trial)),
        )
        for one in found
    ]


def _rate(one: Standing) -> str:
    """With the half-width of its interval, where the rate is what has one; a rate of no steady service is none."""
    if one.why == START_UP:
        return "start-up"
    rate_rps = measures.rate_rps(one.trial)
    text = count(round(rate_rps))
    known = one.value
    if known is None or known.low is None or known.high is None or not known.low <= rate_rps <= known.high:
        return text
    return f"{text} ±{share(math.sqrt(known.high / known.low) - 1)}"


def _cells(trial: Trial, fewest: Trial) -> dict[str, str]:
    asked, got, calls = trial.result["asked"], trial.result["got"], trial.result["calls"]
    lag, pss = measures.loop_lag_max_ns(trial), measures.pss_bytes(trial)
    each = measures.pss_per_connection_bytes(trial, fewest)
    failed = sum(measures.failures(trial).values())
    served = measures.clients_served(trial)
    load = f", {count(asked['rate_rps'])}/s" if asked["loop"] == "open" else f" x {count(asked['streams'])}"
    return {
        "asked": f"{count(asked['connections'])}{load}",
        "got": count(got["connections"]),
        "clients": UNKNOWN if served is None else clients(served),
        "rate": count(round(measures.rate_rps(trial))),
        **{key: percentile(trial, key) for key in measures.PERCENTILES},
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


def percentile(trial: Trial, key: str) -> str:
    """Of latency, as `10 ms`; `> 3 s` where so many calls have no answer, `n<1,000` where there are too few."""
    value = measures.latency(trial, key)
    if value is None:
        return f"n<{count(measures.samples_needed(measures.PERCENTILES[key]))}"
    return duration(value.ns, is_bound=value.is_bound)


def _known(value: float | None, text: Callable[[float], str]) -> str:
    return UNKNOWN if value is None else text(value)
