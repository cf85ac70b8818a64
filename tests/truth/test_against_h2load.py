"""The driver beside h2load, in turn against one server: the same latencies, and as high a rate from one processor."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import geometric_mean, quantiles

import pytest

from tests.truth.figures import Figures
from tools.bench import servers
from tools.bench.servers import Server, serving
from tools.local import Pinning, Programs, started
from tools.slices import SliceDriver, slice_driver

pytestmark = [pytest.mark.truth, pytest.mark.timeout(1800)]

WARMUP_S, SLICE_S = 0.2, 1.0
RATE_AT_LEAST = 0.95


@dataclass(slots=True)
class Ratios:
    """Driver / h2load, one of each pair."""

    rate: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    added_us: list[float] = field(default_factory=list)
    """Median of the driver less that of h2load."""


def by_h2load(server: Server, connections: int, streams: int, scratch: Path) -> list[float]:
    """Latencies of the window, in microseconds."""
    body, log = scratch / "body", scratch / "h2load.log"
    body.write_bytes(servers.FRAME)
    log.unlink(missing_ok=True)
    command = [servers.h2load(), f"--clients={connections}", f"--max-concurrent-streams={streams}"]
    command += [f"--warm-up-time={round(WARMUP_S * 1000)}ms", f"--duration={round(SLICE_S * 1000)}ms"]
    command += [f"--data={body}", "--header=content-type: application/grpc", "--header=te: trailers"]
    with started("h2load", [*command, f"--log-file={log}", f"http://{server.address}{servers.PATH}"]) as process:
        process.finish(30)
    rows = [tuple(map(int, line.split("\t")[:3])) for line in log.read_text().splitlines()]
    # The log has the warm-up too: the window is what ends last.
    end_us = max(start + took for start, _, took in rows)
    return [took for start, _, took in rows if start + took > end_us - SLICE_S * 1e6]


def compare(driver: SliceDriver, server: Server, loop: tuple[int, int], scratch: Path, pairs: int) -> Ratios:
    connections, streams = loop
    name, plan, found = f"{connections}x{streams}", scratch / "plan.yaml", Ratios()
    plan.write_text(f"payload_bytes: {len(servers.REQUEST.payload)}\n")
    flags = (f"--address={server.address}", f"--connections={connections}", f"--streams={streams}", f"--plan={plan}")
    driver.open(name, flags)
    for number in range(pairs):
        made = driver.slice(name, warmup_s=WARMUP_S, duration_s=SLICE_S, seed=number, timeout_s=10)
        theirs = by_h2load(server, connections, streams, scratch)
        cuts = quantiles(theirs, n=100)
        found.rate.append(made["answered"] / len(theirs))
        found.p50.append(made["latency_ns"]["p50"] / 1000 / cuts[49])
        found.p99.append(made["latency_ns"]["p99"] / 1000 / cuts[98])
        found.added_us.append(made["latency_ns"]["p50"] / 1000 - cuts[49])
    driver.close(name)
    return found


def apart(ratios: Sequence[float]) -> float:
    return abs(geometric_mean(ratios) - 1)


def test_the_driver_agrees_with_h2load(tmp_path: Path, pinning: Pinning, figures: Figures, comparisons: int) -> None:
    for missing in (name for name in ("ghz", "fortio", "k6") if shutil.which(name) is None):
        figures.note(f"{missing} is not installed: the driver is not compared with it")
    with serving("reactor", min(pinning.service), tmp_path) as server, slice_driver(Programs()) as driver:
        alone = compare(driver, server, (1, 1), tmp_path, comparisons)
        figures.note(f"1 x 1: the driver's median is {sum(alone.added_us) / comparisons:.0f} us above that of h2load")
        for loop in ((10, 1), (10, 10)):
            found, name = compare(driver, server, loop, tmp_path, comparisons), "{} x {}".format(*loop)
            p50, p99 = apart(found.p50), apart(found.p99)
            figures.check(f"medians at {name}, driver beside h2load", f"{p50:.1%} apart", "5 %", reached=p50 <= 0.05)
            figures.check(f"p99 at {name}, driver beside h2load", f"{p99:.1%} apart", "15 %", reached=p99 <= 0.15)
    rate = geometric_mean(found.rate)
    figures.check("rate at 10 x 10, driver / h2load", f"{rate:.2f}", ">= 0.95", reached=rate >= RATE_AT_LEAST)
