"""Runs of the driver within the test's process."""

from pathlib import Path
from typing import Any

from services.driver.loop import Load, Outcome
from services.driver.options import Options, Target
from services.driver.shard import Shard
from services.driver.tracing import Sampler


def options(*targets: Target, **changed: Any) -> Options:
    """A short closed loop, but for what is changed."""
    asked: dict[str, Any] = {
        "targets": targets,
        "balance": "cluster-ip",
        "resolve_s": 0.0,
        "shard": Shard(),
        "barrier": None,
        "barrier_timeout_s": 5.0,
        "connections": 2,
        "streams": 2,
        "rate_rps": None,
        "arrival": "constant",
        "warmup_s": 0.0,
        "duration_s": 0.3,
        "timeout_s": 0.15,
        "plan": Path("plan.yaml"),
        "out": Path("result.json"),
        "trace_ratio": 0.0,
        "trace_file": None,
        "seed": 1,
    }
    return Options(**(asked | changed))


def run(asked: Options, *, announced: list[str] | None = None) -> Outcome:
    """Opens the connections and makes the load."""
    sampler = Sampler(asked.trace_ratio, asked.seed) if asked.trace_ratio else None
    load = Load(asked, b"", sampler, ([] if announced is None else announced).append)
    load.open_connections()
    return load.run()
