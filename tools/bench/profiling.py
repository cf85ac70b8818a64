"""Where the processor time of one side goes, by cProfile: what bounds a figure that was not reached.

cProfile runs in the process that is profiled, and sees only its main thread. This is all of the driver and of a model
with one loop, but only the accepting thread of a model of threads. It makes every call of a Python function slower, so
shares show where to look, and are not exact to a percent.
"""

import pstats
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tools.bench.driving import Timing, drive
from tools.bench.experiments import PLAN
from tools.clients.load import ProgramLoad
from tools.clients.programs import PROGRAMS
from tools.experiment import Arm, Experiment, Load, Point
from tools.local import LocalError, Programs, started
from tools.serving import LocalService, listening

DRIVER = "driver"
SHOWN = 15


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A function's own time, what it calls not included."""

    function: str
    seconds: float
    times_called: int


def profile(name: str, at: Point, duration_s: float, server_cpu: int, scratch: Path) -> Table:
    """Profiles a model under h2load, or the driver calling a reactor, as a table. Raises LocalError."""
    known = [*Programs().models(), DRIVER]
    if name not in known:
        raise LocalError(f"unknown model {name!r}; the models are {', '.join(known)}")
    out = scratch / "profile"
    profiler = (sys.executable, "-m", "cProfile", "-o", str(out))
    model = "reactor" if name == DRIVER else name
    interpreter = (sys.executable,) if name == DRIVER else profiler
    command = [*interpreter, "-m", "services", model, "--port=0"]
    with started(model, command, [server_cpu]) as process:
        service = listening(process)
        if name == DRIVER:
            flags = (f"--connections={at.connections}", f"--streams={at.streams}")
            result, _ = drive(flags, PLAN, service, Timing(0.0, duration_s), scratch, interpreter=profiler)
        else:
            result = _by_h2load(model, at, duration_s, service, scratch)
    calls, rate_rps = result["got"]["answered"], result["got"]["rate_rps"]
    return _table(f"{name} at {at.described}: {rate_rps:,.0f} calls/s, profiled (main thread)", rows(out), calls)


def _by_h2load(model: str, at: Point, duration_s: float, service: LocalService, scratch: Path) -> dict[str, Any]:
    load = Load(connections=(at.connections,), streams=(at.streams or 1,))
    asked = Experiment(title="", load=load, plan=PLAN, warmup_s=0, duration_s=duration_s, trace_ratio=0)
    made = ProgramLoad(PROGRAMS["h2load"], asked, Arm(model=model), at, service.address, cpus=(), scratch=scratch)
    made.slice(0)
    result = made.close()
    assert result is not None
    return result


def rows(path: Path) -> list[ProfileRow]:
    """What cProfile wrote, with the most expensive first."""
    # `stats` is documented only by use: (file, line, name) -> (primitive calls, calls, own time, total time, callers).
    raw = pstats.Stats(str(path)).stats  # type: ignore[attr-defined]
    found = [ProfileRow(_named(*function), figures[2], figures[1]) for function, figures in raw.items()]
    return sorted(found, key=lambda row: -row.seconds)


def _named(file: str, line: int, name: str) -> str:
    """Short enough for a line; a function of C has no file."""
    return name if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{line} {name}"


def _table(title: str, found: list[ProfileRow], calls: int) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("share", justify="right", min_width=5)
    table.add_column("us/call", justify="right", min_width=7)
    table.add_column("times/call", justify="right", min_width=10)
    table.add_column("function", no_wrap=True)
    total_s = sum(row.seconds for row in found)
    for row in found[:SHOWN]:
        table.add_row(
            f"{row.seconds / total_s:.1%}",
            f"{row.seconds * 1e6 / calls:.2f}",
            f"{row.times_called / calls:.2f}",
            row.function.replace("[", r"\["),
        )
    return table
