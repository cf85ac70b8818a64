"""What a user reads when a run is over: asked beside got, latencies, and how the calls ended.

Knows the result's shape. Must not know anything that is not in it.
"""

import io
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_STATISTICS = ("min", "mean", "p50", "p90", "p99", "p999", "max")

_REACHED = 0.95
"""An open loop that got this share of its rate has reached it."""
_BUSY = 0.9
"""A driver that used this share of a CPU had no time to send more; it has one thread."""


def print_in_any_locale() -> None:
    """What a service answered may be in any script, where the locale is ASCII: such characters are escaped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def summary(result: Mapping[str, Any]) -> str:
    """A few lines of plain text."""
    return "\n".join(_lines(result))


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    asked, got, calls = result["asked"], result["got"], result["calls"]
    if result["interrupted"]:
        yield "interrupted: the results are those up to the interruption"
    yield from _shards(result["shards"], got["start_spread_ns"])
    yield f"{'':12} {'asked':>12} {'got':>12}"
    yield f"{'connections':12} {asked['connections']:>12,} {got['connections']:>12,}"
    clients = result["clients"]
    yield f"{'clients':12} {clients['asked']:>12,} {clients['served']:>12,}"
    if clients["idle"]["asked"]:
        yield f"{'idle':12} {clients['idle']['asked']:>12,} {clients['idle']['open']:>12,}"
    if asked["loop"] == "closed":
        yield f"{'in flight':12} {asked['connections'] * asked['streams']:>12,} {got['in_flight']:>12,}"
    rate = "-" if asked["loop"] == "closed" else f"{_asked_rps(result):,.0f}"
    yield f"{'rate rps':12} {rate:>12} {got['rate_rps']:>12,.0f}"
    yield f"{'duration s':12} {asked['duration_s']:>12.2f} {got['duration_s']:>12.2f}"
    yield ""
    yield f"{'ms':12} " + " ".join(f"{name:>9}" for name in _STATISTICS)
    for label, key in (("latency", "latency_ns"), ("service time", "service_time_ns"), ("lateness", "lateness_ns")):
        yield _row(label, result[key])
    if result["first_answer_ns"]:
        yield _row("1st answer", result["first_answer_ns"])
    if result["stream"]:
        yield _row("1st message", result["stream"]["first_message_ns"])
        yield _row("message gap", result["stream"]["gap_ns"])
    for name, kind in result["kinds"].items():
        yield _row(name, kind["latency_ns"])
    yield ""
    yield f"{calls['planned']:,} calls planned: {_ends(calls)}"
    for name, kind in result["kinds"].items():
        yield f"  {kind['calls']['planned']:,} {name}: {_ends(kind['calls'])}"
    if result["stream"]:
        yield f"{result['stream']['messages']:,} messages"
    if asked["deadline_s"]:
        yield f"{got['within_deadline']:,} of {got['answered']:,} answered within {asked['deadline_s'] * 1e3:g} ms"
    yield from _too_slow(result)
    for status, message in calls["first_messages"].items():
        yield f"  first {status}: {message or '(no message)'}"
    yield from _pods(result["pods"])


def _row(label: str, times: Mapping[str, Any]) -> str:
    return f"{label:12} " + " ".join(f"{_ms(times[name]):>9}" for name in _STATISTICS)


def _ends(calls: Mapping[str, Any]) -> str:
    ends = {"ok": calls["ok"], **calls["by_status"]}
    ends |= {end.replace("_", " "): calls[end] for end in ("timed_out", "not_sent", "unfinished") if calls[end]}
    return ", ".join(f"{count:,} {end}" for end, count in ends.items())


def _too_slow(result: Mapping[str, Any]) -> Iterator[str]:
    """Of an open loop that did not reach its rate: by how much, how late calls were sent, and what the bound was."""
    asked, got, late_ns = result["asked"], result["got"], result["lateness_ns"]["max"]
    if asked["loop"] == "closed" or result["interrupted"] or got["rate_rps"] >= _REACHED * _asked_rps(result):
        return
    driver = result["driver"]
    drivers_ns = len(result["shards"]) * got["duration_s"] * 1e9
    cpu = (driver["cpu_user_ns"] + driver["cpu_system_ns"]) / drivers_ns
    bound = f"the driver used {cpu:.0%} of a CPU, and "
    if cpu >= _BUSY:
        bound += "is the bottleneck; use more shards or a lower --rate"
    else:
        bound += "waited for the service or for a processor"
    late = "" if late_ns is None else f", sent up to {_ms(late_ns)} ms late"
    yield f"asked {_asked_rps(result):,.0f} calls/s, answered {got['rate_rps']:,.0f}/s{late}: {bound}"


def _asked_rps(result: Mapping[str, Any]) -> float:
    """Of an open loop: the rate, or what the schedule gives on average over the time that was measured."""
    rate: float | None = result["asked"]["rate_rps"]
    if rate is None:
        # An interrupted run may have measured for no time at all.
        return float(result["calls"]["planned"] / (result["got"]["duration_s"] or math.inf))
    return rate


def _shards(shards: Sequence[Mapping[str, Any]], start_spread_ns: int) -> Iterator[str]:
    first = shards[0]
    if len(shards) < first["of"]:
        yield f"shard {first['index']} of {first['of']}: {first['connections']:,} connections and its part of the calls"
    elif first["of"] > 1:
        yield f"{first['of']} shards, started within {_ms(start_spread_ns)} ms"


def _pods(pods: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(pods) > 1:
        answered = sum(pod["answered"] for pod in pods)
        yield f"answered by {len(pods)} pods:"
        for pod in pods:
            yield f"  {pod['host']:40} {pod['answered']:>10,} {pod['answered'] / answered:>7.1%}"


def _ms(ns: float | None) -> str:
    return "-" if ns is None else f"{ns / 1e6:,.3f}"
