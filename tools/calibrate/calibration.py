"""A calibration: what the driver can do on one machine, stored as `calibration.json`.

Must not know how it is measured.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tools.busy_machine import BUSY_SHARE
from tools.environment import is_same_machine
from tools.results import BadResultsError, write_whole
from tools.status import one_line
from tools.units import count, duration

NAME = "calibration.json"


class CalibrationFigure(Struct, frozen=True, kw_only=True):
    """An estimate, with its 95 % interval over blocks; without one where there was one block."""

    value: float
    low: float | None
    high: float | None


class CalibrationPoint(Struct, frozen=True, kw_only=True):
    """The driver under one closed loop."""

    connections: int
    streams: int
    rate_rps: CalibrationFigure
    """The driver's ceiling: calls a second answered by the null server."""
    latency_ns: float
    """The driver's median."""
    null_latency_ns: float
    """The median of a client that encodes and decodes nothing. The rest is the driver's own."""

    @property
    def added_ns(self) -> float:
        """What the driver adds to the latency of a call."""
        return self.latency_ns - self.null_latency_ns

    @property
    def name(self) -> str:
        """As `10x1`."""
        return f"{self.connections}x{self.streams}"


class Calibration(Struct, frozen=True, kw_only=True):
    """What `calibration.json` holds."""

    version: Literal[1] = 1
    environment: Mapping[str, Any]
    """The machine, as `tools.environment.describe` gives it."""
    others_share: float
    """Share of the null server's processor that other processes took while it was measured."""
    points: tuple[CalibrationPoint, ...]

    @property
    def ceiling_rps(self) -> float:
        """The highest rate of all points."""
        return max(point.rate_rps.value for point in self.points)

    @property
    def added_ns(self) -> float:
        """What the driver adds to the latency of a single call: at the fewest connections and streams."""
        return min(self.points, key=lambda point: point.connections * point.streams).added_ns

    def is_of(self, environment: Mapping[str, Any]) -> bool:
        """Whether it is valid for that machine, with that processor for the driver."""
        is_same = is_same_machine(self.environment, environment)
        return is_same and self.environment.get("pinning") == environment.get("pinning")


def write(folder: Path, calibration: Calibration) -> None:
    """Raises BadResultsError."""
    text = msgspec.json.format(msgspec.json.encode(calibration), indent=1).decode()
    write_whole(folder / NAME, f"{text}\n")


def read(folder: Path) -> Calibration | None:
    """None where the folder has none. Raises BadResultsError for one that cannot be read."""
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Calibration)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadResultsError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadResultsError(f"{path}: not a calibration: {one_line(error)}: calibrate again") from error


def described(calibration: Calibration) -> str:
    """As `the driver makes at most 12,400 calls/s on this machine and adds 45 µs to the latency of a single call`."""
    ceiling, added = count(round(calibration.ceiling_rps)), duration(calibration.added_ns)
    return (
        f"the driver makes at most {ceiling} calls/s on this machine and adds {added} to the latency of a single call"
    )


def newest(results: Path, environment: Mapping[str, Any]) -> tuple[Path, Calibration] | None:
    """The newest calibration of that machine among the folders of results, made while it was quiet: the ceiling of a
    busy one is too low. Raises BadResultsError."""
    for folder in sorted(results.glob("calibration-*"), reverse=True):
        found = read(folder)
        if found is not None and found.is_of(environment) and found.others_share <= BUSY_SHARE:
            return folder, found
    return None
