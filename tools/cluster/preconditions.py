"""Checks, before anything starts, whether a release can run an experiment as it is deployed.

A run changes no Deployment. So what an arm asks for beside its model must be deployed already. An error names what is
not.
"""

from collections.abc import Mapping
from itertools import combinations

from msgspec.structs import replace

from tools.cluster.api import ClusterError
from tools.cluster.release import Release
from tools.cluster.room import amount
from tools.cluster.search_note import reject_searched
from tools.experiment import Arm, Experiment

OF_CHART = ("SWEETSPOT_BACKEND", "SWEETSPOT_METRICS_PORT")
"""Options that the chart sets by itself."""


def check(release: Release, asked: Experiment, *, exactly: bool = False) -> None:
    """Raises ClusterError, which names the arm or the key, and what to do.

    `exactly`: options, pods and CPUs that an arm does not ask for must be at their defaults: no option, one of each.
    """
    if (asked.load.schedule or "").startswith("replay:"):
        raise ClusterError(
            f"load.schedule {asked.load.schedule!r} is a file, but a driver's pod has no such file: "
            "set another schedule, or run without --cluster"
        )
    if asked.load.actions:
        raise ClusterError("load.actions are not supported in a cluster: remove them, or run without --cluster")
    if asked.until is not None:
        raise ClusterError("until is not supported in a cluster: set rounds instead, or run without --cluster")
    for name, arm in asked.arms.items():
        if arm.server is not None:
            raise ClusterError(f"arm {name}: {arm.server} runs on this machine only: run without --cluster")
        if (client := asked.client_of(arm)) != "driver":
            raise ClusterError(f"client {client} runs on this machine only: remove client, or run without --cluster")
    _check_one_of_each(asked)
    for name, arm in asked.arms.items():
        try:
            _check_arm(release, arm, exactly=exactly)
            if exactly:
                _check_no_more(release, arm.model, asked.options(name))
            if asked.scale is None:  # a search sets the options itself, and continues from those of an earlier search
                reject_searched(release, arm.model)
                release.check_options(arm.model, asked.options(name))
        except ClusterError as error:
            raise ClusterError(str(error) if name == arm.model else f"arm {name}: {error}") from None


def in_one_slice(asked: Experiment) -> Experiment:
    """The same load, with all blocks of a trial in one slice: a Job loads only one arm."""
    windows = {
        number: replace(each, duration_s=asked.blocks * each.duration_s) for number, each in asked.windows.items()
    }
    return replace(asked, blocks=1, duration_s=asked.blocks * asked.duration_s, windows=windows)


def _check_one_of_each(asked: Experiment) -> None:
    """Raises ClusterError for two arms that need the same model in two ways."""
    for (first, one), (second, other) in combinations(asked.arms.items(), 2):
        ways = [(arm.cpus, arm.environment, asked.options(name)) for name, arm in ((first, one), (second, other))]
        if one.model == other.model and ways[0] != ways[1]:
            raise ClusterError(
                f"arms {first} and {second} use {one.model} with different options, but a release has one set: "
                "run one of them, or run without --cluster"
            )


def _check_no_more(release: Release, model: str, options: Mapping[str, object]) -> None:
    """Raises ClusterError for pods and options that are not asked for."""
    replicas = release.deployment(model)["spec"].get("replicas", 1)
    if replicas != 1:
        raise ClusterError(f"{model} has {replicas} pods, not 1; try: {release.upgrade(f'models.{model}.replicas=1')}")
    for variable, value in release.options(model).items():
        option = variable.removeprefix("SWEETSPOT_").lower()
        if variable not in OF_CHART and option not in options:
            raise ClusterError(
                f"{model} runs with {option} {value}, not at its default; "
                f"try: {release.upgrade(f'models.{model}.options.{option}=null')}"
            )


def _check_arm(release: Release, arm: Arm, *, exactly: bool) -> None:
    model = arm.model
    if arm.python is not None:
        raise ClusterError(f"{model} runs with the interpreter of its image, not {arm.python}: remove `python`")
    limit = release.container(model).get("resources", {}).get("limits", {}).get("cpu")
    # An arm that does not ask for CPUs has one.
    if (exactly or arm.cpus != 1) and (limit is None or amount(limit) != arm.cpus):
        has = "no CPU limit" if limit is None else f"a CPU limit of {limit}"
        raise ClusterError(
            f"{model} has {has}, not {arm.cpus}; try: {release.upgrade(f'models.{model}.cpu={arm.cpus}')}"
        )
    there = release.variables(model)
    for variable, value in arm.environment.items():
        if there.get(variable) != value:
            raise ClusterError(
                f"{model} runs with {variable} {there.get(variable, 'not set')}, not {value}; set "
                f'models.{model}.extraEnv to [{{name: {variable}, value: "{value}"}}] in the values of the release'
            )
