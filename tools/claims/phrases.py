"""An experiment in plain words: its arms, its load and its calls. Must not know what was measured."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf import json_format
from sweetspot.v1.workload_pb2 import Compute, RunRequest, Step

from tools.experiment import Arm, Experiment, Load
from tools.experiment.reading import DRIVERS_OWN
from tools.units import count, duration, share, size

US, S = 1e3, 1e9
"""Nanoseconds."""


def arm(asked: Experiment, name: str) -> str:
    """As `thread_pool with 16 threads per cpu, on 2 CPUs`."""
    one = asked.arms[name]
    options = ", ".join(f"{option.replace('_', ' ')} {value}" for option, value in asked.options(name).items())
    parts = (
        f"{one.model} with {options}" if options else one.model,
        f"on {count(one.cpus)} CPUs" if one.cpus > 1 else "",
        "on a free-threaded interpreter" if one.python else "",
        *(f"{variable}={value}" for variable, value in one.environment.items()),
        f"calls of its own: {calls(one)}" if one.plan or one.mix else "",
    )
    return ", ".join(filter(None, parts))


def load(asked: Experiment) -> str:
    """As `400 calls/s over 20 connections, Poisson, for 2.5 s after 0.5 s`."""
    of = asked.load
    clients = f"{_either(of.connections, count)} connection{'' if of.connections == (1,) else 's'}"
    parts = (
        _rate(of, clients),
        of.arrival and {"poisson": "Poisson", "constant": "evenly spaced"}[of.arrival],
        f"beside {_either(of.idle, count)} idle ones" if any(of.idle) else "",
        f"a new connection after {_times(of.calls_per_connection, 'call')}" if of.calls_per_connection else "",
        "replies are streams" if of.method == "RunStream" else "",
        f"an answer counts within {duration(of.deadline_s * S)}" if of.deadline_s else "",
        f"for {duration(asked.duration_s * S)}{f' after {duration(asked.warmup_s * S)}' if asked.warmup_s else ''}",
        f"{_times(asked.blocks, 'time')} in turn" if asked.blocks > 1 else "",
    )
    return ", ".join(filter(None, parts))


def _rate(of: Load, clients: str) -> str:
    if of.rate_rps:
        return f"{_either(of.rate_rps, count)} calls/s over {clients}"
    if of.rate_of_capacity:
        return f"{_either(of.rate_of_capacity, count)} times what the arm can serve over {clients}"
    if of.schedule:
        return f"{of.schedule} over {clients}"
    streams = of.streams or (1,)
    return f"{clients}, each with {_either(streams, count)} call{'' if streams == (1,) else 's'} at a time"


def _either(values: Iterable[float], text: Callable[[float], str]) -> str:
    """As `0, 200 or 4,000`."""
    *others, last = map(text, values)
    return f"{', '.join(others)} or {last}" if others else last


def calls(asked: Experiment | Arm) -> str:
    """As `98.5 % innocent: compute 500 rounds; 1.5 % blocking: block for 50 ms`."""
    if not asked.mix:
        return _plan(asked.plan)
    weights = {kind: plan["share"] for kind, plan in asked.mix.items()}
    total = sum(weights.values())
    kinds = {kind: _plan(plan) for kind, plan in asked.mix.items()}
    return "; ".join(f"{share(weights[kind] / total)} {kind}: {text}" for kind, text in kinds.items())


def _plan(plan: Mapping[str, Any]) -> str:
    own = {name: value for name, value in plan.items() if name not in DRIVERS_OWN}
    steps = Counter(map(_step, json_format.ParseDict(own, RunRequest()).steps))
    parts = [
        *(f"{f'{number} times ' if number > 1 else ''}{step}" for step, number in steps.items()),
        *([f"carry {size(plan['payload_bytes'])}"] if plan.get("payload_bytes") else []),
    ]
    return ", ".join(parts) or "answer at once"


def _step(step: Step) -> str:
    """Steps that are alike have one text."""
    kind = step.WhichOneof("kind")
    if kind == "compute":
        where = " in OpenSSL" if step.compute.engine == Compute.ENGINE_NATIVE else ""
        return f"compute {count(step.compute.rounds)} rounds{where}"
    if kind == "call":
        return f"wait {duration(step.call.delay_us * US)} for the backend"
    if kind == "sleep":
        return f"sleep {duration(step.sleep.duration_us * US)}" if step.sleep.duration_us else "give way"
    if kind == "block":
        return f"block for {duration(step.block.duration_us * US)}"
    if kind == "touch":
        return f"read {size(step.touch.working_set_kib * 1024)} of memory"
    gives_way = _times(step.transfer.yields, "time")
    return f"transfer money{f', giving way {gives_way} in between' if step.transfer.yields else ''}"


def _times(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
