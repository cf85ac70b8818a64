"""The experiments of the bench: an echo under h2load, on each model and variant. Must not know how one is run."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec.structs import replace

from tools.clients.programs import PROGRAMS
from tools.experiment import Arm, Experiment, Load
from tools.local import LocalError

ECHO, BUSY, IDLE = "bench-echo", "bench-busy", "bench-idle"
"""Names of the experiments, and the beginnings of their results folders."""
PLAN = {"payload_bytes": 32}
"""The service parses it, takes no step, and replies with the same payload."""
WARMUP_S = 0.6
IDLE_CONNECTIONS = 5000
BY_DRIVER, TRACED = "reactor_by_driver", "reactor_traced"

_BESIDE = {
    "nghttpd": Arm(server="nghttpd"),
    BY_DRIVER: Arm(model="reactor", client="driver"),
    # No call carries a sampled trace, so that this is what tracing costs where it is not used.
    TRACED: Arm(model="reactor", environment={"SWEETSPOT_TRACE_FILE": "/dev/null"}),
}
"""Arms beside the models."""


def arm_of(start: Sequence[str]) -> tuple[str, Arm]:
    """Name and arm of a model with flags, as `("reactor", "--demultiplexer", "poll")`."""
    model, *flags = start
    name = "_".join(start).replace("--", "").replace("-", "_")
    options: dict[str, str | int | float] = {}
    environment: dict[str, str] = {}
    for flag, value in pairwise((*flags, "--")):
        option = flag.removeprefix("--").replace("-", "_")
        if flag.startswith("--") and value.startswith("--"):
            environment[f"SWEETSPOT_{option.upper()}"] = "true"
        elif flag.startswith("--"):
            options[option] = value
    return name, Arm(model=model, options=options, environment=environment)


def experiments(
    starts: Iterable[Sequence[str]], *, rounds: int, duration_s: float, only: Mapping[str, frozenset[str]] | None = None
) -> dict[str, Experiment]:
    """Name -> experiment. `starts` are models with flags; `only` has the arms of each experiment; None: all."""
    arms = {**dict(map(arm_of, starts)), **_BESIDE}
    echo = Experiment(
        title="How many echoes does each model answer on one CPU?",
        arms=arms,
        client="h2load",
        load=Load(connections=(64, 1000), streams=(1,)),
        plan=PLAN,
        warmup_s=WARMUP_S,
        duration_s=duration_s,
        rounds=rounds,
        trace_ratio=0,
    )
    idle = Experiment(
        title=f"What do {IDLE_CONNECTIONS:,} idle connections cost a reactor?",
        arms={"reactor": Arm(model="reactor")},
        load=Load(connections=(1,), streams=(1,), idle=(0, IDLE_CONNECTIONS)),
        plan=PLAN,
        duration_s=duration_s,
        rounds=rounds,
        trace_ratio=0,
    )
    found = {ECHO: echo, BUSY: replace(echo, load=Load(connections=(10,), streams=(10,))), IDLE: idle}
    if only is None:
        return found
    return {
        name: replace(asked, arms={arm: asked.arms[arm] for arm in asked.arms if arm in only[name]})
        for name, asked in found.items()
    }


def with_installed(asked: Experiment) -> tuple[Experiment, list[str]]:
    """The experiment without the arms whose client is not installed, and why each of those is left out."""
    arms, missing = {}, []
    for name, arm in asked.arms.items():
        client = asked.client_of(arm)
        try:
            if client != "driver":
                PROGRAMS[client].program_path()
        except LocalError as error:
            missing.append(f"arm {name}: {error}")
        else:
            arms[name] = arm
    return replace(asked, arms=arms), missing
