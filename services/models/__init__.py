"""The models: one file each, and the one table of them.

A new model is one file with `serve(service)` and one row here. Models never import each other.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from services.runtime.config import Config
from services.runtime.service import Service
from services.workload.ledger import Sharing

Tasks = Literal["serial", "cooperative", "preemptive"]


@dataclass(frozen=True, slots=True)
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
    partitioning: str
    """Who may touch which data."""
    accepts: str
    """Who accepts connections."""
    queue: str
    """Where calls wait for a worker."""
    hand_off: str
    """What passes a call from who reads it to who runs it."""


Processes = Literal["one", "workers", "one a connection"]


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

    @property
    def serve(self) -> Callable[[Service], None]:
        """The model itself; imported only now, so that a process loads no other model's needs."""
        serve: Callable[[Service], None] = importlib.import_module(f"services.models.{self.name}").serve
        return serve


_LOCKS = "locks"
_APART = "separate memory; a lock across processes"
_ONE_OWNER = "one owner"
_PROACTOR_SHARING = {"inline": Sharing.LOOP, "threads": Sharing.THREADS, "processes": Sharing.LOOPS}
_SWITCHED_BY: dict[Sharing, Tasks] = {
    Sharing.LOOP: "cooperative",
    Sharing.THREADS: "preemptive",
    Sharing.CALLBACKS: "preemptive",
    Sharing.PROCESSES: "preemptive",
}
_NO_YIELD = "no yield between read and write"


def _one_or_workers(config: Config) -> Processes:
    """What a model runs in whose default is one process."""
    return "one" if config.processes == 1 else "workers"


def _of_loops(config: Config) -> Sharing:
    """Who shares data in a model with `--loops` threads that run a loop each."""
    return Sharing.LOOP if config.loops == 1 else Sharing.CALLBACKS


def _of_processes(config: Config) -> Sharing:
    """The same for `--processes` processes that run `--loops` loops each."""
    if config.processes == 1:
        return _of_loops(config)
    return Sharing.LOOPS if config.loops == 1 else Sharing.PROCESSES


MODELS = {
    model.name: model
    for model in (
        Model(
            "iterative",
            "one connection after the other, one call after the other",
            "you need a baseline, or there is one client and handlers never wait",
            Taxonomy("serial", "automatic", "blocking", "nothing runs at once", "none", "main thread", "none", "none"),
            at_once="one connection",
        ),
        Model(
            "thread_per_connection",
            "a thread for each connection reads, runs and answers",
            "connections are few, handlers block, and code should be sequential",
            Taxonomy("preemptive", "automatic", "blocking", _LOCKS, "none", "main thread", "none", "none"),
            at_once="one call a connection",
        ),
        Model(
            "thread_per_request",
            "a thread for each call, started by its connection's reader",
            "handlers block for long, a connection has many calls at once, and the rate is low",
            Taxonomy("preemptive", "automatic", "blocking", _LOCKS, "none", "main thread", "none", "new thread"),
        ),
        Model(
            "thread_pool",
            "a fixed pool of threads runs the calls that readers queue",
            "handlers block, and calls must be rejected under overload",
            Taxonomy("preemptive", "automatic", "blocking", _LOCKS, "none", "main thread", "bounded", "queue"),
        ),
        Model(
            "process_per_connection",
            "a process for each connection, forked when it is accepted",
            "connections are few and long, and a crash must end only one of them",
            Taxonomy("preemptive", "automatic", "blocking", _APART, "full", "main process", "none", "none"),
            processes="one a connection",
            at_once="one call a connection",
        ),
        Model(
            "process_pool",
            "a fixed pool of processes, forked beforehand, accepts from one listener",
            "handlers block or compute, connections are few, and a crash must end only one process",
            Taxonomy("preemptive", "automatic", "blocking", _APART, "full", "each process", "none", "none"),
            processes="workers",
            at_once="one connection a worker",
            variants=(("--reuse-port",), ("--threads", "4")),
        ),
        Model(
            "reactor",
            "one epoll loop dispatches readiness to callbacks",
            "connections are many, calls are short, and nothing blocks",
            Taxonomy("cooperative", "manual", "non-blocking", _NO_YIELD, "none", "the loop", "none", "none"),
            shared_by=_of_loops,
            variants=(
                ("--demultiplexer", "poll"),
                ("--demultiplexer", "select"),
                ("--style", "ripped"),
                ("--style", "continuations"),
                ("--loops", "2"),
            ),
        ),
        Model(
            "proactor",
            "one io_uring: I/O is submitted, and completions run callbacks",
            "calls are short and many, a profile shows mostly system calls, and the kernel allows io_uring",
            Taxonomy("cooperative", "manual", "completion", _NO_YIELD, "none", "the kernel", "none", "none"),
            processes_by=lambda config: "workers" if config.hand_off == "processes" else "one",
            shared_by=lambda config: _PROACTOR_SHARING[config.hand_off],
            variants=(("--hand-off", "threads"), ("--hand-off", "processes")),
        ),
        Model(
            "half_sync_half_async",
            "one loop does the I/O, and a bounded pool of threads runs the calls that it queues",
            "connections are many and handlers block",
            Taxonomy("preemptive", "automatic", "non-blocking", _LOCKS, "none", "the loop", "bounded", "queue"),
            shared_by=lambda config: Sharing.LOOP if config.hand_off == "blocking" else Sharing.THREADS,
            variants=(("--hand-off", "blocking"),),
        ),
        Model(
            "callback_pool",
            "one loop does the I/O, and a pool of threads runs callbacks",
            "never in Python; it is here to compare: it needs locks as threads do, and manual state as events do",
            Taxonomy(
                "preemptive",
                "manual",
                "non-blocking",
                "locks; none within a colour",
                "none",
                "the loop",
                "bounded",
                "queue",
            ),
            shared_by=lambda _: Sharing.CALLBACKS,
            variants=(("--colour", "connection"), ("--colour", "key")),
        ),
        Model(
            "multi_reactor",
            "a dispatcher distributes connections over several processes with an event loop each",
            "the reactor fits, but one CPU is not enough",
            Taxonomy("cooperative", "manual", "non-blocking", _APART, "full", "the dispatcher", "none", "none"),
            processes="workers",
            variants=(("--balance", "least-connections"), ("--balance", "random"), ("--balance", "kernel")),
        ),
        Model(
            "coroutines",
            "one asyncio loop, a task for each call",
            "connections are many, calls wait for other services, and code should be sequential",
            Taxonomy("cooperative", "automatic", "non-blocking", _NO_YIELD, "none", "the loop", "none", "none"),
            needs=("uvloop",),
            awaits=True,
            processes_by=_one_or_workers,
            shared_by=_of_processes,
            variants=(("--loop", "uvloop"), ("--processes", "2"), ("--loops", "2")),
        ),
        Model(
            "green_threads",
            "a greenlet for each connection and each call, on the event loop of a library",
            "connections are many, calls wait for other services, and code that blocks has to work without changes",
            Taxonomy("cooperative", "automatic", "non-blocking", _NO_YIELD, "none", "a greenlet", "none", "spawn"),
            needs=("green",),
        ),
        Model(
            "partitioned",
            "processes with an event loop each own a part of the keys; a call goes to its key's owner",
            "calls change shared data, most of them use a single key, and the calls spread over many keys",
            Taxonomy(
                "cooperative", "manual", "non-blocking", _ONE_OWNER, "by key", "each process", "bounded", "sockets"
            ),
            processes="workers",
            shared_by=lambda _: Sharing.OWNERS,
        ),
        Model(
            "seda",
            "stages with bounded queues between them; each stage is a process with an event loop, or a pool of threads",
            "you must see which stage is overloaded, and adjust it while the service runs",
            Taxonomy(
                "preemptive", "manual", "non-blocking", _APART, "by stage", "the first stage", "bounded", "sockets"
            ),
            processes_by=lambda config: "one" if config.stages_in == "threads" else "workers",
            stages=("read", "admit", "compute", "call", "reply"),
            variants=(("--stages-in", "threads"),),
        ),
        Model(
            "grpcio_threads",
            "baseline: grpcio's server with a thread pool",
            "you need a reference: grpcio's own server, with threads and a bounded queue",
            Taxonomy("preemptive", "automatic", "blocking", _LOCKS, "none", "grpc core", "bounded", "queue"),
            needs=("baselines",),
            own_wire=False,
            processes_by=_one_or_workers,
            variants=(("--processes", "2"),),
        ),
        Model(
            "grpcio_asyncio",
            "baseline: grpcio's asyncio server",
            "you need a reference: grpcio for code that already uses asyncio",
            Taxonomy("cooperative", "automatic", "non-blocking", _NO_YIELD, "none", "grpc core", "none", "core"),
            needs=("baselines",),
            own_wire=False,
            awaits=True,
            processes_by=_one_or_workers,
            variants=(("--processes", "2"),),
        ),
    )
}
