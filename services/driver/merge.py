"""Results of parts -> the result of the whole: shards, which run at the same time, or slices, one after the other.

Nothing is averaged but the clients that slices served: calls are added up, histograms are added bucket by bucket.

`python -m services.driver.merge --out RESULT SHARD ...` does so with files. A shard that is missing, or there twice, or
that did something else, makes the run void: one line on stderr, exit 2, and no result.
Must not know how parts were run.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.driver.clients import join as join_clients
from services.driver.clients import merge as merge_clients
from services.driver.result import UNWRITTEN, VERSION, write
from services.driver.samples import merge as merge_summaries
from services.driver.summary import print_in_any_locale, summary
from services.driver.tracing import not_too_many

Result = dict[str, Any]

_ALIKE = ("version", "addresses", "plan", "asked")


class VoidRun(Exception):
    """Why there is no result: one line."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command line. Returns the exit status."""
    print_in_any_locale()
    parser = argparse.ArgumentParser(prog="python -m services.driver.merge", allow_abbrev=False)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.json", help="file for the merged result")
    parser.add_argument("shards", nargs="+", type=Path, metavar="SHARD.json", help="result files of all shards")
    args = parser.parse_args(arguments)
    try:
        result = merge([json.loads(path.read_text(encoding="utf-8")) for path in args.shards])
    except (OSError, ValueError, VoidRun) as error:
        print(f"services.driver.merge: {error}", file=sys.stderr)
        return 2
    if not write(args.out, result):
        return UNWRITTEN
    print(summary(result))
    return 0


def merge(results: Sequence[Result], *, interrupted: bool = False) -> Result:
    """The result of the whole run, of its shards. `interrupted`: all of them were to end early. Raises VoidRun."""
    shards = sorted((shard for result in results for shard in result["shards"]), key=lambda shard: int(shard["index"]))
    _check(results, [shard["index"] for shard in shards], {shard["of"] for shard in shards}, interrupted)
    first = next(result for result in results if result["shards"][0]["index"] == 0)
    whole = _sum(first, results)
    whole["got"] |= {
        **_added([result["got"] for result in results], ("connections", "in_flight_start", "in_flight")),
        "start_spread_ns": start_spread_ns(shards),
        "duration_s": first["got"]["duration_s"],
        "rate_rps": sum(result["got"]["rate_rps"] for result in results),
    }
    whole["clients"] = merge_clients([result["clients"] for result in results])
    whole["interrupted"] = interrupted
    whole["shards"] = shards
    return whole


def join(results: Sequence[Result]) -> Result:
    """The result of slices that one driver made one after the other, in this order.

    `clients.served` is the mean over the slices, rounded down: a client that is lost after some slices was not served
    in the others.
    """
    first, last = results[0], results[-1]
    whole = _sum(first, results)
    got = whole["got"]
    duration_s = sum(result["got"]["duration_s"] for result in results)
    got |= {
        **{key: max(result["got"][key] for result in results) for key in ("in_flight_start", "in_flight")},
        "connections": last["got"]["connections"],
        "start_spread_ns": 0,
        "duration_s": duration_s,
        "rate_rps": got["answered"] / duration_s if duration_s else 0.0,
    }
    # What each client got is added up as the slices are made, but for whether it was served.
    whole["clients"] = join_clients([result["clients"] for result in results])
    whole["interrupted"] = last["interrupted"]
    whole["asked"] = first["asked"] | {"duration_s": sum(result["asked"]["duration_s"] for result in results)}
    whole["marks"] = first["marks"] | {"ended_monotonic_ns": last["marks"]["ended_monotonic_ns"]}
    (shard,) = first["shards"]
    whole["shards"] = [shard | {"cpu_ns": sum(result["shards"][0]["cpu_ns"] for result in results)}]
    whole["pods"] = _pods([_counted_from(shard["begin_monotonic_ns"], result) for result in results])
    return whole


def _sum(first: Result, results: Sequence[Result]) -> Result:
    """What is added up whether the parts ran together or in turn; what is the same in all of them is the first's."""
    return {
        **{key: first[key] for key in _ALIKE},
        "started_at": min(result["started_at"] for result in results),
        "got": {
            **_added([result["got"] for result in results], ("connections_lost", "sent_again", "answered", "counted")),
            "within_deadline": _sum_unless_none([result["got"]["within_deadline"] for result in results]),
            "answered_by_tenth": list(
                map(sum, zip(*(result["got"]["answered_by_tenth"] for result in results), strict=True))
            ),
        },
        "calls": {
            **_calls([result["calls"] for result in results]),
            # A result from before it was counted has no more of them than it lists.
            "traced": sum(result["calls"].get("traced", len(result["traces"])) for result in results),
            "first_messages": {
                status: message for result in results for status, message in result["calls"]["first_messages"].items()
            },
        },
        **_times(results),
        "first_answer_ns": None
        if first["first_answer_ns"] is None
        else merge_summaries([result["first_answer_ns"] for result in results]),
        "stream": None if first["stream"] is None else _stream([result["stream"] for result in results]),
        "driver": {
            # A result from before it was counted has none.
            "waited_ns": sum(result["driver"].get("waited_ns", 0) for result in results),
            **_added([result["driver"] for result in results], ("cpu_user_ns", "cpu_system_ns")),
            "python": first["driver"]["python"],
        },
        "marks": first["marks"],
        "traces": not_too_many([call for result in results for call in result["traces"]]),
        "checksums": _counted(result["checksums"] for result in results),
        "kinds": {name: _kind([result["kinds"][name] for result in results]) for name in first["kinds"]},
        "served_by": _counted(result["served_by"] for result in results),
        "pods": _pods(results),
        "spans": None if first["spans"] is None else _spans([result["spans"] for result in results]),
    }


def start_spread_ns(shards: Sequence[Mapping[str, Any]]) -> int:
    """By how much at most the first shard began before the last one."""
    if len(shards) == 1:
        return 0
    latest: int = max(each["begun_late_ns"] + each["clock_uncertainty_ns"] for each in shards)
    earliest: int = min(each["begun_late_ns"] - each["clock_uncertainty_ns"] for each in shards)
    return latest - earliest


def _check(results: Sequence[Result], indices: Sequence[int], numbers: set[int], interrupted: bool) -> None:
    """Whether these are all shards of one run, each once, and each to its end unless it was interrupted."""
    if len(numbers) > 1:
        raise VoidRun(f"the shards are of different runs: runs of {' and '.join(map(str, sorted(numbers)))} shards")
    (of,) = numbers
    for index in range(of):
        if (times := indices.count(index)) != 1:
            what = "wrote no result" if times == 0 else f"wrote {times} results: it was started more than once"
            raise VoidRun(f"shard {index} of {of} {what}")
    for result in results:
        index = result["shards"][0]["index"]
        if result["interrupted"] and not interrupted:
            raise VoidRun(f"shard {index} of {of} was interrupted")
        if result["version"] != VERSION:
            raise VoidRun(f"shard {index} of {of} was written by another version: {result['version']}, not {VERSION}")
        for key in _ALIKE:
            if result[key] != results[0][key]:
                raise VoidRun(f"shard {index} of {of} had other settings: its {key} differs")
        calls = result["calls"]
        ended = sum(calls[end] for end in ("ok", "timed_out", "not_sent", "unfinished")) + sum(
            calls["by_status"].values()
        )
        if calls["planned"] != ended:
            raise VoidRun(f"shard {index} of {of} planned {calls['planned']} calls, and its result has {ended}")
        if calls["ok"] != (count := result["latency_ns"]["count"]):
            raise VoidRun(f"shard {index} of {of} answered {calls['ok']} calls, and its histogram has {count}")


def _added(parts: Sequence[Mapping[str, int]], keys: Sequence[str]) -> dict[str, int]:
    return {key: sum(part[key] for part in parts) for key in keys}


def _kind(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "calls": _calls([part["calls"] for part in parts]),
        **_times(parts),
        "checksums": _counted(part["checksums"] for part in parts),
    }


def _calls(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        **_added(parts, ("planned", "ok", "timed_out", "not_sent", "unfinished")),
        "by_status": _counted(part["by_status"] for part in parts),
    }


def _stream(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {**_added(parts, ("messages",)), **_summaries(parts, ("first_message_ns", "gap_ns"))}


def _times(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return _summaries(parts, ("latency_ns", "service_time_ns", "lateness_ns"))


def _summaries(parts: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, Any]:
    return {key: merge_summaries([part[key] for part in parts]) for key in keys}


def _sum_unless_none(parts: Sequence[int | None]) -> int | None:
    """All parts are None where one is, as all were asked for the same."""
    return None if parts[0] is None else sum(part or 0 for part in parts)


def _spans(spans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = {what: sum(each[what] for each in spans) for what in ("made", "exported", "dropped")}
    return {**counts, "lost": _counted(each.get("lost", {}) for each in spans)}


def _counted(parts: Any) -> dict[str, int]:
    whole: Counter[str] = Counter()
    for part in parts:
        whole.update(part)
    return dict(whole)


def _counted_from(begin_ns: int, result: Result) -> Result:
    """A slice's pods, with times from the beginning of the first slice."""
    later_ns = result["shards"][0]["begin_monotonic_ns"] - begin_ns
    return {"pods": [pod | {"first_answer_ns": pod["first_answer_ns"] + later_ns} for pod in result["pods"]]}


def _pods(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Times are from the beginning of the run, which is one instant for all shards: they can be compared."""
    pods: dict[str, dict[str, Any]] = {}
    for pod in (pod for result in results for pod in result["pods"]):
        known = pods.setdefault(pod["host"], {**pod, "answered": 0})
        known["answered"] += pod["answered"]
        known["first_answer_ns"] = min(known["first_answer_ns"], pod["first_answer_ns"])
    return [pod for _, pod in sorted(pods.items())]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
