"""What a round of a `compute` step costs in a cluster: measured in a pod, by the counters of the service.

A plan with many rounds and a plan with none differ in CPU time for each call by these rounds and nothing else.
"""

from statistics import median

from msgspec.structs import replace

from tools import measures
from tools.experiment import Arm, Experiment, Load
from tools.rounds import RoundCost
from tools.scale.cells import Cell
from tools.scale.run import Deployer, FailedError
from tools.status import PlainError

ROUNDS = 50_000
"""2 to 8 ms of CPU: many times what a call costs besides."""
RATE_RPS, WARMUP_S, DURATION_S = 40.0, 0.5, 3.0
"""For a pod with one CPU. This load uses about a fifth of the CPU."""
REPEATS = 3


def measure_in(deployer: Deployer, model: str, cpus: float) -> RoundCost:
    """Loads one pod of that model with that limit, REPEATS times with each plan. Raises PlainError."""
    cell, rate_rps = Cell("rounds", model, "", 1, cpus), RATE_RPS * min(1.0, cpus)
    if why := deployer.why_not(cell):
        raise PlainError(f"a round cannot be measured: a pod of {model} {why}")
    asked = Experiment(
        title="What does a round cost?",
        arms={model: Arm(model=model)},
        load=Load(connections=(4,), arrival="constant", timeout_s=5.0),
        warmup_s=WARMUP_S,
        duration_s=DURATION_S,
        trace_ratio=0,
    )
    plans = [{"steps": [{"compute": {"rounds": rounds}}]} for rounds in (0, ROUNDS)]
    found = []
    try:
        with deployer.deployed(cell, {}) as load:
            for repeat in range(REPEATS):
                without, with_rounds = (
                    measures.per_call(
                        load(replace(asked.at_rate(plan, rate_rps), seed=repeat + 1)), "cpu_user_ns", "cpu_system_ns"
                    )
                    for plan in plans
                )
                if without is None or with_rounds is None or with_rounds <= without:
                    raise PlainError(f"{model}: calls with {ROUNDS:,} rounds took no more CPU time than calls without")
                found.append((with_rounds - without) / ROUNDS)
    except FailedError as error:
        raise PlainError(f"a round could not be measured in a pod of {model}: {error}") from error
    return RoundCost(min(found), median(found), max(found))
