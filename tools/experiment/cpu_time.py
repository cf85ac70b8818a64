"""`compute: {cpu_us: 300}` in an experiment: CPU time, which a run turns into rounds of the machine it runs on.

A round is the unit of a step, because it is the same work everywhere. Its CPU time is not: 40 to 150 ns.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from tools.experiment.asked import Experiment

KEY = "cpu_us"
PYTHON = "ENGINE_PYTHON"
Rounds = Callable[[str, float], int]
"""An engine and CPU time in microseconds -> rounds."""


def is_asked(asked: Experiment) -> bool:
    """Whether any step of the experiment has a CPU time."""
    return any(True for plan in _plans(asked) for _ in _found(plan))


def in_rounds(asked: Experiment, rounds: Rounds) -> Experiment:
    """The same experiment with rounds in each place of a CPU time."""

    def plans(of: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        return {name: plan_in_rounds(plan, rounds) for name, plan in of.items()}

    arms = {
        name: replace(arm, plan=plan_in_rounds(arm.plan, rounds), mix=plans(arm.mix))
        for name, arm in asked.arms.items()
    }
    scale = asked.scale and replace(asked.scale, plans=plans(asked.scale.plans))
    return replace(asked, plan=plan_in_rounds(asked.plan, rounds), mix=plans(asked.mix), arms=arms, scale=scale)


def plan_in_rounds(plan: Any, rounds: Rounds) -> Any:
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
    if isinstance(plan, list | tuple):
        return [plan_in_rounds(value, rounds) for value in plan]
    return plan


def _plans(asked: Experiment) -> Iterator[Any]:
    yield asked.plan
    yield asked.mix
    for arm in asked.arms.values():
        yield from (arm.plan, arm.mix)
    if asked.scale is not None:
        yield asked.scale.plans


def _found(plan: Any) -> Iterator[None]:
    if isinstance(plan, Mapping):
        if KEY in plan:
            yield None
        for value in plan.values():
            yield from _found(value)
    elif isinstance(plan, list | tuple):
        for value in plan:
            yield from _found(value)
