"""`python -m services.driver`: reads the options, makes the load, writes the result.

Prints `measuring` when warm-up ends, `measured` when measuring ends and `answered` when no call is waited for any more,
each on a line, then a table. Drivers that are shards of one run meet first, and begin together. `--processes` makes
shards of this one.
Exit status: 0 for a result in `--out`. 2 for an error that a person can correct: it is one line on stderr. 1 if `--out`
could not be written, for example on a full disk: the result is then on stdout. 130 if interrupted: the result up to
then is written. Must not know how any of it is done.
"""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from services.driver import processes
from services.driver.atomic_file import check_writable
from services.driver.barrier import BarrierError, meet
from services.driver.load_run import AT_ONCE, REFUSALS, LoadRun, RunRefused
from services.driver.merge import VoidRun
from services.driver.options import OptionError, Options, parse
from services.driver.result import UNWRITTEN, write
from services.driver.summary import print_in_any_locale, summary
from services.telemetry.environment import RefusedVariableError, check

INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Runs the driver. Returns the exit status."""
    print_in_any_locale()
    try:
        options = parse(arguments)
        check()
        return _run(options)
    except (OptionError, RefusedVariableError, BarrierError, VoidRun, *REFUSALS) as error:
        print(f"services.driver: {error}", file=sys.stderr)
        return 2
    except processes.RunInterrupted as error:
        print(f"services.driver: {error}", file=sys.stderr)
        return INTERRUPTED


def _run(options: Options) -> int:
    try:
        check_writable(options.out)
    except OSError as error:
        raise RunRefused(f"cannot write {error.filename}: {error.strerror}") from None
    result = _make(options) if options.processes == 1 else processes.run(options, _show)
    if not write(options.out, result):
        return UNWRITTEN
    _show(summary(result))
    _show(f"result: {options.out}")
    return INTERRUPTED if result["interrupted"] else 0


def _make(options: Options) -> dict[str, Any]:
    run = LoadRun(options, _show)
    _stop_on_signals(run)
    run.open()
    start = AT_ONCE if options.barrier is None else meet(options.shard, options.barrier, options.barrier_timeout_s)
    run.slice(start=start)
    run.close()
    return run.result()


def _stop_on_signals(run: LoadRun) -> None:
    """The first SIGINT or SIGTERM ends the run with its result; a second one ends the process at once."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        run.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _show(text: str) -> None:
    """Prints at once: the program that started the driver acts on it."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The reader has gone; the result is still to be written (docs.python.org/3/library/signal.html).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
