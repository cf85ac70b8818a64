"""The models: one file each, and the one table of them.

A new model is one file with `serve(service)` and one row here. An option of one model stands above the table, and its
file reads it as `service.config[OPTION]`. `OPTION.only_with` states that it has an effect only with some values of
another option; else it is rejected. Models never import each other.
"""

from dataclasses import replace

from services.runtime.config import Config
from services.runtime.model import Model, Processes, Taxonomy
from services.runtime.options import Option, Whole, choice, switch
from services.runtime.readiness.demultiplexer import DEMULTIPLEXERS
from services.runtime.workers import LOOPS, MAX_PROCESSES, POLICY, PROCESSES, QUEUE_BOUND, THREADS_PER_CPU
from services.workload.callback_styles import CALLBACK_STYLES
from services.workload.ledger import Sharing

THREADS_BOUND = Option(
    "threads_bound",
    1000,
    Whole(1, 1_000_000),
    "calls that may run at once, each in its own thread; further calls are rejected",
)
PROCESSES_BOUND = Option(
    "processes_bound",
    0,
    Whole(0, MAX_PROCESSES),
    "connections that may be open at once, each in its own process; further connections wait; 0: as many as half of "
    "the memory limit holds, at most 256",
)
THREADS = Option("threads", 1, Whole(1, 1024), "threads of each process")
REUSE_PORT = switch("reuse_port", "each process has its own listening socket (SO_REUSEPORT)")
DEMULTIPLEXER = choice("demultiplexer", DEMULTIPLEXERS, "system call that waits for ready sockets")
STYLE = choice("style", CALLBACK_STYLES, "how the handler stores its state while it waits")
PROACTOR_HAND_OFF = choice("hand_off", ("inline", "threads", "processes"), "where handlers run")
HALF_SYNC_HAND_OFF = choice(
    "hand_off", ("all", "blocking", "processes"), "which handlers run on threads, or in the threads of processes"
)
COLOUR = choice(
    "colour", ("none", "connection", "key"), "what callbacks must share so that they never run at the same time"
)
BALANCE = choice(
    "balance",
    ("round-robin", "least-connections", "random", "kernel"),
    "how connections are distributed over the processes",
)
LOOP = choice("loop", ("asyncio", "uvloop"), "the event loop")
STAGES_IN = choice("stages_in", ("processes", "threads"), "what runs the stages")
TARGET_P90_MS = Option(
    "target_p90_ms",
    0,
    Whole(0, 60_000),
    "milliseconds within which nine of ten calls must be answered; calls above the rate that allows this are "
    "rejected; 0: no limit",
)
_ONE_PROCESS = replace(PROCESSES, default=1)

_LOCKS = "locks"
_APART = "separate memory; a lock across processes"
_ONE_OWNER = "one owner"
_NO_YIELD = "no yield between read and write"
_PROACTOR_SHARING = {"inline": Sharing.LOOP, "threads": Sharing.THREADS, "processes": Sharing.LOOPS}
_HALF_SYNC_SHARING = {"all": Sharing.THREADS, "blocking": Sharing.LOOP, "processes": Sharing.PROCESSES}


def _one_or_workers(config: Config) -> Processes:
    """What a model runs in whose default is one process."""
    return "one" if config[_ONE_PROCESS] == 1 else "workers"


def _of_loops(config: Config) -> Sharing:
    """Who shares data in a model with `--loops` threads that run a loop each."""
    return Sharing.LOOP if config[LOOPS] == 1 else Sharing.CALLBACKS


def _of_processes(config: Config) -> Sharing:
    """The same for `--processes` processes that run `--loops` loops each."""
    if config[_ONE_PROCESS] == 1:
        return _of_loops(config)
    return Sharing.LOOPS if config[LOOPS] == 1 else Sharing.PROCESSES


MODELS = {
    model.name: model
    for model in (
        Model(
            "iterative",
            "one connection after the other, one call after the other",
            "you need a baseline, or there is one client and handlers never wait",
            Taxonomy(
                tasks="serial",
                stack="automatic",
                io="blocking",
                conflicts="nothing runs at once",
                accepts="main thread",
            ),
            at_once="one connection",
        ),
        Model(
            "thread_per_connection",
            "a thread for each connection reads, runs and answers",
            "connections are few, handlers block, and code should be sequential",
            Taxonomy(tasks="preemptive", stack="automatic", io="blocking", conflicts=_LOCKS, accepts="main thread"),
            at_once="one call a connection",
        ),
        Model(
            "thread_per_request",
            "a thread for each call, started by its connection's reader",
            "handlers block for long, a connection has many calls at once, and the rate is low",
            Taxonomy(
                tasks="preemptive",
                stack="automatic",
                io="blocking",
                conflicts=_LOCKS,
                accepts="main thread",
                hand_off="new thread",
            ),
            options=(THREADS_BOUND,),
        ),
        Model(
            "thread_pool",
            "a fixed pool of threads runs the calls that readers queue",
            "handlers block, and calls must be rejected under overload",
            Taxonomy(
                tasks="preemptive",
                stack="automatic",
                io="blocking",
                conflicts=_LOCKS,
                accepts="main thread",
                queue="bounded",
                hand_off="queue",
            ),
            options=(THREADS_PER_CPU, QUEUE_BOUND, POLICY),
        ),
        Model(
            "process_per_connection",
            "a process for each connection, forked when it is accepted",
            "connections are few and long, and a crash must end only one of them",
            Taxonomy(
                tasks="preemptive",
                stack="automatic",
                io="blocking",
                conflicts=_APART,
                partitioning="full",
                accepts="main process",
            ),
            options=(PROCESSES_BOUND,),
            processes="one a connection",
            at_once="one call a connection",
        ),
        Model(
            "process_pool",
            "a fixed pool of processes, forked beforehand, accepts from one listener",
            "handlers block or compute, connections are few, and a crash must end only one process",
            Taxonomy(
                tasks="preemptive",
                stack="automatic",
                io="blocking",
                conflicts=_APART,
                partitioning="full",
                accepts="each process",
            ),
            options=(PROCESSES, THREADS_PER_CPU.only_with(PROCESSES, 0), THREADS, REUSE_PORT),
            processes="workers",
            at_once="one connection a worker",
            variants=(("--reuse-port",), ("--threads", "4")),
        ),
        Model(
            "reactor",
            "one epoll loop dispatches readiness to callbacks",
            "connections are many, calls are short, and nothing blocks",
            Taxonomy(tasks="cooperative", stack="manual", io="non-blocking", conflicts=_NO_YIELD, accepts="the loop"),
            options=(LOOPS, DEMULTIPLEXER, STYLE),
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
            Taxonomy(tasks="cooperative", stack="manual", io="completion", conflicts=_NO_YIELD, accepts="the kernel"),
            options=(
                PROACTOR_HAND_OFF,
                PROCESSES.only_with(PROACTOR_HAND_OFF, "processes"),
                THREADS_PER_CPU.only_with(PROACTOR_HAND_OFF, "threads"),
                QUEUE_BOUND.only_with(PROACTOR_HAND_OFF, "threads", "processes"),
            ),
            processes_by=lambda config: "workers" if config[PROACTOR_HAND_OFF] == "processes" else "one",
            shared_by=lambda config: _PROACTOR_SHARING[config[PROACTOR_HAND_OFF]],
            variants=(("--hand-off", "threads"), ("--hand-off", "processes")),
        ),
        Model(
            "half_sync_half_async",
            "one loop does the I/O, and a bounded pool of threads runs the calls that it queues",
            "connections are many and handlers block",
            Taxonomy(
                tasks="preemptive",
                stack="automatic",
                io="non-blocking",
                conflicts=_LOCKS,
                accepts="the loop",
                queue="bounded",
                hand_off="queue",
            ),
            options=(
                HALF_SYNC_HAND_OFF,
                PROCESSES.only_with(HALF_SYNC_HAND_OFF, "processes"),
                THREADS_PER_CPU,
                QUEUE_BOUND,
                POLICY.only_with(HALF_SYNC_HAND_OFF, "all", "processes"),
            ),
            processes_by=lambda config: "workers" if config[HALF_SYNC_HAND_OFF] == "processes" else "one",
            shared_by=lambda config: _HALF_SYNC_SHARING[config[HALF_SYNC_HAND_OFF]],
            variants=(("--hand-off", "blocking"), ("--hand-off", "processes")),
        ),
        Model(
            "callback_pool",
            "one loop does the I/O, and a pool of threads runs callbacks",
            "never in Python; it is here to compare: it needs locks as threads do, and manual state as events do",
            Taxonomy(
                tasks="preemptive",
                stack="manual",
                io="non-blocking",
                conflicts="locks; none within a colour",
                accepts="the loop",
                queue="bounded",
                hand_off="queue",
            ),
            options=(COLOUR, THREADS_PER_CPU, QUEUE_BOUND),
            shared_by=lambda _: Sharing.CALLBACKS,
            variants=(("--colour", "connection"), ("--colour", "key")),
        ),
        Model(
            "multi_reactor",
            "a dispatcher distributes connections over several processes with an event loop each",
            "the reactor fits, but one CPU is not enough",
            Taxonomy(
                tasks="cooperative",
                stack="manual",
                io="non-blocking",
                conflicts=_APART,
                partitioning="full",
                accepts="the dispatcher",
            ),
            options=(PROCESSES, BALANCE),
            processes="workers",
            variants=(("--balance", "least-connections"), ("--balance", "random"), ("--balance", "kernel")),
        ),
        Model(
            "coroutines",
            "one asyncio loop, a task for each call",
            "connections are many, calls wait for other services, and code should be sequential",
            Taxonomy(
                tasks="cooperative", stack="automatic", io="non-blocking", conflicts=_NO_YIELD, accepts="the loop"
            ),
            options=(_ONE_PROCESS, LOOPS, LOOP),
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
            Taxonomy(
                tasks="cooperative",
                stack="automatic",
                io="non-blocking",
                conflicts=_NO_YIELD,
                accepts="a greenlet",
                hand_off="spawn",
            ),
            needs=("green",),
        ),
        Model(
            "partitioned",
            "processes with an event loop each own a part of the keys; a call goes to its key's owner",
            "calls change shared data, most of them use a single key, and the calls spread over many keys",
            Taxonomy(
                tasks="cooperative",
                stack="manual",
                io="non-blocking",
                conflicts=_ONE_OWNER,
                partitioning="by key",
                accepts="each process",
                queue="bounded",
                hand_off="sockets",
            ),
            options=(PROCESSES, QUEUE_BOUND),
            processes="workers",
            shared_by=lambda _: Sharing.OWNERS,
        ),
        Model(
            "seda",
            "stages with bounded queues between them; each stage is a process with an event loop, or a pool of threads",
            "you must see which stage is overloaded, and adjust it while the service runs",
            Taxonomy(
                tasks="preemptive",
                stack="manual",
                io="non-blocking",
                conflicts=_APART,
                partitioning="by stage",
                accepts="the first stage",
                queue="bounded",
                hand_off="sockets",
            ),
            options=(STAGES_IN, THREADS_PER_CPU, QUEUE_BOUND, TARGET_P90_MS),
            processes_by=lambda config: "one" if config[STAGES_IN] == "threads" else "workers",
            stages=("read", "admit", "compute", "call", "reply"),
            variants=(("--stages-in", "threads"),),
        ),
        Model(
            "grpcio_threads",
            "baseline: grpcio's server with a thread pool",
            "you need a reference: grpcio's own server, with threads and a bounded queue",
            Taxonomy(
                tasks="preemptive",
                stack="automatic",
                io="blocking",
                conflicts=_LOCKS,
                accepts="grpc core",
                queue="bounded",
                hand_off="queue",
            ),
            options=(_ONE_PROCESS, THREADS_PER_CPU, QUEUE_BOUND),
            needs=("baselines",),
            own_wire=False,
            processes_by=_one_or_workers,
            variants=(("--processes", "2"),),
        ),
        Model(
            "grpcio_asyncio",
            "baseline: grpcio's asyncio server",
            "you need a reference: grpcio for code that already uses asyncio",
            Taxonomy(
                tasks="cooperative",
                stack="automatic",
                io="non-blocking",
                conflicts=_NO_YIELD,
                accepts="grpc core",
                hand_off="core",
            ),
            options=(_ONE_PROCESS,),
            needs=("baselines",),
            own_wire=False,
            awaits=True,
            processes_by=_one_or_workers,
            variants=(("--processes", "2"),),
        ),
    )
}
