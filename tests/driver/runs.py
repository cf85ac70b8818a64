"""Runs of the driver within the test's process."""

import socket
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

from services.driver.load import LoadGenerator
from services.driver.options import Options
from services.driver.outcome import Outcome
from services.driver.plan import PLAIN, Plan, Request, make_plan
from services.driver.result import make_result
from services.driver.shard import Shard
from services.driver.tracing import sampler
from services.network.address import Address
from tests.driver.fake_service import Act, FakeService

EMPTY = Request(PLAIN, b"")
ECHO = make_plan(None)


def options(*addresses: Address, **changed: Any) -> Options:
    """A short closed loop, but for what is changed."""
    asked: dict[str, Any] = {
        "addresses": addresses,
        "balance": "cluster-ip",
        "resolve_s": 0.0,
        "shard": Shard(),
        "barrier": None,
        "barrier_timeout_s": 5.0,
        "processes": 1,
        "connections": 2,
        "idle": 0,
        "calls_per_connection": None,
        "streams": 2,
        "rate_rps": None,
        "schedule": None,
        "arrival": "constant",
        "warmup_s": 0.0,
        "duration_s": 0.3,
        "timeout_s": 0.15,
        "deadline_s": None,
        "method": "Run",
        "plan": Path("plan.yaml"),
        "out": Path("result.json"),
        "trace_ratio": 0.0,
        "trace_file": None,
        "run": None,
        "trial": None,
        "model": None,
        "seed": 1,
    }
    return Options(**(asked | changed))


def nobody() -> Address:
    """An address at which no process listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Address(*listener.getsockname())


def run(asked: Options, plan: Plan | None = None, *, announced: list[str] | None = None) -> Outcome:
    """Opens the connections, makes the load and closes them; of empty requests without a plan."""
    requests = repeat(EMPTY) if plan is None else plan.requests(asked.seed, asked.shard, asked.connections)
    load = LoadGenerator(asked, requests, sampler(asked), ([] if announced is None else announced).append)
    load.open_connections()
    outcome = load.run()
    load.close()
    return outcome


def result_of(asked: Options, plan: Plan) -> dict[str, Any]:
    """The result of a run of the plan."""
    return make_result(asked, plan, datetime(2026, 1, 1, tzinfo=UTC), run(asked, plan))


def shard_results(of: int, plan: Plan = ECHO, **changed: Any) -> list[dict[str, Any]]:
    """Results of a real run of each shard, one after the other: 150 calls in all, of which some are rejected."""
    results = []
    service = FakeService(lambda number: Act.REFUSE if number % 10 == 0 else Act.REPLY)
    with service.running() as address:
        for index in range(of):
            load = {"connections": 3, "streams": None, "rate_rps": 300.0, "duration_s": 0.5, "shard": Shard(index, of)}
            asked = options(address, **(load | changed))
            results.append(result_of(asked, plan))
    return results
