"""Measures every subject in rounds, and then overloads each model once.

Each round measures every subject once: a machine that becomes slower during the bench affects all subjects alike. Every
measurement has a fresh server. The figures of an overload are ratios within one server's life, and need no rounds. Must
not know what the figures should be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench import generators, idle, overload, record
from tools.bench.generators import Timing
from tools.bench.goals import IDLE_CONNECTIONS, IDLE_SERVER, Measurement, Subject
from tools.bench.record import BenchRecord
from tools.bench.servers import serving
from tools.local import LocalError


@dataclass(frozen=True, slots=True)
class Bench:
    """How to measure, where to store the record, and what to notify."""

    rounds: int
    subjects: Sequence[Subject]
    overloaded: Sequence[Sequence[str]]
    """Models with their options."""
    timing: Timing
    server_cpu: int
    scratch: Path
    folder: Path
    notify: Callable[[str], None]
    """Called with a line for each measurement."""


def run(bench: Bench, kept: BenchRecord) -> None:
    """Fills the record and stores it after every measurement. A failed measurement is stored as a failure.

    Generators use the caller's processors. Raises BadResultsError.
    """
    if bench.subjects:
        _run_rounds(bench, kept)
    for start in bench.overloaded:
        label = f"overload, {' '.join(start)}"
        try:
            found = overload.measure(start, bench.server_cpu, bench.scratch)
        except LocalError as error:
            _failed(bench, kept, f"{label}: {error}")
        else:
            kept.overloads.append(found)
            bench.notify(f"{label}: {found.served_share:.0%} of {found.capacity_rps:,.0f} calls/s still served")
        record.write(bench.folder, kept)


def _run_rounds(bench: Bench, kept: BenchRecord) -> None:
    try:
        with serving(IDLE_SERVER, bench.server_cpu, bench.scratch) as server:
            kept.idle = idle.measure(server, IDLE_CONNECTIONS)
        bench.notify(f"idle connections on {IDLE_SERVER}: {kept.idle.rss_kib_per_connection:.1f} KiB each")
    except LocalError as error:
        _failed(bench, kept, f"idle connections: {error}")
    for number in range(1, bench.rounds + 1):
        for subject in bench.subjects:
            label = f"round {number}, {subject}"
            try:
                found = _measured(bench, number, subject)
            except LocalError as error:
                _failed(bench, kept, f"{label}: {error}")
            else:
                kept.measurements.append(found)
                bench.notify(
                    f"{label}: {found.rate_rps:,.0f} calls/s, server {found.server_cpu_us_per_call:.1f} us/call"
                )
            record.write(bench.folder, kept)


def _measured(bench: Bench, number: int, subject: Subject) -> Measurement:
    with serving(subject.server, bench.server_cpu, bench.scratch, subject.options) as server:
        return generators.measure(number, subject, server, bench.timing, bench.scratch)


def _failed(bench: Bench, kept: BenchRecord, why: str) -> None:
    kept.failures.append(why)
    bench.notify(f"not measured: {why}")
