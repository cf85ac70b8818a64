"""The question of a knee as a grid: one cell for each start of the service, with one replica of one CPU.

The code of a grid can already store, resume, verify and report it (tools/scale). Must not know the result.
"""

from msgspec.structs import replace

from tools.experiment import Arm, Experiment, Objective, Scale, Search
from tools.knee import slo
from tools.status import PlainError

START = "start-"
"""Begins the name of a cell's plan. All starts have the same plan."""
WITHIN = 1.05
"""Met and missed are close enough at this ratio: the interval over starts is not much narrower."""
TRIALS = 20
LEAST_WARMUP_S, LEAST_S = 0.3, 1.0
"""Of a trial, also if the experiment of the plan has less."""


def asked(
    base: Experiment, where: str, model: str, objective: Objective, *, connections: int, starts: int, highest_rps: float
) -> Experiment:
    """The grid. `where` names the experiment of the plan in errors. Raises PlainError."""
    if base.scale is not None or base.mix:
        key = "scale" if base.scale is not None else "mix"
        raise PlainError(f"{where}: at $.{key}: a knee needs one plan: give an experiment with a `plan`")
    at = base.at(replace(base.points[0], connections=connections))
    # At a rate of WITHIN times what a service can do, the wait grows to the objective only after this time.
    duration_s = max(at.duration_s, LEAST_S, objective.p99_ms / 1000 / (WITHIN - 1))
    # A call that takes ten times what is allowed is late, however much longer it would take: do not wait for it.
    timeout_s = min(base.load.timeout_s, max(1.0, objective.p99_ms / 100))
    load = replace(
        base.load,
        connections=(connections,),
        streams=None,
        rate_rps=None,
        rate_of_capacity=None,
        schedule=None,
        arrival=base.load.arrival or "poisson",
        timeout_s=timeout_s,
    )
    scale = Scale(
        plans={f"{START}{number}": base.plan for number in range(1, starts + 1)},
        replicas=(1,),
        cpus=(1,),
        objective=objective,
        search=Search(highest_rps=highest_rps, within=WITHIN, trials=TRIALS),
    )
    return replace(
        base,
        title=f"Up to which rate does {model} meet {slo.written(objective)}?",
        arms={model: Arm(model=model)},
        load=load,
        plan={},
        warmup_s=max(at.warmup_s, LEAST_WARMUP_S),
        duration_s=duration_s,
        windows={},
        scale=scale,
    )
