"""What is measured, what it must reach, and whether it did: pure arithmetic over measurements.

Goals are ratios: two rates of one minute on one machine can be compared, and two of different machines cannot. Each
ratio is computed within a round, and the median is taken over rounds. A machine that becomes slower during the bench
then does not change it. Must not know how anything is started or measured.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

NGHTTPD = "nghttpd"
"""Not a model: the HTTP/2 server of the nghttp2 project, in C, without a handler."""
H2LOAD = "h2load"
DRIVER = "driver"
TRACING = ("--trace-file=/dev/null",)


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """A closed loop: as many calls are open at a time as streams on all connections."""

    connections: int
    streams: int

    def __str__(self) -> str:
        return f"{self.connections}x{self.streams}"


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to measure: a server, a load generator and a load."""

    server: str
    """A row of MODELS, or NGHTTPD."""
    load: ClosedLoop
    generator: str = H2LOAD
    options: tuple[str, ...] = ()
    """Of the server's command line."""

    @property
    def served_by(self) -> str:
        """The server and its options."""
        return " ".join((self.server, *self.options))

    def __str__(self) -> str:
        return f"{self.served_by} at {self.load}" + (f" by {self.generator}" if self.generator != H2LOAD else "")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One subject in one round, between the lines that its generator prints when measuring begins and ends."""

    round: int
    """From 1."""
    subject: Subject
    calls: int
    """Calls answered without an error."""
    elapsed_s: float
    server_cpu_ns: int
    """Of all threads of the server, user and system."""
    generator_cpu_ns: int

    @property
    def rate_rps(self) -> float:
        return self.calls / self.elapsed_s

    @property
    def server_cpu_us_per_call(self) -> float:
        """It varies less than a rate if other processes use the same machine."""
        return self.server_cpu_ns / 1000 / self.calls

    @property
    def server_busy(self) -> float:
        """Share of its one processor. The server or the generator, whichever is at 1.0, bounds the rate."""
        return self.server_cpu_ns / 1e9 / self.elapsed_s

    @property
    def generator_busy(self) -> float:
        """As `server_busy`."""
        return self.generator_cpu_ns / 1e9 / self.elapsed_s


@dataclass(frozen=True, slots=True)
class Goal:
    """`subject` reaches at least `at_least` times the rate of `baseline`."""

    subject: Subject
    baseline: Subject
    at_least: float


@dataclass(frozen=True, slots=True)
class Idle:
    """What idle connections cost a server."""

    server: str
    connections: int
    rss_before_bytes: int
    rss_after_bytes: int

    @property
    def rss_kib_per_connection(self) -> float:
        return (self.rss_after_bytes - self.rss_before_bytes) / 1024 / self.connections


@dataclass(frozen=True, slots=True)
class GoalResult:
    """A goal and its result. `got` and the fields after it are None if it was not measured."""

    what: str
    load: str
    unit: Literal["times", "share", "KiB"]
    """Of `asked`, `got`, `lowest` and `highest`; the first two are ratios of rates."""
    asked: float
    """A ratio, at least; KiB, at most."""
    got: float | None
    lowest: float | None
    """Of the rounds."""
    highest: float | None
    by_cpu: float | None
    """The same ratio of the servers' CPU time for each call. It does not depend on what bounded the rates."""
    reached: bool | None


FEW, BUSY, MANY = ClosedLoop(64, 1), ClosedLoop(10, 10), ClosedLoop(1000, 1)

GOALS = (
    Goal(Subject("reactor", FEW), Subject("grpcio_asyncio", FEW), 6.0),
    Goal(Subject("reactor", BUSY), Subject("grpcio_asyncio", BUSY), 12.0),
    Goal(Subject("reactor", FEW), Subject(NGHTTPD, FEW), 0.30),
    Goal(Subject("reactor", BUSY), Subject(NGHTTPD, BUSY), 0.45),
    Goal(Subject("coroutines", BUSY), Subject("reactor", BUSY), 0.80),
    Goal(Subject("reactor", MANY), Subject("thread_per_connection", MANY), 3.0),
    Goal(Subject("reactor", BUSY, DRIVER), Subject("reactor", BUSY), 0.90),
    # No call carries a sampled trace, so that this is what tracing costs where it is not used.
    Goal(Subject("reactor", BUSY, options=TRACING), Subject("reactor", BUSY), 0.95),
)
IDLE_SERVER = "reactor"
IDLE_CONNECTIONS = 5000
IDLE_MOST_KIB = 16.0


def subjects(starts: Iterable[Sequence[str]], goals: Sequence[Goal] = GOALS) -> list[Subject]:
    """Each subject of the goals, and each of `starts` (a model and options) under each load. None is there twice.

    Subjects that are compared are measured close together.
    """
    found = {subject: None for goal in goals for subject in (goal.baseline, goal.subject)}
    found |= {
        Subject(model, load, options=tuple(options)): None for load in (FEW, BUSY, MANY) for model, *options in starts
    }
    return sorted(found, key=lambda subject: (subject.load.streams, subject.load.connections))


def to_reactor(subject: Subject, measurements: Iterable[Measurement]) -> float | None:
    """The subject's rate divided by the reactor's, with the same load and generator. None if one was not measured."""
    reactor = Subject("reactor", subject.load, subject.generator)
    return None if subject == reactor else result_of(Goal(subject, reactor, 0.0), measurements).got


def result_of(goal: Goal, measurements: Iterable[Measurement]) -> GoalResult:
    """The result of a goal."""
    by_round: dict[int, dict[Subject, Measurement]] = {}
    for measurement in measurements:
        by_round.setdefault(measurement.round, {})[measurement.subject] = measurement
    pairs = [
        (found[goal.subject], found[goal.baseline])
        for found in by_round.values()
        if goal.subject in found and goal.baseline in found
    ]
    ours, theirs = goal.subject, goal.baseline
    same_server = ours.served_by == theirs.served_by
    what = f"{ours.generator} / {theirs.generator}" if same_server else f"{ours.served_by} / {theirs.served_by}"
    ratios = [one.rate_rps / other.rate_rps for one, other in pairs]
    cpu_ratios = [other.server_cpu_us_per_call / one.server_cpu_us_per_call for one, other in pairs]
    got = median(ratios) if ratios else None
    return GoalResult(
        what=what,
        load=str(ours.load),
        unit="times" if goal.at_least > 1 else "share",
        asked=goal.at_least,
        got=got,
        lowest=min(ratios, default=None),
        highest=max(ratios, default=None),
        by_cpu=median(cpu_ratios) if cpu_ratios and not same_server else None,
        reached=None if got is None else got >= goal.at_least,
    )


def idle_result(idle: Idle | None) -> GoalResult:
    """The result of the goal for idle connections."""
    got = None if idle is None else idle.rss_kib_per_connection
    return GoalResult(
        what=f"{IDLE_SERVER}, RSS each",
        load=f"{IDLE_CONNECTIONS} idle",
        unit="KiB",
        asked=IDLE_MOST_KIB,
        got=got,
        lowest=got,
        highest=got,
        by_cpu=None,
        reached=None if got is None else got <= IDLE_MOST_KIB,
    )
