"""The question as a grid of searches: each model with each CPU limit, as one pod, in several starts.

The code of a grid can already store, resume, verify and report it (tools/scale). Must not know the result.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from tools.experiment import Arm, Experiment, Load, Scale, Search
from tools.knee import slo
from tools.knee.grid import START
from tools.scale.cells import scale_of
from tools.scale.objective import lowest_rps
from tools.size.cost import ToRounds, options
from tools.size.need import THREADS_PER_CPU, Need
from tools.size.shapes import POOLS, PodShape
from tools.units import count

MODELS = ("thread_pool", "half_sync_half_async", "coroutines", "grpcio_threads", "grpcio_asyncio")
"""Those that a Python team can choose from: threads or coroutines, of this project and of grpcio."""
AWAITING = ("coroutines", "grpcio_asyncio")
"""Those of them that can await an async function (`awaits` in services/models)."""
WITHIN = 1.1
"""Met and missed are close enough at this ratio: starts differ by as much."""
TRIALS = 16
WARMUP_S, LEAST_S = 0.4, 1.0
START_SHARE = 0.15
"""Of what a pod serves at most: every model meets an objective there, and few doublings follow."""
SERVER_MS = 0.03
"""CPU time of an empty call in the cheapest model (docs/performance.md)."""
SHARE = "share"
"""The name of the plan that confirms a shape."""
CONFIRM_S, CONFIRM_WARMUP_S = 60.0, 2.0


def asked(
    need: Need, rounds: ToRounds, models: Sequence[str], pod_cpus: Sequence[float], *, starts: int, highest_rps: float
) -> Experiment:
    """The grid. One pod gets all connections, which is the worst case."""
    plan = need.cost.plan(rounds)
    p99_s = need.objective.p99_ms / 1000
    threads = {} if need.threads_per_cpu == THREADS_PER_CPU else {"threads_per_cpu": (need.threads_per_cpu,)}
    return Experiment(
        title=f"Which model, as how many pods, meets {slo.written(need.objective)} at {need}?",
        arms={model: Arm(model=model) for model in models},
        load=Load(
            connections=(need.connections,),
            arrival="poisson",
            timeout_s=max(1.0, 10 * p99_s),  # an answer after that is late in any case
        ),
        warmup_s=WARMUP_S,
        duration_s=max(LEAST_S, _growing_s(p99_s), _judging_s(need, min(pod_cpus))),
        trace_ratio=0,
        service_options=options(need.cost),
        scale=Scale(
            plans={f"{START}{number}": plan for number in range(1, starts + 1)},
            replicas=(1,),
            cpus=tuple(pod_cpus),
            workers={model: threads for model in models if model in POOLS},
            objective=need.objective,
            search=Search(
                start_rps=START_SHARE * _most_rps(need, 1.0), highest_rps=highest_rps, within=WITHIN, trials=TRIALS
            ),
        ),
    )


def _growing_s(p99_s: float) -> float:
    """At a rate of WITHIN times what a pod can serve, the wait grows to the objective only after this time."""
    return p99_s / (WITHIN - 1)


def _judging_s(need: Need, cpus: float) -> float:
    """So long a trial needs, until a fifth of what a pod serves at most is enough calls for a p99."""
    return 5 * lowest_rps(1.0) / _most_rps(need, cpus)


def _most_rps(need: Need, cpus: float) -> float:
    """What a pod with that limit serves at most. Calls a second."""
    return 1000 / need.cost.total_ms if need.cost.blocks else 1000 * cpus / (need.cost.cpu_ms + SERVER_MS)


def confirming(question: Experiment, need: Need, shape: PodShape, *, pods: int) -> Experiment:
    """One long trial of a shape at its rate: `pods` of them get their share of the calls and of the connections."""
    scale = scale_of(question)
    rate_rps = need.rate_rps * pods / shape.pods
    connections = -(-need.connections * pods // shape.pods)
    of = "" if pods == shape.pods else f", {count(pods)} of {count(shape.pods)} pods"
    return replace(
        question,
        title=f"Does {shape} meet {slo.written(need.objective)} at {count(round(rate_rps))} calls/s{of}?",
        arms={shape.model: Arm(model=shape.model)},
        load=replace(question.load, connections=(connections,)),
        warmup_s=CONFIRM_WARMUP_S,
        duration_s=CONFIRM_S,
        scale=replace(
            scale,
            plans={SHARE: next(iter(scale.plans.values()))},
            replicas=(pods,),
            cpus=(shape.cpus,),
            # The first rate is the only one: a search begins at this rate for each CPU, and not above the highest.
            search=Search(start_rps=2 * rate_rps / (pods * shape.cpus), highest_rps=rate_rps, trials=1),
        ),
    )
