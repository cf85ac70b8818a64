"""What of an experiment a release can do as it is deployed, checked before anything starts.

A run changes no Deployment. So what an arm asks beside its model has to be there, and everything else is rejected by
name.
"""

from msgspec.structs import replace

from tools.cluster.api import ClusterError
from tools.cluster.release import Release
from tools.cluster.room import amount
from tools.cluster.searched import keep_off
from tools.experiment import Arm, Experiment


def check(release: Release, asked: Experiment) -> None:
    """Raises ClusterError, which names the arm or the key, and what to do."""
    if (asked.load.schedule or "").startswith("replay:"):
        raise ClusterError(
            f"load.schedule {asked.load.schedule!r} is a file, which a driver's pod does not have: "
            "set another schedule, or run without --cluster"
        )
    if asked.until is not None:
        raise ClusterError("until is not known in a cluster: set rounds instead, or run without --cluster")
    for name, arm in asked.arms.items():
        try:
            _check_arm(release, arm)
            if asked.scale is None:  # a search sets the options itself, and goes on with what an earlier one has left
                keep_off(release, arm.model)
                release.check_options(arm.model, asked.options(name))
        except ClusterError as error:
            raise ClusterError(str(error) if name == arm.model else f"arm {name}: {error}") from None


def in_one_slice(asked: Experiment) -> Experiment:
    """The same load, where the blocks of a trial follow one another: a Job loads one arm alone."""
    windows = {
        number: replace(each, duration_s=asked.blocks * each.duration_s) for number, each in asked.windows.items()
    }
    return replace(asked, blocks=1, duration_s=asked.blocks * asked.duration_s, windows=windows)


def _check_arm(release: Release, arm: Arm) -> None:
    model = arm.model
    if arm.python is not None:
        raise ClusterError(f"{model} runs with the interpreter of its image, not {arm.python}: remove `python`")
    limit = release.container(model).get("resources", {}).get("limits", {}).get("cpu")
    # One is what an arm has that asks for nothing.
    if arm.cpus != 1 and (limit is None or amount(limit) != arm.cpus):
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
