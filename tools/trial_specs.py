"""The trials of an experiment: what each is, and in which order they run. A pure function of what is asked."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from tools.experiment import Arm, Experiment, Point
from tools.results import TrialId

USUAL = "reactor"
"""The model that is measured twice, if it is an arm."""


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """A trial that is to be made."""

    id: TrialId
    arm: Arm
    point: Point

    @property
    def described(self) -> str:
        """`reactor at 100 connections`, `reactor (again) at 100 connections`."""
        return f"{self.id.arm}{' (again)' if self.id.again else ''} at {self.point.described}"


def trials(asked: Experiment) -> list[TrialSpec]:
    """All trials, round by round.

    Within a round the points follow one another, and at each point all arms do, in an order drawn from the seed. So
    what is compared is measured close in time, and no arm is always the first (Abedi and Brecht, ICPE 2017).
    """
    return [trial for number in range(1, asked.rounds + 1) for trial in _round(asked, number)]


def still_to_make(asked: Experiment, stored: Collection[TrialId], *, twice: bool = False) -> list[TrialSpec]:
    """The trials that a run must still make, if those of `kept` are stored.

    With several blocks, arms are paired slice by slice. So if one trial is missing, all arms are measured again at
    that point in that round: slices of different days are no pairs. With `twice`, one arm has a second trial for each
    first one that is to be made, if the slices of one trial are too few to compare an arm with itself (tools/aa.py).
    """
    every = trials(asked)
    lacking = {(each.id.point, each.id.round) for each in every if each.id not in stored}
    together = asked.blocks > 1
    found = [
        each for each in every if each.id not in stored or (together and (each.id.point, each.id.round) in lacking)
    ]
    return _with_second(asked, found) if twice and asked.blocks == 1 and len(asked.arms) > 1 else found


def _with_second(asked: Experiment, wanted: Sequence[TrialSpec]) -> list[TrialSpec]:
    """The second trial is at a random place among those of its point and round, as that of another arm would be."""
    found: list[TrialSpec] = []
    for (point, number), group in groupby(wanted, lambda each: (each.id.point, each.id.round)):
        at_point = list(group)
        if first := next((each for each in at_point if each.id.arm == twice_measured(asked)), None):
            place = random.Random(f"{asked.seed} {number} {point} again").randint(0, len(at_point))
            at_point.insert(place, replace(first, id=replace(first.id, again=True)))
        found += at_point
    return found


def twice_measured(asked: Experiment) -> str:
    """The arm that is compared with itself: one that serves all clients at every point, or else the first one."""
    return USUAL if USUAL in asked.arms else next(iter(asked.arms))


def only(asked: Experiment) -> TrialSpec:
    """The one trial of an experiment with one arm, at its first point. Raises ValueError if there are more arms."""
    (name,) = asked.arms
    return _spec(asked, name, asked.points[0], 1)


def spec_of(asked: Experiment, trial: TrialId) -> TrialSpec:
    """The trial of that name. Raises ValueError if the experiment has none."""
    for point in asked.points:
        if point.name == trial.point and trial.arm in asked.arms:
            return replace(_spec(asked, trial.arm, point, trial.round), id=trial)
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
