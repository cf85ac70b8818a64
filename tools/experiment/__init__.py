"""Experiments: arms x points x rounds, as data. YAML in, one frozen value out, checked before anything is started."""

from tools.experiment.experiment import Arm, Experiment, Objective, Scale, Search
from tools.experiment.load import AXES, Action, Load, Point, points
from tools.experiment.reading import BadExperimentError, parse, path_of, read

__all__ = [
    "AXES",
    "Action",
    "Arm",
    "BadExperimentError",
    "Experiment",
    "Load",
    "Objective",
    "Point",
    "Scale",
    "Search",
    "parse",
    "path_of",
    "points",
    "read",
]
