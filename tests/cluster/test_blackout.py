"""A node loses its power while runs measure. These runs are void and name the node, and later runs work.

The name of this file puts it before the tests that deploy every model. A kubelet that starts again takes 3 s for each
container that its node had. So a node with 14 pods is back after 3 minutes, not after one.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.conftest import SMALL, Release
from tests.cluster.runs import OPEN_LOOP, Done, only, resume, run, trials, until_measured

ON = r"nodeSelector.kubernetes\.io/hostname"
LONG = OPEN_LOOP.replace("duration_s: 3", "duration_s: 20")


@pytest.fixture
def apart(release: Release, another: Callable[[str], Release], power: Callable[[str], str]) -> dict[str, Release]:
    """A release for each model, because a release takes one load at a time.

    The reactor and the driver of thread_pool are on the node that can lose its power. Everything else is on the first
    node. The power is back before the releases are removed.
    """
    first = release.cluster.kubectl("get", "nodes", "--output=name").split()[0].removeprefix("node/")
    fails = power("on")
    found = {}
    for model, node, driver in (("reactor", fails, first), ("thread_pool", first, fails)):
        found[model] = another(model.replace("_", "-"))
        settings = [f"defaults.{ON}={first}", f"models.{model}.{ON}={node}", f"driver.{ON}={driver}"]
        settings += ["jaeger.enabled=false"]
        flags = ["--tag", release.tag, "--models", model, *SMALL]
        flags += [word for each in settings for word in ("--set", each)]
        done = release.cluster.deploy("deploy", *found[model].flags, *flags)
        assert done.returncode == 0, done.stderr
    return found


@pytest.mark.timeout(900)
def test_a_node_that_loses_its_power_makes_a_run_void_and_the_next_run_works(
    apart: dict[str, Release], power: Callable[[str], str], tmp_path: Path
) -> None:
    folders = {model: tmp_path / model for model in ("reactor", "thread_pool")}
    for folder in folders.values():
        folder.mkdir()
    with ThreadPoolExecutor() as threads:

        def load(model: str, folder: Path) -> Done:
            return run(apart[model], folder, "--models", model, "--driver-cpu", "100m", text=LONG, name=model)

        runs = {model: threads.submit(load, model, folder) for model, folder in folders.items()}
        for model in runs:
            until_measured(apart[model], model)
        # One run loses its service, and the other one its driver.
        node = power("off")
        without_service, without_driver = runs["reactor"].result(), runs["thread_pool"].result()
        assert (without_service.returncode, without_driver.returncode) == (1, 1)
        assert f" on {node} stopped answering: its control port " in without_service.stdout
        assert (
            f" on {node}: the node no longer reports its state; try: kubectl describe node {node}"
            in without_driver.stdout
        )
        assert without_service.stdout.count("void: pod ") == without_driver.stdout.count("void: pod ") == 1

        still_off = resume(apart["reactor"], only(folders["reactor"]))
        assert still_off.returncode == 1
        assert (
            f" on {node}: the node no longer reports its state; try: kubectl describe node {node}" in still_off.stdout
        )

        power("on")
        again = [threads.submit(resume, apart[model], only(each)) for model, each in folders.items()]
        for each in again:
            assert each.result().returncode == 0, each.result().stdout + each.result().stderr
    for folder in folders.values():
        assert [trial.result["calls"]["ok"] for trial in trials(only(folder))] == [2000]
