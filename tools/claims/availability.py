"""Whether this machine, or a cluster, has what a claim needs. Must not know what a claim states."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache

from msgspec.structs import replace

from tools.claims.claim import Claim
from tools.claims.counting import COUNTINGS
from tools.experiment import Arm, Experiment
from tools.local import LocalError, Programs, started

FREE_THREADED = "SWEETSPOT_FREE_PYTHON"
"""Names an interpreter without the lock. If it is not set, the path is searched for NAMES."""
NAMES = ("python3.14t", "python3.13t")
CHECK_TIMEOUT_S = 30.0


def missing(claim: Claim, programs: Programs, *, in_cluster: bool = False) -> str:
    """What is missing here, and how to get it; empty if nothing is missing."""
    if in_cluster:  # whether it has what arms need depends on its deployment, which tools/cluster checks
        return "it is counted on one machine: run it without --cluster" if claim.experiment in COUNTINGS else ""
    needs = claim.needs
    cpus = len(os.sched_getaffinity(0))
    if needs.cluster:
        return "a cluster: run it with --cluster"
    if cpus < needs.cpus:
        return f"{needs.cpus} CPUs: this process may use {cpus}"
    if needs.python and free_threaded() is None:
        return f"an interpreter without the lock: set {FREE_THREADED}, or install one (uv python install 3.14t)"
    if needs.io_uring and (why := _no_io_uring(programs)):
        return f"io_uring: {why}"
    return ""


@cache
def free_threaded() -> str | None:
    """The path of an interpreter that runs without the lock, if there is one."""
    named = os.environ.get(FREE_THREADED)
    for path in [named] if named else filter(None, map(shutil.which, NAMES)):
        command = [path, "-c", "import sys; raise SystemExit(sys._is_gil_enabled())"]
        try:
            if subprocess.run(command, check=False, capture_output=True, timeout=CHECK_TIMEOUT_S).returncode == 0:
                return path
        except (OSError, subprocess.TimeoutExpired):
            continue
    return None


def with_interpreters(asked: Experiment) -> Experiment:
    """The experiment with the path of an interpreter in the place of `free_threaded`."""
    arms: Mapping[str, Arm] = {
        name: replace(arm, python=free_threaded() or arm.python) if arm.python == "free_threaded" else arm
        for name, arm in asked.arms.items()
    }
    return replace(asked, arms=arms)


@cache
def _no_io_uring(programs: Programs) -> str:
    with started("proactor", [*programs.services, "proactor", "--check"]) as process:
        try:
            process.finish(CHECK_TIMEOUT_S)
        except LocalError as error:
            return str(error)
    return ""
