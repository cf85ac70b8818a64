"""Whether the parts of a result are the whole: its slices, and the kinds of its calls."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tools.verify import sums, times
from tools.verify.sums import ENDS, STREAM_TIMES, TIMES, differs

SLICE_TIMES = ("latency_ns", "lateness_ns")


def wrong(result: Mapping[str, Any]) -> Iterator[str]:
    """A line for each part that is wrong by itself, and for each number that is not that of its parts."""
    yield from _kinds(result)
    slices = result.get("slices", ())
    for index, one in enumerate(slices):
        yield from _at(f"slices[{index}]", _slice(one))
    if slices:
        yield from _counts(result, slices)
        yield from _times(result, slices)


def _slice(one: Mapping[str, Any]) -> Iterator[str]:
    for name in SLICE_TIMES:
        yield from _at(name, times.wrong(one[name]))
        yield from differs(f"{name}.count", one[name]["count"], "ok", one["ok"])
    yield from sums.stream(one)
    yield from _kinds(one)


def _kinds(part: Mapping[str, Any]) -> Iterator[str]:
    """Of the result, or of one slice."""
    kinds: Mapping[str, Mapping[str, Any]] = part.get("kinds", {})
    for name, kind in kinds.items():
        yield from _at(f"kinds.{name}", sums.calls(kind))
    if not kinds:
        return
    for name in TIMES:
        if name in part:
            yield from _at(name, times.apart(part[name], [kind[name] for kind in kinds.values()]))
    if "calls" in part:
        yield from _added("calls", part["calls"], [kind["calls"] for kind in kinds.values()], "its kinds")
        checksums = _counted(kind["checksums"] for kind in kinds.values())
        yield from differs("checksums", part["checksums"], "its kinds", checksums)


def _counts(result: Mapping[str, Any], slices: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    got, calls = result["got"], result["calls"]

    def total(name: str) -> int:
        return sum(one[name] or 0 for one in slices)

    windows_s = sum((one["ended_monotonic_ns"] - one["started_monotonic_ns"]) / 1e9 for one in slices)
    tenths = list(map(sum, zip(*(one["answered_by_tenth"] for one in slices), strict=True)))
    of = "its slices"
    yield from differs("got.duration_s", got["duration_s"], of, windows_s)
    yield from differs("got.answered_by_tenth", got["answered_by_tenth"], of, tenths)
    for name in ("answered", "counted", "within_deadline"):
        yield from differs(f"got.{name}", got[name] or 0, of, total(name))
    # A load program does not report calls in flight.
    in_flight = () if "client" in result else (("in_flight_start", "in_flight_start"), ("in_flight", "in_flight_end"))
    for name, of_slice in in_flight:
        yield from differs(f"got.{name}", got[name], f"the most of {of}", max(one[of_slice] for one in slices))
    for name in ("planned", *ENDS):
        yield from differs(f"calls.{name}", calls[name], of, total(name))
    yield from differs("calls.by_status", sum(calls["by_status"].values()), of, total("failed"))
    cpu_ns = sum(shard["cpu_ns"] for shard in result["shards"])
    yield from differs("cpu_ns of shards", cpu_ns, of, total("cpu_ns"))


def _times(result: Mapping[str, Any], slices: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for name in SLICE_TIMES:
        yield from _at(name, times.apart(result[name], [one[name] for one in slices]))
    for name in STREAM_TIMES if result["stream"] else ():
        parts = [one["stream"][name] for one in slices]
        yield from _at(f"stream.{name}", times.apart(result["stream"][name], parts))
    for name, kind in result["kinds"].items():
        of_slices = [one["kinds"][name] for one in slices]
        yield from _added(f"kinds.{name}.calls", kind["calls"], [one["calls"] for one in of_slices], "its slices")
        for which in TIMES:
            yield from _at(f"kinds.{name}.{which}", times.apart(kind[which], [one[which] for one in of_slices]))


def _added(what: str, whole: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], of: str) -> Iterator[str]:
    for name in ("planned", *ENDS):
        yield from differs(f"{what}.{name}", whole[name], of, sum(part[name] for part in parts))
    by_status = _counted(part["by_status"] for part in parts)
    yield from differs(f"{what}.by_status", whole["by_status"], of, by_status)


def _counted(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    whole: Counter[str] = Counter()
    for part in parts:
        whole.update(part)
    return dict(whole)


def _at(where: str, lines: Iterable[str]) -> Iterator[str]:
    return (f"{where}.{line}" for line in lines)
