"""What the table of models states of a model: its place in the taxonomy, its options, what it runs in.

Must not know which models there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from services.runtime.config import SHARED, Config
from services.runtime.options import Option
from services.workload.ledger import Sharing

Tasks = Literal["serial", "cooperative", "preemptive"]
Processes = Literal["one", "workers", "one a connection"]

OF_OWN_WIRE = ("backlog", "memory_budget", "interop")
"""Options of every service that the server of grpcio does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """Where a model stands in the five dimensions of Adya et al., USENIX 2002 (and Erb, chapter 4.3)."""

    tasks: Tasks
    """What switches from one call to another: nothing, the call itself, or the scheduler."""
    stack: Literal["automatic", "manual"]
    """What stores a call's state while it waits: the language, or the handler."""
    io: Literal["blocking", "non-blocking", "completion"]
    """What a read does when there is nothing to read."""
    conflicts: str
    """What makes shared data consistent."""
    partitioning: str = "none"
    """Who may touch which data."""
    accepts: str
    """Who accepts connections."""
    queue: str = "none"
    """Where calls wait for a worker."""
    hand_off: str = "none"
    """What passes a call from who reads it to who runs it."""


@dataclass(frozen=True, slots=True)
class Model:
    """One row: what a person reads of a model before its file."""

    name: str
    caption: str
    choose_when: str
    taxonomy: Taxonomy
    needs: tuple[str, ...] = ()
    """Extras of the package that its process imports."""
    own_wire: bool = True
    """It owns its sockets, on services.wire."""
    options: tuple[Option[Any], ...] = ()
    """Those that it has beside the options of every service, with its own choices and defaults."""
    processes: Processes = "one"
    """What it runs in: one process; one with so many workers; one that forks for each connection."""
    processes_by: Callable[[Config], Processes] | None = None
    """The same, where an option decides."""
    at_once: Literal["one connection", "one connection a worker", "one call a connection", "many calls"] = "many calls"
    """What it serves at the same time, as its picture promises."""
    stages: tuple[str, ...] = ()
    """What each call goes through, one after the other, where a model has stages with queues of their own."""
    shared_by: Callable[[Config], Sharing] | None = None
    """Who has the data that calls share, if `tasks` and `processes` do not decide it."""
    awaits: bool = False
    """Its handlers are coroutines, so that they can await a function of the user (`--function`)."""
    variants: tuple[tuple[str, ...], ...] = ()
    """Options that make it another model in all but name; each is tested as a model is."""

    @property
    def all_options(self) -> tuple[Option[Any], ...]:
        """Every option that it accepts."""
        shared = SHARED if self.own_wire else [option for option in SHARED if option.name not in OF_OWN_WIRE]
        return (*shared, *self.options)

    def runs_in(self, config: Config) -> Processes:
        """Which processes it has with these options."""
        return self.processes if self.processes_by is None else self.processes_by(config)

    def sharing(self, config: Config) -> Sharing:
        """Who has the data that calls share: it decides which conflict strategies make sense."""
        if self.shared_by is not None:
            return self.shared_by(config)
        preemptive = self.taxonomy.tasks == "preemptive"
        if self.runs_in(config) != "one":
            return Sharing.PROCESSES if preemptive else Sharing.LOOPS
        return Sharing.THREADS if preemptive else Sharing.LOOP

    def tasks(self, config: Config) -> Tasks:
        """What switches from one call to another with these options: a hand-off to threads makes it the scheduler."""
        if self.taxonomy.tasks == "serial":
            return "serial"
        return _SWITCHED_BY.get(self.sharing(config), self.taxonomy.tasks)


_SWITCHED_BY: dict[Sharing, Tasks] = {
    Sharing.LOOP: "cooperative",
    Sharing.THREADS: "preemptive",
    Sharing.CALLBACKS: "preemptive",
    Sharing.PROCESSES: "preemptive",
}
