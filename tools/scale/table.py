"""The grid's table, cell by cell as text. Must not know HTML."""

from collections.abc import Callable, Mapping

from tools import measures
from tools.scale import metrics
from tools.scale.cells import SearchedCell
from tools.scale.headline import interval
from tools.units import duration, share, size, three_digits

UNKNOWN = "–"  # noqa: RUF001  (an en dash is how a table says "no value")

COLUMNS: Mapping[str, str] = {
    "service": "model",
    "shape": "as",
    "rate": "serves, calls/s",
    "p50": "p50",
    "p99": "p99",
    "cpu": "CPU/call",
    "used": "CPU used",
    "throttled": "throttled",
    "pss": "memory",
    "voluntary": "switches, voluntary",
    "involuntary": "switches, invol.",
    "trials": "trials",
}


def cells_of(one: SearchedCell) -> dict[str, str]:
    """Key of COLUMNS -> text; what was measured is of the last trial at the highest rate that met the objective."""
    cell, trial = one.cell, one.best
    values = {
        "service": cell.service,
        "shape": cell.shape,
        "rate": interval(one).removesuffix(" calls/s"),
        "trials": str(one.found.trials),
    }
    if trial is None:
        return {key: values.get(key, UNKNOWN) for key in COLUMNS}
    return values | {
        **{key: _percentile(measures.latency(trial, key)) for key in ("p50", "p99")},
        "cpu": _known(measures.per_call(trial, "cpu_user_ns", "cpu_system_ns"), duration),
        "used": share(metrics.used_share(one, trial)),
        "throttled": _known(metrics.throttled_share(trial), share),
        "pss": _known(measures.pss_bytes(trial), size),
        "voluntary": _known(measures.per_call(trial, "voluntary_switches"), three_digits),
        "involuntary": _known(measures.per_call(trial, "involuntary_switches"), three_digits),
    }


def _percentile(value: measures.Latency | None) -> str:
    return UNKNOWN if value is None else duration(value.ns, is_bound=value.is_bound)


def _known(value: float | None, text: Callable[[float], str]) -> str:
    return UNKNOWN if value is None else text(value)
