"""Arms and loads, checked on this machine before any is measured: the services and the driver read their own flags.

Must not know how a trial is run.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from msgspec.structs import replace

from tools.clients.programs import PROGRAMS
from tools.experiment import Arm, BadExperimentError, Experiment
from tools.local import LateError, LocalError, Process, Programs, started
from tools.reference.servers import SERVERS
from tools.scratch import scratch_folder
from tools.serving import environment_of, flags_of, program_of
from tools.slices import slice_driver
from tools.trial import load_flags
from tools.units import count

CHECK_TIMEOUT_S = 30.0
"""For an interpreter to import a service, several side by side."""


@dataclass(frozen=True, slots=True)
class _ServiceStart:
    """A service that would be started, and where the experiment asks for it."""

    key: str
    arm: Arm
    """With all its options."""
    keys: Mapping[str, str]
    """Of its options."""


def check(asked: Experiment, programs: Programs) -> dict[str, Any]:
    """Returns the interpreter of each arm that names one: version, lock and packages, as the service reports them.

    Raises BadExperimentError, whose text begins with the key.
    """
    for name, arm in asked.arms.items():
        if arm.cpus > (there := len(os.sched_getaffinity(0))):
            raise BadExperimentError(f"at $.arms.{name}.cpus: {count(arm.cpus)} CPUs, but this machine has {there}")
        if arm.python is not None and shutil.which(arm.python) is None:
            raise BadExperimentError(f"at $.arms.{name}.python: {arm.python} cannot be started as a Python interpreter")
        _check_programs(asked, name)
    flags = ["--trace-file=/dev/null"] if asked.trace_ratio else []
    with ExitStack() as stack:
        begun = [(start, stack.enter_context(_checking(start, programs, flags))) for start in _starts(asked)]
        _check_load(asked, programs)
        found = {start.key: _outcome(start, process) for start, process in begun}
    return {name: found[f"$.arms.{name}"] for name, arm in asked.arms.items() if arm.python or arm.environment}


def _check_programs(asked: Experiment, name: str) -> None:
    """Raises BadExperimentError for a load program or a reference server that is not installed."""
    arm = asked.arms[name]
    client = asked.client_of(arm)
    try:
        if client != "driver":
            PROGRAMS[client].program_path()
    except LocalError as error:
        raise BadExperimentError(f"at {f'$.arms.{name}' if arm.client else '$'}.client: {error}") from error
    try:
        if arm.server is not None:
            SERVERS[arm.server].program_path()
    except LocalError as error:
        raise BadExperimentError(f"at $.arms.{name}.server: {error}") from error


def _starts(asked: Experiment) -> Iterator[_ServiceStart]:
    """Those that are not as the model's row of MODELS has them."""
    shared = dict.fromkeys(asked.service_options, "$.service_options")
    for name, arm in asked.arms.items():
        options, key = asked.options(name), f"$.arms.{name}"
        if arm.server is None and (options or arm.python or arm.environment):
            yield _ServiceStart(
                key, replace(arm, options=options), {**shared, **dict.fromkeys(arm.options, f"{key}.options")}
            )
    for model, workers in asked.scale.workers.items() if asked.scale else ():
        for option, values in workers.items():
            key = f"$.scale.workers.{model}.{option}"
            for value in values:
                yield _ServiceStart(f"{key}.{value}", Arm(model=model, options={option: value}), {option: key})


def _checking(start: _ServiceStart, programs: Programs, flags: Sequence[str]) -> AbstractContextManager[Process]:
    arm = start.arm
    command = [*program_of(programs, arm.python), arm.model, *flags_of(arm.options.items()), *flags, "--check"]
    return started(arm.model, command, environment=environment_of(arm.python, arm.environment))


def _outcome(start: _ServiceStart, process: Process) -> Any:
    try:
        return json.loads(process.finish(CHECK_TIMEOUT_S)[-1])
    except LateError as error:
        raise BadExperimentError(f"at {start.key}: {error}") from error
    except LocalError as error:
        line = process.complaint()
        if process.status == 2 and (flag := re.search(r"--([a-z][a-z-]*)", line)):
            key = start.keys.get(flag[1].replace("-", "_"), f"{start.key}.options")
            what = re.sub(r"^python -m services \S+: (argument )?", "", line)
            raise BadExperimentError(f"at {key}: {start.arm.model}: {what}") from error
        if start.arm.python is None:
            raise BadExperimentError(f"at {start.key}.model: {line}") from error
        raise BadExperimentError(
            f"at {start.key}.python: {start.arm.python} cannot start the service: {line}"
        ) from error


def _check_load(asked: Experiment, programs: Programs) -> None:
    """Has the driver read its flags and plan for every point."""
    if asked.scale is not None:
        return
    with scratch_folder() as scratch, slice_driver(programs) as driver:
        plan = Path(scratch, "plan.yaml")
        for key, calls in _calls(asked).items():
            plan.write_text(yaml.safe_dump(calls), encoding="utf-8")
            for point in asked.points:
                try:
                    # The rate of a multiple of the capacity is known only during the run.
                    at = point.at_capacity(1.0)
                    driver.check([*load_flags(asked, at), "--address=127.0.0.1:1", f"--plan={plan}"])
                except LocalError as error:
                    line = str(error).removeprefix("driver: ").replace(f"{plan}: ", "")
                    where = f"{key}.plan" if str(plan) in str(error) else "$.load"
                    raise BadExperimentError(f"at {where}: {line}") from error


def _calls(asked: Experiment) -> dict[str, dict[str, Any]]:
    """Where they are asked -> the calls, those of all arms first."""
    own = {f"$.arms.{name}": asked.calls_of(arm) for name, arm in asked.arms.items() if arm.plan or arm.mix}
    return {"$": asked.calls, **own}
