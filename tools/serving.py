"""Services of this machine: started on their processors, and waited for until they listen.

Must not know what loads them.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools import local
from tools.experiment import Arm
from tools.local import LocalError, Pinning, Process, Programs, started

ROOT = Path(__file__).parent.parent
OPTION_PREFIX = "SWEETSPOT_"
"""Of the variables that set options of a service (services/runtime/config.py)."""
CODE = ("", "protos")
"""Where the code is below ROOT, as the distribution of this interpreter has it (pyproject.toml)."""


@dataclass(frozen=True, slots=True)
class LocalSetup:
    """What the trials of a run on this machine have in common."""

    folder: Path
    """The results folder."""
    programs: Programs
    pinning: Pinning | None
    despite_noise: bool = False
    """No trial is void; what would make it so is a warning."""
    traced: bool = True
    """Whether processes write spans. If not, they do not import the exporter, which takes 0.1 s of each start."""


@dataclass(frozen=True, slots=True)
class LocalService:
    """One that listens; addresses are HOST:PORT."""

    process: Process
    address: str
    control: str


@contextmanager
def starting(
    setup: LocalSetup,
    name: str,
    options: Iterable[tuple[str, str | float]] = (),
    *,
    cpus: Collection[int] = (),
    confine: Callable[[int], None] | None = None,
    python: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """`name`, a model or `backend`, on those processors. `listening` waits for it, so that several can start at once.

    `confine` is given its process id before it does anything. `python` is another interpreter, `environment` has
    variables that are set for it. Raises LocalError.
    """
    program = program_of(setup.programs, python)
    command = [*program, name, "--port=0", *flags_of(options), *trace_file(setup, name)]
    with started(name, command, cpus, environment_of(python, environment or {})) as process:
        if confine is not None:
            confine(process.pid)
        yield process


def program_of(programs: Programs, python: str | None) -> Sequence[str]:
    """The command of a service under that interpreter; None: this one."""
    return [python, *programs.services[1:]] if python else programs.services


def flags_of(options: Iterable[tuple[str, str | float]]) -> list[str]:
    """Options as the service's flags."""
    return [f"--{option.replace('_', '-')}={value}" for option, value in options]


def environment_of(python: str | None, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables of a service's process: those of this one without options of services, then `variables`.

    An option that a person has set in the shell would change what is measured, and nothing would record it. Another
    interpreter gets this code.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OPTION_PREFIX)}
    code = os.pathsep.join(str(ROOT / folder) for folder in CODE)
    return {**inherited, **({"PYTHONPATH": code} if python else {}), **variables}


def starting_arm(
    setup: LocalSetup, arm: Arm, options: Iterable[tuple[str, str | float]]
) -> AbstractContextManager[Process]:
    """The arm's model or reference server with those options, on as many processors as it asks for."""
    pinning = setup.pinning
    cpus = [] if pinning is None else [*sorted(pinning.service), *sorted(pinning.others)][: arm.cpus]
    if arm.server is not None:
        return started(arm.server, [*setup.programs.reference, arm.server, *flags_of(options)], cpus)
    return starting(setup, arm.model, options, cpus=cpus, python=arm.python, environment=arm.environment)


def listening(process: Process, timeout_s: float = local.START_TIMEOUT_S) -> LocalService:
    """Waits until it listens. Raises LocalError."""
    address = process.expect("listening on ", timeout_s)
    return LocalService(process, address, process.expect("control on ", timeout_s))


@contextmanager
def serving_backend(setup: LocalSetup) -> Iterator[LocalService]:
    """The backend. If it has ended, a LocalError inside of the block names it as the cause. Raises LocalError."""
    with starting(setup, "backend") as process, blamed([process]):
        yield listening(process)


@contextmanager
def blamed(processes: Sequence[Process]) -> Iterator[None]:
    """Changes a LocalError inside of the block to name the first of them that has ended."""
    try:
        yield
    except LocalError as error:
        for process in processes:
            if process.has_ended(local.DYING_S):
                raise LocalError(process.last_words()) from error
        raise


def trace_file(setup: LocalSetup, name: str) -> list[str]:
    """The flag for the file to which a process writes its spans."""
    return ["--trace-file", str(setup.folder / "traces" / f"{name}.jsonl")] if setup.traced else []
