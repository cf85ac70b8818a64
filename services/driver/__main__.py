"""`python -m services.driver`: reads what is asked, makes the load, keeps the result.

Prints `measuring` when warm-up ends, `measured` when measuring ends and `answered` when no call is waited for any more,
each on a line, then a table. Drivers that are shards of one run meet first, and begin together.
Exit status: 0; 2 for what a person can put right, in one line on stderr; 1 where the result could not be written to
`--out`, as on a full disk, and is on stdout; 130 when interrupted, with the result so far
kept. Must not know how any of it is done.
"""

import os
import resource
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from types import FrameType

from services.driver.barrier import BarrierError, Start, meet
from services.driver.fleet import TargetRefused
from services.driver.load import Load
from services.driver.loop import PATH
from services.driver.options import Options, parse
from services.driver.plan import PlanError, read_plan
from services.driver.result import UNWRITTEN, keep, make_result
from services.driver.summary import print_in_any_locale, summary
from services.driver.tracing import record_spans, sampler
from services.driver.whole import check_writable
from services.telemetry import Tracing
from services.telemetry.environment import RefusedVariableError, check

INTERRUPTED = 130

# Besides connections: standard streams, epoll, the exporter's.
_OTHER_DESCRIPTORS = 32


class _Refused(Exception):
    """What keeps the run from being made, in one line."""


def main(arguments: Sequence[str]) -> int:
    """Runs the driver. Returns the exit status."""
    print_in_any_locale()
    options = parse(arguments)
    try:
        check()
        return _run(options)
    except (RefusedVariableError, _Refused, PlanError, TargetRefused, BarrierError) as error:
        print(f"services.driver: {error}", file=sys.stderr)
        return 2


def _run(options: Options) -> int:
    plan = read_plan(options.plan)
    try:
        check_writable(options.out)
        tracing = Tracing.from_environment("driver", model=None, trace_file=options.trace_file)
    except OSError as error:
        raise _Refused(f"cannot write {error.filename}: {error.strerror}") from None
    _raise_descriptor_limit(options.shard.part(options.connections))
    started_at = datetime.now(UTC)
    load = Load(options, plan.requests(options.seed, options.shard), sampler(options), _say)
    _stop_on_signals(load)
    load.open_connections()
    start = Start(begin_ns=None, uncertainty_ns=0)
    if options.barrier is not None:
        start = meet(options.shard, options.barrier, options.barrier_timeout_s)
    outcome = load.run(start.begin_ns)
    if tracing is not None:
        record_spans(tracing, PATH, outcome.traced)
        tracing.close()
    result = make_result(
        options,
        plan,
        started_at,
        outcome,
        clock_uncertainty_ns=start.uncertainty_ns,
        spans=None if tracing is None else tracing.counts,
    )
    if not keep(options.out, result):
        return UNWRITTEN
    _say(summary(result))
    _say(f"result: {options.out}")
    return INTERRUPTED if outcome.interrupted else 0


def _raise_descriptor_limit(connections: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and connections + _OTHER_DESCRIPTORS > hard:
        raise _Refused(f"{connections:,} connections need more than the {hard:,} open files allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _stop_on_signals(load: Load) -> None:
    """The first SIGINT or SIGTERM ends the run with its result; a second one ends the process at once."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        load.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _say(text: str) -> None:
    """Prints at once: whoever started the driver acts on it."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Whoever read has gone; the result is still to be written (docs.python.org/3/library/signal.html).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
