"""`python -m services.workload.costs.rounds`: CPU time of a round of a `compute` step here and now, as JSON.

It prints for each engine the nanoseconds that a round took in each of BATCHES batches, ascending. The speed of a shared
machine changes within seconds, so the range is as much of an answer as the middle.
"""

import json
import time

from sweetspot.v1 import workload_pb2

from services.workload.steps import compute

BATCHES = 40
ROUNDS = {"ENGINE_PYTHON": 20_000, "ENGINE_NATIVE": 4_000}
"""Of a batch: 1 to 3 ms, as long as the computing of a call is."""


def rounds_ns(engine: str) -> list[float]:
    """CPU time of a round in each batch, ascending. Nanoseconds."""
    step = workload_pb2.Compute(rounds=ROUNDS[engine], engine=engine)
    compute(step)  # compiled and in the caches, as in a service in use
    found = []
    for _ in range(BATCHES):
        began_ns = time.thread_time_ns()
        compute(step)
        found.append((time.thread_time_ns() - began_ns) / step.rounds)
    return sorted(found)


if __name__ == "__main__":
    print(json.dumps({engine: rounds_ns(engine) for engine in ROUNDS}))
