"""The settings and the counters of each stage: cells of memory that all processes of a service share. Knows no queue.

stage     rate_per_s  queue_bound  batch  workers ...   depth  waited_ns  served  shed
admit              0         1000     64        1           7   81000000    5231    12
          '------------ settings ------------'         '------- counted, all processes -------'
          written by the control process               written by the stages' processes
"""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass

from sweetspot.v1 import control_pb2

from services.runtime.counters.shared_counters import Gauge, SharedCounters


@dataclass(frozen=True, slots=True)
class Range:
    """Whole numbers that a setting takes."""

    least: int
    most: int


SETTINGS = {
    "rate_per_s": Range(0, 1_000_000),
    "queue_bound": Range(1, 1_000_000),
    "batch": Range(1, 10_000),
    "workers": Range(1, 65_536),
    "bypass": Range(0, 1),
    "target_p90_ms": Range(0, 60_000),
    "most_workers": Range(0, 65_536),
    "most_batch": Range(0, 10_000),
}
"""Each setting of a stage, in the order of their cells. A rate of 0 is no limit."""


_FIXED = len(SETTINGS)
_CELLS = len(SETTINGS) + 1


class _SettingCell:
    """A setting as an attribute."""

    def __init__(self, key: str) -> None:
        self._at = list(SETTINGS).index(key)

    def __get__(self, settings: "Settings", _owner: object = None) -> int:
        value: int = settings.cells[self._at]
        return value


class Settings:
    """How a stage is to take from its queue. It reads them each time, because they change while it runs."""

    rate_per_s = _SettingCell("rate_per_s")
    """Calls that it may take in a second; 0 where there is no limit."""
    queue_bound = _SettingCell("queue_bound")
    """Calls that each stage before it may have waiting here."""
    batch = _SettingCell("batch")
    """Calls that it takes at once, at most."""
    workers = _SettingCell("workers")
    """Threads that run its batches; calls in flight, where it waits for others."""

    bypass = _SettingCell("bypass")
    """1 if the stage before it does its work instead."""

    target_p90_ms = _SettingCell("target_p90_ms")
    """Of the time in which nine of ten calls are to be answered: the rate is set accordingly; 0 where it is not."""
    most_workers = _SettingCell("most_workers")
    """Workers are added and removed as the queue grows and empties, up to so many; 0 where they are not."""
    most_batch = _SettingCell("most_batch")
    """The batch is made as small as it can be without serving less, from so many on; 0 where it is not."""

    def __init__(self, cells: memoryview) -> None:
        self.cells = cells

    def message(self) -> control_pb2.StageSettings:
        """All of them."""
        return control_pb2.StageSettings(**dict(zip(SETTINGS, self.cells, strict=False)))

    def set(self, key: str, value: int) -> None:
        """One writer at a time."""
        self.cells[list(SETTINGS).index(key)] = value

    def fix(self, *keys: str) -> None:
        """The stage does not have these settings: their values are fixed."""
        for key in keys:
            self.cells[_FIXED] |= 1 << list(SETTINGS).index(key)

    def check(self, key: str, value: int) -> None:
        """Raises ValueError for a value that the stage cannot have."""
        within = SETTINGS[key]
        if not within.least <= value <= within.most:
            raise ValueError(f"{key} is {value}, not within {within.least} to {within.most}")
        at = list(SETTINGS).index(key)
        if self.cells[_FIXED] >> at & 1 and value != self.cells[at]:
            raise ValueError(f"this stage has no setting `{key}`")


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage, as all processes see it."""

    name: str
    settings: Settings
    depth: Gauge
    """Events handed to it that it has not taken."""
    waited_ns: Gauge
    """Between the two, added up. A total, as are:"""
    served: Gauge
    """Events taken."""
    shed: Gauge
    """Calls rejected here for lack of room or of a token."""


class StageRows:
    """The rows of a service's stages, by name, in the order of a call's way. Made before any fork."""

    def __init__(self, names: Sequence[str], counters: SharedCounters) -> None:
        cells = memoryview(mmap.mmap(-1, (1 + len(names)) * _CELLS * 8)).cast("q")
        self.rows = {
            name: StageRow(
                name,
                Settings(cells[number * _CELLS : (number + 1) * _CELLS]),
                counters.gauge(),
                counters.total(),
                counters.total(),
                counters.total(),
            )
            for number, name in enumerate(names)
        }

    def depth(self) -> int:
        """Events that are handed on and not taken, of all stages."""
        return sum(row.depth.value() or 0 for row in self.rows.values())

    def has_full_queue(self) -> bool:
        """Whether some process has as many waiting in some stage as it may."""
        return any(row.depth.largest() >= row.settings.queue_bound for row in self.rows.values())
