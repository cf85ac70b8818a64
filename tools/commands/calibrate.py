"""`sweetspot calibrate`: what the driver can do on this machine, against a server that does next to nothing."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools import environment, local
from tools.busy_machine import words_for
from tools.calibrate import calibration
from tools.calibrate.calibration import Calibration, CalibrationFigure
from tools.calibrate.measure import POINTS, calibrate
from tools.local import Pinning, Programs
from tools.lock import locked
from tools.status import PlainError
from tools.units import count, duration


def execute(args: argparse.Namespace, console: Console, programs: Programs) -> int:
    """Raises PlainError on a machine with one processor, and LocalError."""
    pinning = Pinning.over(os.sched_getaffinity(0))
    if pinning is None:
        raise PlainError("calibrate needs 2 CPUs: on one CPU the null server would take CPU time from the driver")
    described = environment.describe(pinning, local.allow_open_files())
    console.print(f"Measuring the driver against a null server: {len(POINTS)} loads.", markup=False)
    with console.status("") as status:
        made = calibrate(programs, pinning, described, lambda point: status.update(f"measuring {point.name}"))
    folder = (args.results or Path("results")) / f"calibration-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with locked(folder):
        calibration.write(folder, made)
    console.print(_table(made))
    text = calibration.described(made)
    console.print(f"{text[0].upper()}{text[1:]}.", markup=False, soft_wrap=True)
    if busy := words_for(made.others_share):
        console.print(f"{busy[0].upper()}{busy[1:]}: calibrate again on a quiet machine.", markup=False)
    console.print(str(folder / calibration.NAME), markup=False, highlight=False, soft_wrap=True)
    return 0


def _table(made: Calibration) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("connections x calls", "ceiling, calls/s", "median", "driver's own"):
        table.add_column(heading, justify="right", no_wrap=True)
    for point in made.points:
        times = duration(point.latency_ns), duration(point.added_ns)
        table.add_row(f"{point.connections} x {point.streams}", _interval(point.rate_rps), *times)
    return table


def _interval(rate_rps: CalibrationFigure) -> str:
    """As `12,400 [12,100, 12,700]`."""
    value, *ends = (count(round(each)) for each in (rate_rps.value, rate_rps.low, rate_rps.high) if each is not None)
    return f"{value} \\[{', '.join(ends)}]" if ends else value
