"""The question as a grid of searches: each model with each CPU limit, as one pod, in several starts.

The code of a grid can already store, resume, verify and report it (tools/scale). Must not know the result.
"""

from collections.abc import Sequence

from tools.experiment import Arm, Experiment, Load, Scale, Search
from tools.knee import slo
from tools.knee.asked import START
from tools.size.need import Need

MODELS = ("thread_pool", "half_sync_half_async", "coroutines", "grpcio_threads", "grpcio_asyncio")
"""Those that a Python team can choose from: threads or coroutines, of this project and of grpcio."""
WITHIN = 1.1
"""Met and missed are close enough at this ratio: starts differ by as much."""
TRIALS = 16
WARMUP_S, LEAST_S = 0.4, 1.0
REPLY_BYTES = 128


def asked(
    need: Need, rounds: int, models: Sequence[str], pod_cpus: Sequence[float], *, starts: int, highest_rps: float
) -> Experiment:
    """The grid. One pod gets all connections: with fewer, as each of several pods has, it is not slower."""
    steps: list[dict[str, object]] = [{"compute": {"rounds": rounds, "engine": "ENGINE_PYTHON"}}]
    if need.wait_ms:
        steps.append({"call": {"delay_us": round(need.wait_ms * 1000), "reply_bytes": REPLY_BYTES}})
    p99_s = need.objective.p99_ms / 1000
    return Experiment(
        title=f"Which model, as how many pods, serves {need} with {slo.written(need.objective)}?",
        arms={model: Arm(model=model) for model in models},
        load=Load(
            connections=(need.connections,),
            arrival="poisson",
            timeout_s=max(1.0, 10 * p99_s),  # an answer after that is late in any case
        ),
        warmup_s=WARMUP_S,
        # At a rate of WITHIN times what a pod can do, the wait grows to the objective only after this time.
        duration_s=max(LEAST_S, p99_s / (WITHIN - 1)),
        trace_ratio=0,
        scale=Scale(
            plans={f"{START}{number}": {"steps": steps} for number in range(1, starts + 1)},
            replicas=(1,),
            cpus=tuple(pod_cpus),
            objective=need.objective,
            search=Search(highest_rps=highest_rps, within=WITHIN, trials=TRIALS),
        ),
    )
