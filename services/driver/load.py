"""The phases of a load: connections are opened once, then come slices, then they are closed.

    open ──> slice ──> idle ──> slice ──> ... ──> close

A slice begins and ends with nothing in flight:

    begin ══ warm-up ══> "measuring" ══ duration ══> "measured" ══ last answers, or a grace ══> "answered"

A run is one slice. Must not know command lines, files or how results are shown; nor how calls are sent.
"""

import gc
import resource
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic_ns as clock

from services.driver.checkpoint import CHECKPOINT_NS
from services.driver.clients import summarize
from services.driver.fleet import Fleet
from services.driver.loop import DriverLoop
from services.driver.options import Options
from services.driver.outcome import TENTHS, Outcome
from services.driver.plan import Request
from services.driver.schedule import NS_PER_S, Window, intended_sends, steady
from services.driver.tracing import Sampler

# After measuring, calls are waited for no longer than their timeout, nor than this.
MAX_GRACE_S = 5.0
# Before a slice, connections that have ended since the last one are waited for no longer.
_SETTLE_NS = 200_000_000


class LoadGenerator:
    """Connections that carry slices: `open_connections`, then `run` for each slice, then `close`."""

    def __init__(
        self,
        options: Options,
        requests: Iterator[Request],
        sampler: Sampler | None,
        announce: Callable[[str], None],
        *,
        checkpoint: Callable[[Outcome], None] = lambda _: None,
        epoll: select.epoll | None = None,
    ) -> None:
        """Looks up every address. `checkpoint` is given what there is every second at least. `epoll` as in Fleet.

        Raises AddressRefused.
        """
        self._options = options
        self._requests = requests
        self._sampler = sampler
        self._announce = announce
        self._checkpoint = checkpoint
        self._fleet = Fleet(options, epoll)
        self._into_schedule_ns = 0
        """For how long slices have followed the schedule, warm-ups included; the next one continues from there."""
        self._loop: DriverLoop | None = None
        self._stopped = False

    def stop(self) -> None:
        """Ends the slice at the next tick with what it has; may be called from a signal handler."""
        self._stopped = True
        if self._loop is not None:
            self._loop.stopped = True

    def open_connections(self) -> int:
        """Opens every connection for which there is room; returns early when stopped. Returns how many are open.

        Raises AddressRefused.
        """
        for _ in self._fleet.open():
            if self._stopped:
                break
        return self._fleet.ready

    def close(self) -> None:
        """Closes every connection."""
        self._fleet.close()

    def run(self, begin_ns: int | None = None, options: Options | None = None) -> Outcome:
        """Makes a slice, from `begin_ns` on the monotonic clock on or at once; `options` where they differ from those
        that the connections were opened with.

        Returns when every call is answered or the grace after measuring is over; calls in flight then are cancelled.
        """
        options = options or self._options
        loop = self._loop = DriverLoop(options, self._requests, self._sampler, self._fleet)
        if self._stopped:
            loop.stopped = True
        outcome = loop.outcome
        _make_timers_exact()
        # Connections live as long as the run: the collector need not walk through them.
        gc.collect()
        gc.freeze()
        if begin_ns is None:
            loop.settle(clock() + _SETTLE_NS)
            begin_ns = clock()
        loop.turn_until(begin_ns)
        outcome.begin_ns, outcome.begun_late_ns = begin_ns, clock() - begin_ns
        window = outcome.window = Window.after(begin_ns, options.warmup_s, options.duration_s)
        arrivals: Iterator[int] = iter(())
        sends: Iterator[int] | None = None
        if options.rate_rps is not None:
            sends = intended_sends(steady(options.rate_rps), options.arrival, options.seed, begin_ns, window.end_ns)
        elif options.schedule is not None:
            into_ns = self._into_schedule_ns
            self._into_schedule_ns += window.end_ns - begin_ns
            sends = intended_sends(
                options.schedule, options.arrival, options.seed, begin_ns, window.end_ns, into_ns=into_ns
            )
        if sends is not None:
            arrivals = options.shard.deal(sends, options.connections)
            loop.count_from(window.start_ns)
        loop.begin(arrivals)
        loop.turn_until(window.start_ns)
        if not loop.stopped:
            loop.drop_late(window.start_ns)
            if options.streams is not None:
                # Else a service that stalls in warm-up would be known by its quick calls alone.
                loop.count_from(begin_ns)
            self._announce("measuring")
            self._measure(loop, options)
            self._announce("measured")
            grace_ns = round(min(options.timeout_s, MAX_GRACE_S) * NS_PER_S)
            self._turn(loop, window.end_ns + grace_ns, done=lambda: loop.drained)
            self._announce("answered")
        return self._end(loop)

    def _measure(self, loop: DriverLoop, options: Options) -> None:
        """Makes the load of the window, and notes what is true of its ends and of each tenth."""
        outcome, fleet = loop.outcome, self._fleet
        start_ns, end_ns = outcome.window.start_ns, outcome.window.end_ns
        before, waited_ns = resource.getrusage(resource.RUSAGE_SELF), _waited_ns()
        outcome.in_flight_start = loop.in_flight
        loop.begin_window()
        for tenth in range(TENTHS):
            counted = outcome.counted
            self._turn(loop, start_ns + (end_ns - start_ns) * (tenth + 1) // TENTHS)
            outcome.answered_by_tenth[tenth] = outcome.counted - counted
        loop.end_window()
        after = resource.getrusage(resource.RUSAGE_SELF)
        outcome.waited_ns = _waited_ns() - waited_ns
        outcome.cpu_user_ns = round((after.ru_utime - before.ru_utime) * NS_PER_S)
        outcome.cpu_system_ns = round((after.ru_stime - before.ru_stime) * NS_PER_S)
        outcome.connections = fleet.ready
        outcome.in_flight = loop.in_flight

    def _turn(self, loop: DriverLoop, end_ns: int, done: Callable[[], bool] | None = None) -> None:
        """Turns the loop until then or until `done`, with a checkpoint every second."""
        while not loop.stopped and (now_ns := clock()) < end_ns and not (done and done()):
            loop.turn_until(min(end_ns, now_ns + CHECKPOINT_NS), done=done)
            self._checkpoint(loop.outcome)

    def _end(self, loop: DriverLoop) -> Outcome:
        """Closes the books, and leaves nothing in flight."""
        outcome = loop.outcome
        if loop.stopped:
            outcome.interrupted = True
            start_ns, end_ns = outcome.window.start_ns, outcome.window.end_ns
            outcome.window = Window(start_ns, min(max(start_ns, clock()), end_ns))
        loop.close_books()
        outcome.drained_ns = clock()
        outcome.pods, outcome.connections_lost = self._fleet.end_slice()
        clients = [connection.client for connection in self._fleet.connections]
        outcome.clients_served = sum(client.end_slice() for client in clients)
        outcome.clients = summarize(clients, self._fleet.unserved_at_start, self._fleet.idle)
        return outcome


def _waited_ns() -> int:
    """How long this thread could run and had no processor: the second field of schedstat (Documentation/scheduler)."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0  # a kernel without it


def _make_timers_exact() -> None:
    """Lets the kernel wake this thread when asked, not up to 50 us later to save power (proc_pid_timerslack_ns(5))."""
    try:
        Path("/proc/self/timerslack_ns").write_text("1", encoding="ascii")
    except OSError:
        return  # not allowed here: what it costs shows as lateness
