"""The phases of a run: connections are opened, then come warm-up, measuring, and the wait for the last answers.

    begin ══ warm-up ══> "measuring" ══ duration ══> "measured" ══ last answers, or a grace ══> "answered"

Must not know command lines, files or how results are shown; nor how calls are sent.
"""

import gc
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic_ns as clock

from services.driver.fleet import Fleet
from services.driver.loop import Loop
from services.driver.options import Options
from services.driver.outcome import Outcome
from services.driver.plan import Request
from services.driver.schedule import NS_PER_S, Window, intended_sends
from services.driver.tracing import Sampler

# After measuring, calls are waited for no longer than their timeout, nor than this.
MAX_GRACE_S = 5.0


class Load:
    """One run: `open_connections`, then `run`."""

    def __init__(
        self, options: Options, requests: Iterator[Request], sampler: Sampler | None, announce: Callable[[str], None]
    ) -> None:
        """Looks up every target. Raises TargetRefused."""
        self._options = options
        self._announce = announce
        self._fleet = Fleet(options)
        self._loop = Loop(options, requests, sampler, self._fleet)

    def stop(self) -> None:
        """Ends the run at the next tick with what it has; may be called from a signal handler."""
        self._loop.stopped = True

    def open_connections(self) -> None:
        """Opens every connection for which there is room; returns early when stopped. Raises TargetRefused."""
        for _ in self._fleet.open():
            if self._loop.stopped:
                return

    def run(self, begin_ns: int | None = None) -> Outcome:
        """Makes the load, from `begin_ns` on the monotonic clock on or at once.

        Returns when every measured call is answered or the grace after measuring is over.
        """
        options, loop = self._options, self._loop
        outcome = loop.outcome
        _make_timers_exact()
        # Connections live as long as the run: the collector need not walk through them.
        gc.collect()
        gc.freeze()
        if begin_ns is None:
            begin_ns = clock()
        loop.turn_until(begin_ns)
        outcome.begin_ns, outcome.begun_late_ns = begin_ns, clock() - begin_ns
        window = outcome.window = Window.after(begin_ns, options.warmup_s, options.duration_s)
        arrivals: Iterator[int] = iter(())
        if options.rate_rps is not None:
            sends = intended_sends(options.rate_rps, options.arrival, options.seed, begin_ns, window.end_ns)
            arrivals = options.shard.deal_arrivals(sends, options.connections)
            loop.count_from(window.start_ns)
        loop.begin(arrivals)
        loop.turn_until(window.start_ns)
        if not loop.stopped:
            loop.drop_late(window.start_ns)
            if options.streams is not None:
                # Else a service that stalls in warm-up would be known by its quick calls alone.
                loop.count_from(begin_ns)
            self._announce("measuring")
            before = resource.getrusage(resource.RUSAGE_SELF)
            loop.measuring = True
            loop.turn_until(window.end_ns)
            self._measured(before)
            self._announce("measured")
            grace_ns = round(min(options.timeout_s, MAX_GRACE_S) * NS_PER_S)
            loop.turn_until(window.end_ns + grace_ns, while_outstanding=True)
            self._announce("answered")
        return self._close_books()

    def _measured(self, before: resource.struct_rusage) -> None:
        """Takes down what is true of the moment when measuring ends."""
        loop, fleet = self._loop, self._fleet
        outcome = loop.outcome
        loop.sending = loop.measuring = False
        loop.end_arrivals()
        after = resource.getrusage(resource.RUSAGE_SELF)
        outcome.cpu_user_ns = round((after.ru_utime - before.ru_utime) * NS_PER_S)
        outcome.cpu_system_ns = round((after.ru_stime - before.ru_stime) * NS_PER_S)
        outcome.connections = fleet.ready
        outcome.in_flight = loop.in_flight
        loop.leave_out(fleet.unserved * (self._options.streams or 0))

    def _close_books(self) -> Outcome:
        outcome = self._loop.outcome
        if self._loop.stopped:
            outcome.interrupted = True
            start_ns, end_ns = outcome.window.start_ns, outcome.window.end_ns
            outcome.window = Window(start_ns, min(max(start_ns, clock()), end_ns))
        self._loop.close_books()
        self._fleet.close()
        outcome.pods, outcome.connections_lost = self._fleet.pods, self._fleet.lost
        return outcome


def _make_timers_exact() -> None:
    """Lets the kernel wake this thread when asked, not up to 50 us later to save power (proc_pid_timerslack_ns(5))."""
    try:
        Path("/proc/self/timerslack_ns").write_text("1", encoding="ascii")
    except OSError:
        return  # not allowed here: what it costs shows as lateness
