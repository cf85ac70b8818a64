"""Measures the driver and the null client in turn, close in time, against one null server.

Must not know where a calibration is stored, nor how it is shown.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from tools import local
from tools.calibrate.calibration import Calibration, CalibrationFigure, CalibrationPoint
from tools.calibrate.frames import PAYLOAD
from tools.calibrate.null_client import null_client
from tools.local import LocalError, Pinning, Programs, started
from tools.other_processes import OtherProcesses
from tools.scratch import scratch_folder
from tools.slices import SliceDriver, slice_driver
from tools.stats.interval import estimate
from tools.stats.series import BlockId, Series

POINTS = ((1, 1), (10, 1), (10, 10), (100, 1))
"""Connections, and calls at a time on each."""
BLOCKS = 8
WARMUP_S, DURATION_S = 0.1, 0.4
TIMEOUT_S = 10.0


def calibrate(
    programs: Programs, pinning: Pinning, environment: Mapping[str, Any], notify: Callable[[CalibrationPoint], None]
) -> Calibration:
    """The driver's ceiling and share, with the null server on the service's processor. Raises LocalError."""
    with (
        local.running_on(pinning.others),
        scratch_folder() as scratch,
        started("null server", programs.null_server, pinning.service) as server,
        slice_driver(programs) as driver,
    ):
        address = server.expect("listening on ", local.START_TIMEOUT_S)
        plan = scratch / "plan.yaml"
        plan.write_text(f"payload_bytes: {len(PAYLOAD)}\n", encoding="utf-8")
        others = OtherProcesses(sorted(pinning.service), len(pinning.service), [server.pid])
        points = []
        for connections, streams in POINTS:
            points.append(_point(driver, address, plan, others, connections=connections, streams=streams))
            notify(points[-1])
    return Calibration(environment=environment, others_share=others.share, points=tuple(points))


def _point(
    driver: SliceDriver, address: str, plan: Path, others: OtherProcesses, *, connections: int, streams: int
) -> CalibrationPoint:
    name = f"{connections}x{streams}"
    flags = (f"--address={address}", f"--connections={connections}", f"--streams={streams}", f"--plan={plan}")
    driver.open(name, flags)
    rates: dict[BlockId, float] = {}
    latencies, null_latencies = [], []
    try:
        with others, null_client(address, connections, streams) as client:
            for block in range(BLOCKS):
                made = driver.slice(name, warmup_s=WARMUP_S, duration_s=DURATION_S, seed=block, timeout_s=TIMEOUT_S)
                null = client.slice(WARMUP_S, DURATION_S)
                if not made["answered"] or not null:
                    raise LocalError(f"calibration at {name}: the null server answered no call in {DURATION_S} s")
                rates[BlockId(1, block)] = made["answered"] / DURATION_S
                latencies.append(made["latency_ns"]["p50"])
                null_latencies.append(median(null))
    except OSError as error:
        raise LocalError(f"calibration at {name}: {error}") from error
    driver.close(name)
    rate = estimate(Series("driver", rates))
    return CalibrationPoint(
        connections=connections,
        streams=streams,
        rate_rps=CalibrationFigure(value=rate.value, low=rate.low, high=rate.high),
        latency_ns=median(latencies),
        null_latency_ns=median(null_latencies),
    )
