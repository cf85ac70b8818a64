"""A results folder that looks like a real one, for tests and for looking at the report by hand.

Numbers come from rough formulas and a seed, so that the same arguments always give the same folder:
`python -m tests.tools.sample FOLDER`.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram
from sweetspot.v1.control_pb2 import SnapshotReply

from tools.experiment import Load, Point, points
from tools.results import Trial, TrialId, write_trial


@dataclass(frozen=True, slots=True)
class Character:
    """What sets one model apart from another in these made-up numbers."""

    capacity_rps: float
    decay: float
    tail: float
    bytes_per_connection: int
    switches: float
    has_loop: bool


MODELS = {
    "thread_per_connection": Character(3900, 0.13, 0.9, 96_000, 4.2, False),
    "thread_pool": Character(3600, 0.06, 0.6, 22_000, 3.4, False),
    "reactor": Character(4600, 0.012, 0.25, 14_000, 0.08, True),
    "coroutines": Character(3700, 0.02, 0.3, 21_000, 0.11, True),
    "grpcio_threads": Character(1300, 0.1, 0.8, 60_000, 9.5, False),
    "grpcio_asyncio": Character(1150, 0.05, 0.5, 48_000, 3.1, True),
}
CONNECTIONS = (1, 10, 100, 1000)
PLAN = {"steps": [{"compute": {"rounds": 2000}}, {"call": {"delay_us": 5000, "reply_bytes": 128}}]}
EPOCH_NS = 1_795_000_000_000_000_000
DURATION_S = 4.0


def make(
    folder: Path, *, models: Sequence[str] = tuple(MODELS), counts: Sequence[int] = CONNECTIONS, rounds: int = 1
) -> Path:
    """Fills the folder as a run of those models at those connection counts would; returns it."""
    for model in models:
        for connections in counts:
            for number in range(1, rounds + 1):
                write_trial(folder, trial(model, connections, number))
    _write_traces(folder, models, counts)
    (folder / "experiment.yaml").write_text(
        f"arms: {{{', '.join(f'{model}: {{model: {model}}}' for model in models)}}}\n"
        f"load: {{connections: [{', '.join(map(str, counts))}]}}\nplan: {json.dumps(PLAN)}\n"
    )
    (folder / "environment.json").write_text(
        json.dumps(
            {
                "kernel": "Linux 6.1.0-28-amd64 x86_64",
                "cpu": "AMD EPYC 7B13",
                "cpus": 2,
                "python": "3.11.7",
                "git_revision": "8fa8a85c0ffee",
                "packages": {"ngh2": "0.3.0", "protobuf": "7.35.0", "opentelemetry-sdk": "1.45.2", "grpcio": "1.85.1"},
            }
        )
    )
    return folder


def make_mixed(folder: Path, load: Load, *, rounds: int = 3) -> Path:
    """Fills the folder as a run of two kinds of calls at every point of that load would; returns it.

    Replies are streams with a deadline. The pool of threads lets short calls wait for long ones, and is unfair.
    """
    for point in points(load):
        for model in ("reactor", "thread_pool", "coroutines"):
            for number in range(1, rounds + 1):
                one = trial(model, point.connections, number, kinds=_kinds(model), stream=_stream(model))
                if model == "thread_pool":
                    one = replace(one, result={**one.result, "clients": _unfair(one.result["clients"])})
                got = {**one.result["got"], "within_deadline": one.result["got"]["answered"] * 9 // 10}
                write_trial(folder, at(point, replace(one, result={**one.result, "got": got})))
    return folder


def _unfair(counted: dict[str, Any]) -> dict[str, Any]:
    return {**counted, "answered_squared": 2 * counted["answered_squared"], "jain": counted["jain"] / 2}


def _kinds(model: str) -> dict[str, Any]:
    tail_ms = 60.0 if model == "thread_pool" else 3.0
    return {"short": kind(*[1.0] * 190, *[tail_ms] * 10), "long": kind(*[50.0] * 90, *[50 + tail_ms] * 10)}


def _stream(model: str) -> dict[str, Any]:
    first, gaps = distribution([len(model) * 10**6] * 2000), distribution([len(model) * 10**5] * 8000)
    return {"messages": 10_000, "first_message_ns": first, "gap_ns": gaps}


def at(point: Point, one: Trial) -> Trial:
    """The same trial at another point."""
    asked = {key: getattr(point, key) for key in ("connections", "streams", "rate_rps")}
    asked["loop"] = "open" if point.streams is None else "closed"
    result = {**one.result, "asked": {**one.result["asked"], **asked}}
    return replace(one, id=TrialId(one.arm, point.name, one.id.round), load=point.values, result=result)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What chance decides of a trial."""

    rate_rps: float
    ok: int
    latency_ns: dict[str, Any]
    lateness_ns: dict[str, Any]
    switches: int


@cache
def _draw(model: str, connections: int, number: int) -> _Drawn:
    character, dice = _character(model), random.Random(f"{model}{connections}{'' if number == 1 else number}")
    rate = min(connections * 165.0, character.capacity_rps * connections**-character.decay) * dice.uniform(0.98, 1.02)
    ok = int(rate * DURATION_S)
    latencies = [_latency_ns(character, connections, rate, dice) for _ in range(min(ok, 4000))]
    latenesses = [dice.randint(1_000, 60_000) for _ in range(500)]
    switches = int(ok * character.switches * dice.uniform(0.9, 1.1))
    return _Drawn(rate, ok, distribution(latencies, ok), distribution(latenesses, ok), switches)


def trial(model: str, connections: int, number: int = 1, **changes: Any) -> Trial:
    """One trial, of that round; `changes` replace parts of the driver's result."""
    character, drawn = _character(model), _draw(model, connections, number)
    rate, ok = drawn.rate_rps, drawn.ok
    result: dict[str, Any] = {
        "version": 4,
        "started_at": "2026-11-18T10:00:00Z",
        "addresses": ["127.0.0.1:41234"],
        "plan": PLAN,
        "asked": {
            "loop": "closed",
            "balance": "cluster-ip",
            "connections": connections,
            "streams": 1,
            "rate_rps": None,
            "arrival": None,
            "warmup_s": 1.0,
            "duration_s": DURATION_S,
            "timeout_s": 10.0,
            "trace_ratio": 0.001,
            "seed": 1,
        },
        "got": {
            "start_spread_ns": 0,
            "connections": connections,
            "duration_s": DURATION_S,
            "answered": ok,
            "rate_rps": ok / DURATION_S,
        },
        "calls": {
            "planned": ok,
            "ok": ok,
            "by_status": {},
            "timed_out": 0,
            "not_sent": 0,
            "unfinished": 0,
        },
        "clients": clients(connections, connections, ok),
        "latency_ns": {**drawn.latency_ns},
        "service_time_ns": {**drawn.latency_ns},
        "lateness_ns": {**drawn.lateness_ns},
        "driver": {"cpu_user_ns": int(rate * 9e4), "cpu_system_ns": int(rate * 5e4), "python": "3.11.7"},
        "marks": {"started_monotonic_ns": 10**12, "ended_monotonic_ns": 10**12 + int(DURATION_S * 1e9)},
        "traces": [
            {"trace_id": trace_id, "latency_ns": latency_ns, "status": "OK"}
            for trace_id, latency_ns in _traced(model, connections)
        ],
        "checksums": {"3735928559": ok},
        "served_by": {"host/4711/0": ok},
        "pods": [{"host": "host", "answered": ok, "first_answer_ns": 10**9}],
        "spans": {"made": 9, "exported": 9, "dropped": 0},
        "shards": [
            {
                "index": 0,
                "of": 1,
                "connections": connections,
                "begin_monotonic_ns": 10**12 - 10**9,
                "begun_late_ns": 0,
                "clock_uncertainty_ns": 0,
                "cpu_ns": int(rate * 9e4) + int(rate * 5e4),
            }
        ],
    }
    cpu_ns = int(3.9e9 * min(1, rate / character.capacity_rps))
    before = SnapshotReply(model=model, cpu_user_ns=10**9, cpu_system_ns=10**8, connections=connections)
    after = SnapshotReply(
        model=model,
        processes=1,
        threads=connections if model == "thread_per_connection" else 4,
        cpu_user_ns=10**9 + int(cpu_ns * 0.7),
        cpu_system_ns=10**8 + int(cpu_ns * 0.3),
        pss_bytes=38_000_000 + character.bytes_per_connection * connections,
        voluntary_switches=drawn.switches,
        involuntary_switches=int(ok * 0.02 * connections**0.4),
        connections=connections,
    )
    if character.has_loop:
        after.loop_lag_max_ns = int(2e6 * connections**0.5)
    for part in ("got", "asked"):
        changes[part] = result[part] | changes.get(part, {})
    result |= changes
    asked = {axis: result["asked"][axis] for axis in ("connections", "streams", "rate_rps")}
    load = {axis: value for axis, value in asked.items() if value is not None}
    return Trial(TrialId(model, str(connections), number), model, load, result, before, after)


def kind(*latencies_ms: float) -> dict[str, Any]:
    """One kind of call of a mix, in the form of the driver's result."""
    of_calls = distribution([int(each * 1e6) for each in latencies_ms])
    none = {"by_status": {}, "timed_out": 0, "not_sent": 0, "unfinished": 0}
    number = len(latencies_ms)
    return {
        "calls": {"planned": number, "ok": number, **none},
        **dict.fromkeys(("latency_ns", "service_time_ns", "lateness_ns"), of_calls),
        "checksums": {},
    }


def clients(asked: int, served: int, answered: int, *, calls_of_unserved: int = 0) -> dict[str, Any]:
    """Clients in the form of the driver's result, of which those that are served got as much as another."""
    each = answered // max(served, 1)
    return {
        "asked": asked,
        "served": served,
        "unserved_at_start": asked - served,
        "answered": answered,
        "answered_squared": answered**2 // max(served, 1),
        "calls_of_unserved": calls_of_unserved,
        "answered_least": each if served == asked else 0,
        "answered_most": each,
        "longest_wait_ns": int(DURATION_S * 1e9) if served < asked else 10**8,
        "jain": served / asked if answered else None,
    }


def distribution(samples: Sequence[int], count: int | None = None) -> dict[str, Any]:
    """Those samples in the form of the driver's result; `count` claims another number of them."""
    known = len(samples) if count is None else count
    return {"count": known, "clamped": 0, **_summarized(tuple(samples))}


@cache
def _summarized(samples: tuple[int, ...]) -> dict[str, Any]:
    """The statistics and the histogram. Cached: the histogram in pure Python takes 10 us for each sample."""
    histogram = HdrHistogram(1_000, 3_600_000_000_000, 3)
    for sample, times in Counter(samples).items():
        histogram.record_value(sample, times)
    percentiles = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}
    statistics: dict[str, Any] = dict.fromkeys(("min", "mean", "max", *percentiles))
    if samples:
        statistics = {"min": min(samples), "mean": sum(samples) / len(samples), "max": max(samples)}
        statistics |= {key: histogram.get_value_at_percentile(value) for key, value in percentiles.items()}
    return {**statistics, "histogram": histogram.encode().decode()}


def _character(model: str) -> Character:
    """Models without a character of their own share those of the others."""
    return MODELS.get(model) or list(MODELS.values())[len(model) % len(MODELS)]


def _latency_ns(character: Character, connections: int, rate: float, dice: random.Random) -> int:
    mean = connections / rate * 1e9
    return int(max(5.2e6, mean * dice.lognormvariate(-(character.tail**2) / 2, character.tail)))


def _traced(model: str, connections: int) -> list[tuple[str, int]]:
    character, dice = _character(model), random.Random(f"traces of {model}{connections}")
    rate = min(connections * 165.0, character.capacity_rps)
    return [(f"{dice.getrandbits(128):032x}", _latency_ns(character, connections, rate, dice)) for _ in range(9)]


def _write_traces(folder: Path, models: Sequence[str], counts: Sequence[int]) -> None:
    """One OTLP JSON request a line and a file a process (opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding)."""
    lines: dict[str, list[str]] = {"driver": [], "backend": []}
    for model in models:
        for connections in counts:
            for trace_id, latency_ns in _traced(model, connections):
                for process, spans in _spans(model, trace_id, latency_ns).items():
                    lines.setdefault(process, []).append(_request(process, spans))
    (folder / "traces").mkdir(exist_ok=True)
    for process, requests in lines.items():
        (folder / "traces" / f"{process}.jsonl").write_text("".join(f"{request}\n" for request in requests))


def _spans(model: str, trace_id: str, latency_ns: int) -> dict[str, list[dict[str, Any]]]:
    dice = random.Random(trace_id)
    start = EPOCH_NS + dice.randrange(10**9)
    sent, ended = start + 40_000, start + latency_ns
    received, replied = sent + 200_000, ended - 150_000
    compute_ns, backend_ns = 260_000, 5_000_000
    free = max(0, replied - received - compute_ns - backend_ns - 400_000)
    run = received + int(free * 0.7)
    computed = run + compute_ns
    called_back = replied - int(free * 0.01) - 20_000
    late = {"key": "sweetspot.lateness_ns", "value": {"intValue": str(sent - start)}}
    method = [_attribute("rpc.system.name", "grpc"), _attribute("rpc.method", "sweetspot.v1.Workload/Run")]

    def span(ids: tuple[int, int], name: str, kind: int, begin: int, end: int, *more: Any) -> dict[str, Any]:
        number, parent = ids
        return {
            "traceId": trace_id,
            "spanId": f"{number:016x}",
            "parentSpanId": f"{parent:016x}" if parent else "",
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(begin),
            "endTimeUnixNano": str(end),
            "attributes": list(more),
        }

    return {
        "driver": [span((1, 0), "sweetspot.v1.Workload/Run", 3, start, ended, *method, late)],
        model.replace("_", "-"): [
            span(
                (2, 1), "sweetspot.v1.Workload/Run", 2, received, replied, *method, _attribute("sweetspot.model", model)
            ),
            span((3, 2), "queue", 1, received, run),
            span((4, 2), "run", 1, run, called_back + 10_000, _attribute("sweetspot.worker", "worker-3")),
            span((5, 4), "compute", 1, run, computed, _attribute("sweetspot.step", "0")),
            span(
                (6, 4),
                "sweetspot.v1.Backend/Fetch",
                3,
                computed + 5_000,
                called_back,
                _attribute("sweetspot.step", "1"),
            ),
        ],
        "backend": [
            span((7, 6), "sweetspot.v1.Backend/Fetch", 2, computed + 105_000, computed + 105_000 + backend_ns),
        ],
    }


def _attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def _request(process: str, spans: list[dict[str, Any]]) -> str:
    resource = {"attributes": [_attribute("service.name", process), _attribute("host.name", "laptop")]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": spans}]}]})


if __name__ == "__main__":
    make(Path(sys.argv[1]))
