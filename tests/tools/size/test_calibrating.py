"""The cost of a round in a pod, from the CPU time of calls with many rounds and with none."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.tools.scale import sample
from tools.experiment import Experiment
from tools.results import Trial
from tools.scale.cells import Cell, OmittedCell, SearchedCell
from tools.scale.run import FailedError, MakeTrial
from tools.size.calibrating import REPEATS, ROUNDS, measure_in
from tools.status import PlainError

CALL_NS = 400_000
"""What a call without rounds costs."""


class Deployer:
    """A pod in which a round costs so much, each time something else."""

    limit = "made up"

    def __init__(self, *rounds_ns: float, why_not: str = "") -> None:
        self.rounds_ns = list(rounds_ns)
        self.lacks = why_not
        self.rates: list[float] = []

    def why_not(self, cell: Cell) -> str:
        return self.lacks

    def store(self, outcome: SearchedCell | OmittedCell) -> None: ...

    @contextmanager
    def deployed(self, cell: Cell, options: dict[str, str | float]) -> Iterator[MakeTrial]:
        if not self.rounds_ns:
            raise FailedError("no image")

        def load(asked: Experiment) -> Trial:
            rounds = asked.plan["steps"][0]["compute"]["rounds"]
            self.rates.append(asked.points[0].rate_rps or 0)
            made = sample.trial(cell, 40, 1000)
            after = type(made.after)()
            after.CopyFrom(made.after)
            cost_ns = CALL_NS + (self.rounds_ns.pop(0) * rounds if rounds else 0)
            after.cpu_user_ns = round(cost_ns * made.result["got"]["answered"])
            return dataclasses.replace(made, after=after)

        yield load


def test_a_round_is_the_difference_between_calls_with_and_without() -> None:
    deployer = Deployer(96, 153, 125)
    found = measure_in(deployer, "coroutines", 0.5)
    assert (round(found.low_ns), round(found.middle_ns), round(found.high_ns)) == (96, 125, 153)
    assert deployer.rates == [20.0] * 2 * REPEATS  # half a CPU gets half the rate


@pytest.mark.parametrize(
    ("deployer", "why"),
    [
        (Deployer(), "a round could not be measured in a pod of coroutines: no image"),
        (Deployer(1, why_not="needs 4 CPUs"), "a round cannot be measured: a pod of coroutines needs 4 CPUs"),
        (Deployer(0), f"coroutines: calls with {ROUNDS:,} rounds took no more CPU time than calls without"),
    ],
    ids=["the pod does not start", "no room", "nothing measured"],
)
def test_a_round_that_cannot_be_measured_is_one_line(deployer: Deployer, why: str) -> None:
    with pytest.raises(PlainError) as refused:
        measure_in(deployer, "coroutines", 1.0)
    assert str(refused.value) == why
