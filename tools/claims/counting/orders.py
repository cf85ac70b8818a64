"""The same calls arrive again and again, in the same order: in how many orders do they end?

A program that can be debugged does the same thing each time. Must not know what decides the order in a model.
"""

import json
from collections.abc import Sequence
from typing import Any

from tools.claims.counting.loaded_service import ordering, serving
from tools.local import Programs

MODELS = ("reactor", "coroutines", "green_threads", "thread_pool", "thread_per_request")
"""Loops, and threads that run the calls of one connection at the same time."""
CALLS = 20
"""Sent at once on one connection, so that they arrive in one order."""
REPLAYS = 100
PLAN = {"steps": [{"compute": {"rounds": 500}}, {"sleep": {"duration_us": 1000}}, {"compute": {"rounds": 500}}]}
TIMEOUT_S = 60.0


def count(programs: Programs) -> dict[str, Any]:
    """Model -> `distinct` orders, of `replays`. Raises LocalError."""
    return {model: distinct(_orders(programs, model)) for model in MODELS}


def _orders(programs: Programs, model: str) -> list[Sequence[int]]:
    with (
        serving(programs, model) as service,
        ordering(programs, service, PLAN, calls=CALLS, window=CALLS, times=REPLAYS) as driver,
    ):
        return [json.loads(line)["order"] for line in driver.finish(TIMEOUT_S)]


def distinct(orders: Sequence[Sequence[int]]) -> dict[str, int]:
    """How many replays there were, and how many orders."""
    return {"replays": len(orders), "distinct": len(set(map(tuple, orders)))}
