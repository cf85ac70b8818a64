"""What a person reads when a run is over: asked beside got, latencies, and where the calls went.

Knows the result's shape. Must not know anything that is not in it, but for the statuses' messages.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_STATISTICS = ("min", "mean", "p50", "p90", "p99", "p999", "max")


def summary(result: Mapping[str, Any], messages: Mapping[str, str]) -> str:
    """A few lines of plain text. `messages`: what the first call of each status said."""
    return "\n".join(_lines(result, messages))


def _lines(result: Mapping[str, Any], messages: Mapping[str, str]) -> Iterator[str]:
    asked, got, calls = result["asked"], result["got"], result["calls"]
    if result["interrupted"]:
        yield "interrupted: this is what was measured until then"
    yield f"{'':12} {'asked':>12} {'got':>12}"
    yield f"{'connections':12} {asked['connections']:>12,} {got['connections']:>12,}"
    if asked["loop"] == "closed":
        yield f"{'in flight':12} {asked['connections'] * asked['streams']:>12,} {got['in_flight']:>12,}"
    rate = "-" if asked["rate_rps"] is None else f"{asked['rate_rps']:,.0f}"
    yield f"{'rate rps':12} {rate:>12} {got['rate_rps']:>12,.0f}"
    yield f"{'duration s':12} {asked['duration_s']:>12.2f} {got['duration_s']:>12.2f}"
    yield ""
    yield f"{'ms':12} " + " ".join(f"{name:>9}" for name in _STATISTICS)
    for label, key in (("latency", "latency_ns"), ("service time", "service_time_ns"), ("lateness", "lateness_ns")):
        yield f"{label:12} " + " ".join(f"{_ms(result[key][name]):>9}" for name in _STATISTICS)
    yield ""
    ends = {"ok": calls["ok"], **calls["by_status"]}
    ends |= {end.replace("_", " "): calls[end] for end in ("timed_out", "not_sent", "unfinished") if calls[end]}
    yield f"{calls['planned']:,} calls planned: " + ", ".join(f"{count:,} {end}" for end, count in ends.items())
    for status, message in messages.items():
        yield f"  first {status}: {message or '(no message)'}"


def _ms(ns: float | None) -> str:
    return "-" if ns is None else f"{ns / 1e6:,.3f}"
