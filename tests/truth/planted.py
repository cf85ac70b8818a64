"""`python -m tests.truth.planted ...`: `python -m services ...`, with more work in each call if PLANTED is set.

PLANTED is a share of the rounds of each compute step. These rounds are done once more. The reply is the same.
"""

import os
import runpy

from sweetspot.v1 import workload_pb2

from services.workload import steps

VARIABLE = "PLANTED"


def plant(extra: float) -> None:
    """Has every compute step do that share of its work once more."""
    compute = steps.compute

    def planted(step: workload_pb2.Compute) -> int:
        compute(workload_pb2.Compute(rounds=round(step.rounds * extra), engine=step.engine))
        return compute(step)

    steps.compute = planted


if __name__ == "__main__":
    # Before any module takes the function by its name.
    plant(float(os.environ.get(VARIABLE, "0")))
    runpy.run_module("services", run_name="__main__", alter_sys=True)
