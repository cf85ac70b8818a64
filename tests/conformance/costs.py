"""What an attack costs: measured in pairs of windows, without and with the attacker, and shown as a table.

Both windows of a pair are within two seconds of each other, so a machine that is slow for a minute is slow for both.
What is allowed beyond that is CPU time, so where others use the processors it takes longer.
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from services.models.process_per_connection import PROCESS_BYTES

TIMES = 2.0
"""How much longer others may wait: at the 99th percentile, in multiples of what they wait alone."""
NOISE_S = 0.025
"""Added to that, CPU time. A call waits for one message of the attacker, which zlib unpacks in one piece: 2.7 ms for
1 MB, 15 ms for 4 MiB and 3 ms to parse it. Then it waits for a turn of 1 ms each time that it comes back to the loop,
and for the interpreter lock, which threads hold for 5 ms. Of the time of a loop under such an attack (cProfile)
decompress takes 35 to 55 %, and send(2) 10 to 17 %."""
MOST_OTHERS = 0.9
"""Beyond that share a longer wait is not excused."""
ENOUGH = 3
"""So many pairs on one side decide: the majority of at most 5."""
MIB = 1024 * 1024
GROWTH_BYTES, REST_BYTES = 64 * MIB, 32 * MIB
"""By how much the service may grow during an attack, and may be larger than before once the attacker has left."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The p99 of an honest client's calls, without the attacker and with it."""

    alone_s: float
    beside_s: float
    others: float = 0.0
    """Share of the machine's processors that neither service nor clients used, but others, while the attacker ran."""

    @property
    def holds(self) -> bool:
        return self.beside_s <= TIMES * self.alone_s + NOISE_S / (1 - min(self.others, MOST_OTHERS))

    @property
    def ratio(self) -> float:
        return self.beside_s / self.alone_s


def is_decided(pairs: Iterable[Pair]) -> bool:
    """Whether one more pair cannot change the verdict."""
    held = [pair.holds for pair in pairs]
    return max(held.count(True), held.count(False)) >= ENOUGH


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one attack on one service."""

    start: str
    attack: str
    pairs: tuple[Pair, ...]
    grown_bytes: int
    rest_bytes: int
    processes: int = 0
    """That the service has by design, one for each connection of the attacker."""

    @property
    def holds(self) -> bool:
        held = sum(pair.holds for pair in self.pairs)
        grown_bytes = self.grown_bytes - self.processes * PROCESS_BYTES
        return held >= ENOUGH and grown_bytes <= GROWTH_BYTES and self.rest_bytes <= REST_BYTES

    def cells(self) -> tuple[str, ...]:
        """Of its row; each figure of time is a median over the pairs."""
        alone_s, beside_s, ratio, others = (
            statistics.median(getattr(pair, name) for pair in self.pairs)
            for name in ("alone_s", "beside_s", "ratio", "others")
        )
        return (
            self.start,
            self.attack,
            f"{alone_s * 1e3:.1f}",
            f"{beside_s * 1e3:.1f}",
            f"{ratio:.1f}",
            f"{others:.0%}",
            f"{sum(pair.holds for pair in self.pairs)} of {len(self.pairs)}",
            f"{self.grown_bytes / MIB:.0f}",
            f"{self.rest_bytes / MIB:.0f}",
            "" if self.holds else "too much",
        )


HEADER = ("model", "attack", "alone ms", "attacked ms", "ratio", "others", "pairs held", "grown MiB", "rest MiB", "")

RULE = (
    f"A pair holds up to {TIMES:g} x alone + {NOISE_S * 1e3:g} ms / (1 - others). {ENOUGH} pairs decide. "
    f"Growth up to {GROWTH_BYTES // MIB} MiB, rest up to {REST_BYTES // MIB} MiB."
)


def table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Lines: a header, and one for each row of cells."""
    rows = [HEADER, *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A hook of pytest: the table of all attacks of this session. Failed cells are in it."""
    reports = (report for key in ("passed", "failed") for report in terminalreporter.getreports(key))
    # As cells, because pytest-xdist passes plain values only.
    rows = [value for report in reports for name, value in report.user_properties if name == "cost"]
    if rows:
        terminalreporter.section("what an attack costs others: p99 of their calls, and the service's memory")
        for line in (*table(rows), RULE):
            terminalreporter.write_line(line)
