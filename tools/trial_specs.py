"""The trials of an experiment: what each is, and in which order they run. A pure function of what is asked."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tools.experiment import Arm, Experiment, Point
from tools.results import TrialId


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """A trial that is to be made."""

    id: TrialId
    arm: Arm
    point: Point

    @property
    def described(self) -> str:
        """`reactor at 100 connections`."""
        return f"{self.id.arm} at {self.point.described}"


def trials(asked: Experiment) -> list[TrialSpec]:
    """All trials, round by round.

    Within a round the points follow one another, and at each point all arms do, in an order drawn from the seed. So
    what is compared is measured close in time, and no arm is always the first (Abedi and Brecht, ICPE 2017).
    """
    return [trial for number in range(1, asked.rounds + 1) for trial in _round(asked, number)]


def still_to_make(asked: Experiment, kept: Collection[TrialId]) -> list[TrialSpec]:
    """The trials that a run must still make, if those of `kept` are stored.

    With several blocks, arms are paired slice by slice. So if one trial is missing, all arms are measured again at
    that point in that round: slices of different days are no pairs.
    """
    every = trials(asked)
    lacking = {(each.id.point, each.id.round) for each in every if each.id not in kept}
    together = asked.blocks > 1
    return [each for each in every if each.id not in kept or (together and (each.id.point, each.id.round) in lacking)]


def only(asked: Experiment) -> TrialSpec:
    """The one trial of an experiment with one arm, at its first point. Raises ValueError if there are more arms."""
    (name,) = asked.arms
    return _spec(asked, name, asked.points[0], 1)


def find(asked: Experiment, trial: TrialId) -> TrialSpec:
    """The trial of that name. Raises ValueError if the experiment has none."""
    for point in asked.points:
        if point.name == trial.point and trial.arm in asked.arms:
            return _spec(asked, trial.arm, point, trial.round)
    raise ValueError(f"the experiment has no trial {trial}")


def _round(asked: Experiment, number: int) -> Iterator[TrialSpec]:
    for point in asked.points:
        for name in shuffled(asked, f"{number} {point.name}"):
            yield _spec(asked, name, point, number)


def shuffled(asked: Experiment, occasion: str) -> Sequence[str]:
    """The names of all arms, in the order for that occasion."""
    names = list(asked.arms)
    # A text as seed: hashes of texts differ from process to process, their SHA-512 does not.
    random.Random(f"{asked.seed} {occasion}").shuffle(names)
    return names


def _spec(asked: Experiment, name: str, point: Point, number: int) -> TrialSpec:
    return TrialSpec(TrialId(name, point.name, number), asked.arms[name], point)
