"""What an experiment asks: arms x points x rounds, as frozen values. Must not know how a trial is run."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from tools.experiment.load import Axis, Load, Point, points

OptionValue = str | int | float
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Times = Annotated[int, Meta(ge=1, le=1000)]
ClientName = Literal["driver", "h2load", "ghz", "k6"]
"""What makes the load: the project's driver, or a load program (tools/clients/programs.py)."""
ServerName = Literal["nghttpd"]
"""A server to compare models with (tools/reference)."""


class Arm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is compared: a model, and how it is started. Or a reference server, or a client of either."""

    model: str = ""
    """The row of MODELS, as `thread_pool`."""
    server: ServerName | None = None
    """Instead of a model."""
    client: ClientName | None = None
    """What loads it, where it is not that of the experiment."""
    options: Mapping[str, OptionValue] = {}
    """As `python -m services MODEL --help` names them."""
    cpus: Annotated[int, Meta(ge=1, le=1024)] = 1
    """Processors that the service may run on."""
    python: str | None = None
    """Another interpreter: its path."""
    environment: Mapping[str, str] = {}
    """Variables of the service's process, as PYTHON_GIL."""
    plan: Mapping[str, Any] = {}
    """Its calls, where they are not those of the experiment."""
    mix: Mapping[Name, Mapping[str, Any]] = {}
    """The same as kinds of calls."""

    @property
    def served_by(self) -> str:
        """The model, or the reference server."""
        return self.server or self.model


class Objective(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rate must meet to count as served."""

    p99_ms: Annotated[float, Meta(gt=0)] = 100.0
    """At most, from the intended send. Milliseconds."""
    ok_share: Annotated[float, Meta(gt=0, le=1)] = 0.999
    """At least, of the calls planned."""


class Search(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the highest rate that meets the objective is searched (tools/scale/search.py)."""

    start_rps: Annotated[float, Meta(gt=0)] = 200.0
    """Tried first. Calls a second."""
    highest_rps: Annotated[float, Meta(gt=0, le=1_000_000)] = 50_000.0
    """Nothing above is tried. Calls a second."""
    within: Annotated[float, Meta(ge=1.01)] = 1.1
    """Met and missed are close enough at this ratio."""
    trials: Annotated[int, Meta(ge=1, le=100)] = 12
    """The most trials of each cell."""


class Scale(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A grid of models x plans x replicas x cpus x workers, of which each cell is one search."""

    plans: Annotated[Mapping[Annotated[str, Meta(pattern="^[a-z][a-z0-9-]*$")], Mapping[str, Any]], Meta(min_length=1)]
    replicas: Axis[Annotated[int, Meta(ge=1, le=100)]]
    """Numbers of processes on this machine, or of pods in a cluster."""
    cpus: Axis[Annotated[float, Meta(ge=0.05, le=1024)]]
    """CPU limits of each replica. CPUs."""
    most_cpus: Annotated[float, Meta(ge=0.05)] = 1024.0
    """Cells whose replicas together have more are not asked for. CPUs."""
    workers: Mapping[str, Mapping[str, Axis[Annotated[int, Meta(ge=1)]]]] = {}
    """Model -> the option that sets how many workers are inside of each replica -> its values."""
    objective: Objective = Objective()
    search: Search = Search()


class SliceLength(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a slice is."""

    warmup_s: Annotated[float, Meta(ge=0, le=86_400)]
    duration_s: Annotated[float, Meta(ge=0.01, le=86_400)]


class Experiment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked. `read` has checked it."""

    title: Annotated[str, Meta(min_length=1)]
    """The question."""
    arms: Mapping[Name, Arm] = {}
    """Empty: every model there is, until `of` names them."""
    client: ClientName | None = None
    """What makes the load; None: the driver."""
    load: Load
    plan: Mapping[str, Any] = {}
    """The call: a RunRequest (protos/sweetspot/v1/workload.proto) as protobuf JSON, or with `payload_bytes` for payload
    and `keys` for key."""
    mix: Mapping[Name, Mapping[str, Any]] = {}
    """Instead of `plan`: kinds of calls. Each has a plan and a `share`, its weight."""
    warmup_s: Annotated[float, Meta(ge=0, le=86_400)] = 1.0
    """Load that is not measured, before each slice. Seconds."""
    duration_s: Annotated[float, Meta(ge=0.01, le=86_400)] = 5.0
    """Load that is measured, in each slice. Seconds."""
    windows: Mapping[int, SliceLength] = {}
    """Connections -> these times at that number. It takes longer until each of 1,000 clients has had an answer."""
    rounds: Times = 3
    """How often each arm is restarted and measured at each point."""
    blocks: Times = 1
    """Slices of each arm at each point in a round; those of all arms alternate."""
    until: Literal["decided"] | None = None
    """Two arms: end after the round that decides every point, at `rounds` at the latest."""
    seed: int = 1
    """Of the order of arms, and of arrivals."""
    trace_ratio: Annotated[float, Meta(ge=0, le=1)] = 0.01
    """Fraction of calls that leave spans."""
    service_options: Mapping[str, OptionValue] = {}
    """Options of every arm."""
    scale: Scale | None = None
    """Instead of a plan and a rate: a grid of searches."""

    @property
    def points(self) -> tuple[Point, ...]:
        """Every combination of the axes of the load."""
        return points(self.load)

    @property
    def models(self) -> tuple[str, ...]:
        """Of the arms, each once; empty for all there are."""
        return tuple(dict.fromkeys(arm.served_by for arm in self.arms.values()))

    @property
    def calls(self) -> dict[str, Any]:
        """The driver's plan file for arms that have no calls of their own."""
        return _calls(self)

    def calls_of(self, arm: Arm) -> dict[str, Any]:
        """The driver's plan file for that arm."""
        return _calls(arm) or self.calls

    def client_of(self, arm: Arm) -> ClientName:
        """What makes the load of that arm."""
        return arm.client or self.client or "driver"

    @property
    def compares_clients(self) -> bool:
        """Whether arms have different clients. A client at its limit is a result then."""
        return len({self.client_of(arm) for arm in self.arms.values()}) > 1

    def at(self, point: Point) -> "Experiment":
        """The same with the window of that point."""
        window = self.windows.get(point.connections)
        if window is None:
            return self
        return msgspec.structs.replace(self, warmup_s=window.warmup_s, duration_s=window.duration_s, windows={})

    def options(self, arm: str) -> dict[str, OptionValue]:
        """What the service of that arm is started with."""
        return {**self.service_options, **self.arms[arm].options}

    def of(self, models: Sequence[str]) -> "Experiment":
        """The same asked of those arms, or models: an arm that is named is itself, a model is an arm of its name."""
        arms = {name: self.arms.get(name, Arm(model=name)) for name in models}
        return msgspec.structs.replace(self, arms=arms)

    def at_rate(self, plan: Mapping[str, Any], rate_rps: float) -> "Experiment":
        """One trial of a search."""
        load = msgspec.structs.replace(self.load, rate_rps=(rate_rps,))
        return msgspec.structs.replace(self, plan=plan, load=load, scale=None)

    def to_yaml(self) -> str:
        """What `read` reads back as an equal experiment."""
        content = {name: value for name, value in msgspec.to_builtins(self).items() if value not in ({}, None)}
        if self.scale is None and not self.mix:
            content.setdefault("plan", {})
        return yaml.safe_dump(content, sort_keys=False)


def _calls(asked: Arm | Experiment) -> dict[str, Any]:
    return {"mix": dict(asked.mix)} if asked.mix else dict(asked.plan)
