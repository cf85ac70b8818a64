"""Whether the numbers of a result, or of a part of it, follow from its own raw data."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tools.verify import times

TIMES = ("latency_ns", "service_time_ns", "lateness_ns")
STREAM_TIMES = ("first_message_ns", "gap_ns")
ENDS = ("ok", "timed_out", "not_sent", "unfinished")
"""Of a planned call, beside a status other than OK."""


def wrong(result: Mapping[str, Any]) -> Iterator[str]:
    """A line for each number that does not follow, as `got.rate_rps is 12.0, and answered / duration_s give 11.0`.

    Numbers that a driver did not write are skipped.
    """
    yield from _rate(result["got"])
    yield from calls(result)
    yield from _clients(result)
    yield from _shards(result)
    yield from stream(result)


def _rate(got: Mapping[str, Any]) -> Iterator[str]:
    rate = got["answered"] / got["duration_s"] if got["duration_s"] else 0.0
    yield from differs("got.rate_rps", got["rate_rps"], "answered / duration_s", rate)
    if "answered_by_tenth" in got:
        yield from differs("got.answered", got["answered"], "the sum of its tenths", sum(got["answered_by_tenth"]))


def calls(part: Mapping[str, Any]) -> Iterator[str]:
    """Of the result, or of one kind."""
    ends = part["calls"]
    ended = sum(ends[end] for end in ENDS) + sum(ends["by_status"].values())
    yield from differs("calls.planned", ends["planned"], "the sum of all ends", ended)
    for name in TIMES:
        yield from (f"{name}.{line}" for line in times.wrong(part[name]))
        yield from differs(f"{name}.count", part[name]["count"], "calls.ok", ends["ok"])
    if (checked := sum(part["checksums"].values())) > ends["ok"]:
        yield f"checksums are of {checked} replies, and calls.ok is {ends['ok']}"


def _clients(result: Mapping[str, Any]) -> Iterator[str]:
    clients, ok = result.get("clients"), result["calls"]["ok"]
    if "client" not in result:  # a load program does not report who answered
        yield from differs("pods", sum(pod["answered"] for pod in result["pods"]), "calls.ok", ok)
    if not clients:
        return
    yield from differs("clients.answered", clients["answered"], "calls.ok", ok)
    squares = clients["asked"] * clients["answered_squared"]
    jain = clients["answered"] ** 2 / squares if squares else None
    yield from differs("clients.jain", clients["jain"], "answered^2 / (asked x answered_squared)", jain)
    if clients["served"] > clients["asked"]:
        yield f"clients.served is {clients['served']}, and clients.asked is {clients['asked']}"


def _shards(result: Mapping[str, Any]) -> Iterator[str]:
    driver, marks = result["driver"], result.get("marks")
    cpu_ns = sum(shard["cpu_ns"] for shard in result["shards"])
    yield from differs("driver", driver["cpu_user_ns"] + driver["cpu_system_ns"], "cpu_ns of its shards", cpu_ns)
    if marks and not result.get("slices"):
        window_s = (marks["ended_monotonic_ns"] - marks["started_monotonic_ns"]) / 1e9
        yield from differs("got.duration_s", result["got"]["duration_s"], "the time between its marks", window_s)


def stream(part: Mapping[str, Any]) -> Iterator[str]:
    """Of the result, or of one slice."""
    streamed = part.get("stream")
    if not streamed:
        return
    for name in STREAM_TIMES:
        yield from (f"stream.{name}.{line}" for line in times.wrong(streamed[name]))
    messages = sum(streamed[name]["count"] for name in STREAM_TIMES)
    yield from differs("stream.messages", streamed["messages"], "first messages and gaps", messages)


def differs(what: str, stored: Any, of: str, computed: Any) -> Iterator[str]:
    alike = stored == computed
    if isinstance(stored, float) and isinstance(computed, float):
        alike = math.isclose(stored, computed, rel_tol=times.ROUNDING)
    if not alike:
        yield f"{what} is {stored}, and {of} give {computed}"
