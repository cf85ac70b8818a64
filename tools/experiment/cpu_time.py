"""`compute: {cpu_us: 300}` in an experiment: CPU time, which a run turns into rounds of the machine it runs on.

A round is the unit of a step, because it is the same work everywhere. Its CPU time is not: 40 to 150 ns.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from tools.experiment.experiment import Experiment

KEY = "cpu_us"
PYTHON = "ENGINE_PYTHON"
EngineToRounds = Callable[[str, float], int]
"""An engine and CPU time in microseconds -> rounds."""


def is_asked(asked: Experiment) -> bool:
    """Whether any step of the experiment has a CPU time."""
    return in_rounds(asked, lambda _engine, _cpu_us: 1) != asked


def in_rounds(asked: Experiment, rounds: EngineToRounds) -> Experiment:
    """The same experiment with rounds in each place of a CPU time."""

    def plans(of: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        return {name: plan_in_rounds(plan, rounds) for name, plan in of.items()}

    arms = {
        name: replace(arm, plan=plan_in_rounds(arm.plan, rounds), mix=plans(arm.mix))
        for name, arm in asked.arms.items()
    }
    scale = asked.scale and replace(asked.scale, plans=plans(asked.scale.plans))
    return replace(asked, plan=plan_in_rounds(asked.plan, rounds), mix=plans(asked.mix), arms=arms, scale=scale)


def plan_in_rounds(plan: Any, rounds: EngineToRounds) -> Any:
    """The same of one plan. Raises ValueError for a CPU time that is no number above 0 or is beside rounds."""
    if isinstance(plan, Mapping) and KEY in plan:
        cpu_us = plan[KEY]
        if "rounds" in plan:
            raise ValueError(f"{KEY} and rounds exclude each other")
        if isinstance(cpu_us, bool) or not isinstance(cpu_us, int | float) or not 0 < cpu_us <= 1e9:
            raise ValueError(f"{KEY} is {cpu_us!r}: set microseconds above 0")
        rest = {key: value for key, value in plan.items() if key != KEY}
        return {**rest, "rounds": rounds(str(plan.get("engine", PYTHON)), cpu_us)}
    if isinstance(plan, Mapping):
        return {key: plan_in_rounds(value, rounds) for key, value in plan.items()}
    if isinstance(plan, list):
        return [plan_in_rounds(value, rounds) for value in plan]
    return plan
