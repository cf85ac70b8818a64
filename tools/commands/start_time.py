"""How long a command is expected to take, before anything has been measured."""

from tools.experiment import Experiment
from tools.target import Target

STARTING_S = 1.5
"""For a service and a driver to start and to end: what a trial takes besides its own time."""
JOB_S = 4.0
"""What it takes besides as a load Job: pods are replaced, a driver is placed and starts, a result is stored."""


def starting_s(target: Target) -> float:
    """What each trial takes there besides its own time."""
    return STARTING_S + (0 if target.alternates else JOB_S)


def trial_s(asked: Experiment, target: Target) -> float:
    """Of a trial."""
    windows = [asked.at(point) for point in asked.points]
    return asked.blocks * sum(each.warmup_s + each.duration_s for each in windows) / len(windows) + starting_s(target)
