"""One client's abuse costs others little time and the service little memory, whatever the model.

An honest client on a connection of its own calls again and again, in turns without the attacker and beside it. The
abuse that a session rejects frame by frame is in tests/wire/test_abuse.py; these tests measure what it costs others.
"""

import os
import signal
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sweetspot.v1 import control_pb2, workload_pb2

from services.wire import Code
from tests.attackers import (
    ATTACKS,
    IDLE_CONNECTIONS,
    LARGE_ECHO,
    LARGE_STREAM,
    LARGE_UNKNOWN,
    MANY_PEERS,
    PEERS,
    SLOW_HANDSHAKES,
    STREAM,
)
from tests.conformance.conftest import OWN_WIRE, STARTS, Certified, one_at_a_time
from tests.conformance.costs import MIB, REST_BYTES, Cost, Pair, is_decided, table
from tests.serving import Serving, serving
from tests.wire_client import WireClient

ROOT = Path(__file__).parents[2]
Record = Callable[[str, object], None]
"""Stores a value in the test's report, as pytest's `record_property` does."""
RUN = "/sweetspot.v1.Workload/Run"
ECHO = workload_pb2.RunRequest(payload=b"echo").SerializeToString()
THINKING_S = 0.003
"""Between two calls of the honest client: a stall then costs it as many calls as it costs a client that is late."""
WARM_UP_S, WINDOW_S = 0.3, 0.7
LOOK_S = 0.1
LEAVING_S = 5.0
"""Time for a service to end the work of an attacker that has left."""

CELLS = [
    pytest.param(start, attack, id=f"{' '.join(start)}: {attack}")
    for start in STARTS
    if start[0] in OWN_WIRE and not one_at_a_time(start)
    for attack in ATTACKS
    if attack != SLOW_HANDSHAKES
]


@contextmanager
def attacked(service: Serving, attack: str) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-m", "tests.attackers", attack, service.address]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as attacker:
        try:
            assert attacker.stdout is not None
            assert attacker.stdout.readline() == "attacking\n"
            yield attacker
            assert attacker.poll() in (None, -signal.SIGALRM), "the attacker failed"
        finally:
            attacker.kill()


@contextmanager
def watched(service: Serving) -> Iterator[list[control_pb2.SnapshotReply]]:
    """The service's counters, read every LOOK_S, whatever else waits for the service."""
    seen: list[control_pb2.SnapshotReply] = []
    over = threading.Event()

    def watch() -> None:
        with service.snapshots() as snapshot:
            while not over.wait(LOOK_S):
                seen.append(snapshot())

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield seen
        finally:
            over.set()
        watching.result()


@contextmanager
def others_share(service: Serving, attacker: int) -> Iterator[Callable[[], float]]:
    """What returns, after the block, the share of all processors that other processes used in it."""
    with service.snapshots() as snapshot:

        def look() -> tuple[int, int, control_pb2.SnapshotReply]:
            reply = snapshot()
            ours_ns = reply.cpu_user_ns + reply.cpu_system_ns + time.process_time_ns() + cpu_ns(attacker)
            return reply.monotonic_ns, reply.node.busy_ns - ours_ns, reply

        looks = [look()]
        yield lambda: (looks[1][1] - looks[0][1]) / (looks[1][0] - looks[0][0]) / looks[0][2].node.cpus
        looks.append(look())


def cpu_ns(pid: int) -> int:
    """CPU time of a process (proc(5), stat: fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 10**9 // os.sysconf("SC_CLK_TCK")


def p99_s(client: WireClient, duration_s: float) -> float:
    """Of the latencies of calls, one after the other, for so long."""
    latencies_s, until = [], time.monotonic() + duration_s
    while (begun := time.monotonic()) < until:
        assert client.call(RUN, ECHO).code is Code.OK
        latencies_s.append(time.monotonic() - begun)
        time.sleep(THINKING_S)
    return statistics.quantiles([*latencies_s, latencies_s[-1]], n=100)[-1]


def bear(service: Serving, attack: str, record: Record, tls: ssl.SSLContext | None = None) -> None:
    """Asserts that one attack costs a service with an honest client no more than it may."""
    pairs: list[Pair] = []
    with WireClient(service.address, tls) as client, watched(service) as seen:
        warm_up(service, client)
        had_bytes = seen[-1].pss_bytes
        while not is_decided(pairs):
            alone_s = p99_s(client, WINDOW_S)
            with attacked(service, attack) as attacker, others_share(service, attacker.pid) as others:
                beside_s = p99_s(client, WINDOW_S)
            pairs.append(Pair(alone_s, beside_s, others()))
            rest_bytes = wait_until_left(service, had_bytes)
        grown_bytes = max(reply.pss_bytes for reply in seen) - had_bytes
    shown = " ".join(option for option in service.start if not option.startswith(("--interop", "--tls")))
    processes = PEERS if service.runs_in == "one a connection" and attack in MANY_PEERS else 0
    cost = Cost(shown, attack, tuple(pairs), grown_bytes, rest_bytes, processes)
    record("cost", cost.cells())
    assert cost.holds, "\n".join(table([cost.cells()]))


def warm_up(service: Serving, client: WireClient) -> None:
    """Has each worker process serve a connection. For its first one a process takes 1 MiB, and does not free it."""
    if service.runs_in == "workers":
        with attacked(service, IDLE_CONNECTIONS):
            p99_s(client, WARM_UP_S)
        wait_until_left(service, sys.maxsize)
    p99_s(client, WARM_UP_S)


def wait_until_left(service: Serving, had_bytes: int) -> int:
    """Until an attacker that has left has no connection and no call there; how much larger the service is then."""
    with service.snapshots() as snapshot:
        until = time.monotonic() + LEAVING_S
        while time.monotonic() < until:
            reply = snapshot()
            rest_bytes = reply.pss_bytes - had_bytes
            if reply.connections <= 1 and reply.calls_in_flight <= 1 and rest_bytes <= REST_BYTES:
                break
            time.sleep(LOOK_S)
    return rest_bytes


HELD, MISSED = Pair(0.010, 0.020), Pair(0.010, 0.060)


@pytest.mark.parametrize(
    ("pairs", "holds"),
    [
        ([HELD] * 3, True),
        ([MISSED, HELD, HELD, MISSED, HELD], True),  # a slow window of the machine
        ([MISSED] * 3, False),
        ([HELD, MISSED, HELD, MISSED, MISSED], False),
    ],
)
def test_most_pairs_of_windows_decide(pairs: list[Pair], holds: bool) -> None:
    assert [is_decided(pairs[:count]) for count in range(len(pairs) + 1)] == [False] * len(pairs) + [True]
    assert Cost("model", "attack", tuple(pairs), 0, 0).holds == holds


@pytest.mark.parametrize(
    ("beside_s", "others", "holds"), [(0.045, 0, True), (0.046, 0, False), (0.07, 0.5, True), (0.271, 0.95, False)]
)
def test_a_call_may_take_longer_where_others_use_the_processors(beside_s: float, others: float, holds: bool) -> None:
    assert Pair(0.010, beside_s, others).holds == holds


@pytest.mark.parametrize(
    ("grown", "rest", "processes", "holds"),
    [(64, 32, 0, True), (65, 0, 0, False), (64, 33, 0, False), (94, 0, 10, True), (95, 0, 10, False)],
)
def test_memory_decides_too(grown: int, rest: int, processes: int, holds: bool) -> None:
    assert Cost("model", "attack", (HELD,) * 3, grown * MIB, rest * MIB, processes).holds == holds


def test_what_an_attacker_asks_for_is_what_a_service_takes() -> None:
    with serving("reactor", "--interop") as service, WireClient(service.address) as client:
        assert client.call(RUN, LARGE_ECHO).code is Code.OK
        assert client.call(RUN, LARGE_UNKNOWN, timeout_ns=1_000_000).code is Code.DEADLINE_EXCEEDED
        assert client.call(STREAM.decode(), LARGE_STREAM, streaming=True).code is Code.OK
        assert len(client.received) == 64


@pytest.mark.soak
@pytest.mark.parametrize(("start", "attack"), CELLS)
def test_an_attack_costs_others_little(start: tuple[str, ...], attack: str, record_property: Record) -> None:
    with serving(*start, "--interop") as service:
        bear(service, attack, record_property)


@pytest.mark.soak
@pytest.mark.parametrize("model", [name for name in OWN_WIRE if not one_at_a_time((name,))])
def test_slow_handshakes_cost_others_little(model: str, certified: Certified, record_property: Record) -> None:
    files = [f"--tls-{name}={certified.folder / name}.pem" for name in ("cert", "key")]
    trust = ssl.create_default_context(cafile=certified.folder / "ca.pem")
    trust.set_alpn_protocols(["h2"])
    with serving(model, *files) as service:
        bear(service, SLOW_HANDSHAKES, record_property, trust)
