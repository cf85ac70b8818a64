"""One client's abuse costs others little time and the service little memory, whatever the model.

An honest client on a connection of its own asks again and again, alone at first and then beside the attacker. Abuse
that has to be refused frame by frame is in tests/wire/test_abuse.py; this is what it does to everybody else.
"""

import signal
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sweetspot.v1 import control_pb2, workload_pb2

from services.wire import Code
from tests.attackers import ATTACKS, LARGE_ECHO, LARGE_STREAM, LARGE_UNKNOWN, SLOW_HANDSHAKES, STREAM
from tests.conformance.conftest import OWN_WIRE, STARTS, Certified, one_at_a_time
from tests.serving import Serving, serving
from tests.wire_client import WireClient

ROOT = Path(__file__).parents[2]
RUN = "/sweetspot.v1.Workload/Run"
ECHO = workload_pb2.RunRequest(payload=b"echo").SerializeToString()
THINKING_S = 0.003
"""Between two calls of the honest client: a stall then costs it as many calls as it costs a client that is late."""
WARM_UP_S, ALONE_S, BESIDE_S = 0.3, 1.0, 2.0
LOOK_S = 0.1
TIMES = 2.0
"""How much longer others may wait: at the 99th percentile, in multiples of what they wait alone."""
NOISE_S = 0.025
"""Added to that: a call waits for 1 to 4 turns of a loop, each up to one message of the attacker, which is not cut. Of
1 MB it takes 2 ms to unpack (zlib) and 2 to run and send, of 4 MiB 13 to unpack. And processes share two processors:
the attacker takes 2 % of one at most, and the honest client 8 %, so that neither is what a call waits for."""
MIB = 1024 * 1024
GROWTH_BYTES, REST_BYTES = 64 * MIB, 32 * MIB
"""By how much the service may grow during an attack, and may be larger than before once the attacker has left."""
LEAVING_S = 5.0

CELLS = [
    pytest.param(start, attack, id=f"{' '.join(start)}: {attack}")
    for start in STARTS
    if start[0] in OWN_WIRE and not one_at_a_time(start)
    for attack in ATTACKS
    if attack != SLOW_HANDSHAKES
]


@contextmanager
def attacked(service: Serving, attack: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.attackers", attack, service.address]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as attacker:
        try:
            assert attacker.stdout is not None
            assert attacker.stdout.readline() == "attacking\n"
            yield
            assert attacker.poll() in (None, -signal.SIGALRM), "the attacker failed"
        finally:
            attacker.kill()


@contextmanager
def watched(service: Serving) -> Iterator[list[control_pb2.SnapshotReply]]:
    """What the service's counters say, some times a second, whatever else waits for it."""
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


def p99_s(client: WireClient, duration_s: float) -> float:
    """Of the latencies of calls, one after the other, for so long."""
    latencies_s, until = [], time.monotonic() + duration_s
    while (begun := time.monotonic()) < until:
        assert client.call(RUN, ECHO).code is Code.OK
        latencies_s.append(time.monotonic() - begun)
        time.sleep(THINKING_S)
    return statistics.quantiles([*latencies_s, latencies_s[-1]], n=100)[-1]


def bear(service: Serving, attack: str, tls: ssl.SSLContext | None = None) -> None:
    """What one attack may do to a service that has an honest client, and no more."""
    with WireClient(service.address, tls) as client:
        with watched(service) as before:
            p99_s(client, WARM_UP_S)
            alone_s = p99_s(client, ALONE_S)
        with watched(service) as during, attacked(service, attack):
            beside_s = p99_s(client, BESIDE_S)
        had_bytes = before[-1].pss_bytes
        grown = max(reply.pss_bytes for reply in during) - had_bytes
        with service.snapshots() as snapshot:
            until = time.monotonic() + LEAVING_S
            while (rest := snapshot().pss_bytes - had_bytes) > REST_BYTES and time.monotonic() < until:
                time.sleep(LOOK_S)
    costs = f"p99 {alone_s * 1e3:.1f} -> {beside_s * 1e3:.1f} ms, {grown / MIB:.0f} MiB, then {rest / MIB:.0f} MiB"
    print(costs)
    assert (beside_s <= TIMES * alone_s + NOISE_S, grown <= GROWTH_BYTES, rest <= REST_BYTES) == (True,) * 3, costs


def test_what_an_attacker_asks_for_is_what_a_service_takes() -> None:
    with serving("reactor", "--interop") as service, WireClient(service.address) as client:
        assert client.call(RUN, LARGE_ECHO).code is Code.OK
        assert client.call(RUN, LARGE_UNKNOWN, timeout_ns=1_000_000).code is Code.DEADLINE_EXCEEDED
        assert client.call(STREAM.decode(), LARGE_STREAM, streaming=True).code is Code.OK
        assert len(client.received) == 64


@pytest.mark.soak
@pytest.mark.parametrize(("start", "attack"), CELLS)
def test_an_attack_costs_others_little(start: tuple[str, ...], attack: str) -> None:
    with serving(*start, "--interop") as service:
        bear(service, attack)


@pytest.mark.soak
@pytest.mark.parametrize("model", [name for name in OWN_WIRE if not one_at_a_time((name,))])
def test_slow_handshakes_cost_others_little(model: str, certified: Certified) -> None:
    files = [f"--tls-{name}={certified.folder / name}.pem" for name in ("cert", "key")]
    trust = ssl.create_default_context(cafile=certified.folder / "ca.pem")
    trust.set_alpn_protocols(["h2"])
    with serving(model, *files) as service:
        bear(service, SLOW_HANDSHAKES, trust)
