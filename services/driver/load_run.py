"""What one command line asks for, from its options to its result: opened once, loaded in slices, closed.

A run of the driver is one slice. Must not know who asks for slices, nor where the result goes.
"""

import resource
import select
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from services.driver.barrier import ShardStart
from services.driver.fleet import AddressRefused
from services.driver.load import LoadGenerator
from services.driver.loop import path
from services.driver.merge import join
from services.driver.options import Options
from services.driver.outcome import Outcome
from services.driver.plan import PlanError, read_plan
from services.driver.result import make_result, make_slice
from services.driver.tracing import TracedCall, record_spans, sampler
from services.telemetry import Tracing

AT_ONCE = ShardStart(begin_ns=None, uncertainty_ns=0)

# Besides connections: standard streams, epoll, the exporter's.
_OTHER_DESCRIPTORS = 32


class RunRefused(Exception):
    """Why the run cannot be made, in one line."""


REFUSALS = (RunRefused, PlanError, AddressRefused)
"""Errors that the user can correct: each is one line."""


class LoadRun:
    """`open`, then `slice` as often as wanted, then `close`; then there is a `result`."""

    def __init__(
        self,
        options: Options,
        announce: Callable[[str], None],
        *,
        checkpoint: Callable[[Outcome], None] = lambda _: None,
        epoll: select.epoll | None = None,
    ) -> None:
        """Reads the plan and looks up every address. Raises REFUSALS.

        `checkpoint` is that of LoadGenerator, `epoll` that of Fleet.
        """
        self._options = options
        self._plan = read_plan(options.plan)
        try:
            self._tracing = Tracing.from_environment("driver", model=None, trace_file=options.trace_file)
        except OSError as error:
            raise RunRefused(f"cannot write {error.filename}: {error.strerror}") from None
        _raise_descriptor_limit(options.shard.part(options.connections) + options.shard.part(options.idle))
        self._started_at = datetime.now(UTC)
        requests = self._plan.requests(options.seed, options.shard, options.connections)
        self._load = LoadGenerator(options, requests, sampler(options), announce, checkpoint=checkpoint, epoll=epoll)
        self._traced: list[TracedCall] = []
        self._results: list[dict[str, Any]] = []

    def stop(self) -> None:
        """Ends the slice at the next tick with what it has; may be called from a signal handler."""
        self._load.stop()

    def open(self) -> int:
        """Opens the connections. Returns how many are open. Raises AddressRefused, and then none is."""
        try:
            return self._load.open_connections()
        except AddressRefused:
            self._load.close()
            raise

    def slice(self, options: Options | None = None, start: ShardStart = AT_ONCE) -> dict[str, Any]:
        """Makes a slice; `options` where they differ from the run's. Returns its entry, as under `slices`."""
        outcome = self._load.run(start.begin_ns, options)
        self._traced += outcome.traced
        result = make_result(
            options or self._options,
            self._plan,
            self._started_at,
            outcome,
            clock_uncertainty_ns=start.uncertainty_ns,
        )
        self._results.append(result)
        return make_slice(outcome, result)

    def close(self) -> None:
        """Closes the connections and exports the spans, as an exporter would take time from the next slice."""
        self._load.close()
        if self._tracing is not None:
            record_spans(self._tracing, path(self._options.method), self._traced)
            self._tracing.close()

    def result(self) -> dict[str, Any]:
        """All slices, one or more, added up."""
        spans = None if self._tracing is None else asdict(self._tracing.counts)
        return join(self._results) | {"spans": spans}


def _raise_descriptor_limit(connections: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and connections + _OTHER_DESCRIPTORS > hard:
        raise RunRefused(f"{connections:,} connections need more than the {hard:,} open files allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
