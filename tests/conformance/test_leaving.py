"""Callers leave: the handler is notified and stops, and nothing of the call is left in the service or the backend."""

import os
import socket
import statistics
import struct
import time

import pytest
from sweetspot.v1 import workload_pb2

from services.__main__ import parse
from services.models import MODELS
from services.wire import Code
from services.workload.ledger import Sharing
from tests.conformance.conftest import Workload
from tests.conformance.test_workload import Call, Compute, Sleep
from tests.serving import Serving
from tests.wire_client import WireClient
from tools.claims.counting.answers import plan

RUN, RUN_STREAM = "/sweetspot.v1.Workload/Run", "/sweetspot.v1.Workload/RunStream"
ECHO = workload_pb2.RunRequest(payload=b"echo")
LONG_US, SHORT_US = 60_000_000, 50_000
"""Longer than a test waits, so that only a handler that was notified ends in time; and a time that a test can wait."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # socket(7), SO_LINGER


def is_told(service: Serving, *, computing: bool = False) -> bool:
    """Whether a handler is notified within 50 ms that its caller has left, while it waits or while it computes.

    It never is if the thread that reads the connection runs the handler, because that thread does not read then. If a
    loop runs the handler, the loop does not read while the handler computes: the handler is notified once it waits.
    """
    name, *options = service.start
    model = MODELS[name]
    sharing = model.sharing(parse((name, *options), {})[1])
    by_a_loop = sharing in (Sharing.LOOP, Sharing.LOOPS, Sharing.OWNERS) or "--loops" in options
    return model.at_once == "many calls" and not (computing and by_a_loop)


def nothing_in_flight(*services: Serving) -> None:
    for each in services:
        each.wait_until(lambda reply: reply.calls_in_flight == 0, "a call is left over")


@pytest.mark.parametrize("kind", ["call", "sleep"])
def test_a_handler_that_waits_is_told_of_a_cancellation(
    service: Serving, backend: Serving, workload: Workload, kind: str
) -> None:
    duration_us = LONG_US if is_told(service) else SHORT_US
    step = {"call": Call(delay_us=duration_us), "sleep": Sleep(duration_us=duration_us)}[kind]
    call = workload.run_stream(plan(compute=Compute(rounds=1), **{kind: step}))
    assert next(call).steps == 1, "its handler has begun"
    call.cancel()
    nothing_in_flight(service, backend)
    assert workload.run(ECHO, timeout=10).payload == b"echo"


def test_a_handler_that_computes_is_told_of_a_cancellation(service: Serving, workload: Workload) -> None:
    # 32 steps of 50,000 rounds are 60 ms of work, of 10,000,000 more than a test waits. A handler that is notified ends
    # within the short steps, and costs little.
    short, long = (workload_pb2.Step(compute=Compute(rounds=rounds)) for rounds in (50_000, 10_000_000))
    steps = [short] * 32 + [long if is_told(service, computing=True) else short] * 32
    with service.snapshots() as snapshot:
        assert snapshot().calls_in_flight == 0
        call = workload.run.future(workload_pb2.RunRequest(steps=steps))
        while snapshot().calls_in_flight == 0:
            assert not call.done(), "it ended before it was seen"
        call.cancel()
    nothing_in_flight(service)
    assert workload.run(ECHO, timeout=10).payload == b"echo"


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_client_that_vanishes_leaves_nothing_behind(service: Serving, backend: Serving, reset: bool) -> None:
    before = service.wait_until_in_flight(0)
    client = WireClient(service.address)
    delay_us = LONG_US if is_told(service) else SHORT_US
    asked = plan(compute=Compute(rounds=1), call=Call(delay_us=delay_us)).SerializeToString()
    for _ in range(3):
        client.session.start(RUN_STREAM, asked, streaming=True)
    client.wait_for(lambda: bool(client.received))  # a handler has begun
    if reset:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    client.sock.close()
    nothing_in_flight(service, backend)
    service.wait_until(lambda reply: reply.connections <= before.connections, "the connection is left over")


def test_no_handler_begins_once_its_deadline_has_passed(service: Serving) -> None:
    timeout_ns = 20_000_000
    if is_told(service, computing=True):  # others than the one who reads run the calls: as many as a pool may have
        blockers = min(16 * len(os.sched_getaffinity(0)) + 8, 70)
        step = workload_pb2.Step(block=workload_pb2.Block(duration_us=2 * timeout_ns // 1000))
    else:
        blockers, step = 1, workload_pb2.Step(compute=Compute(rounds=2_000_000))  # 80 ms, or more
    blocked = workload_pb2.RunRequest(steps=[step])
    with WireClient(service.address) as client:
        for _ in range(blockers):
            client.session.start(RUN, blocked.SerializeToString())
        calls = [client.session.start(RUN, b"", timeout_ns=timeout_ns) for _ in range(20)]
        client.wait_for(lambda: client.session.calls_in_flight == 0)
    codes = {call.code for call in calls}
    begun = [workload_pb2.RunReply.FromString(call.reply or b"") for call in calls if call.code is Code.OK]
    assert codes <= {Code.OK, Code.DEADLINE_EXCEEDED}
    # Where others than the reader run the calls, and no queue is between them, they may not have waited at all.
    at_once = is_told(service, computing=True) and MODELS[service.model].taxonomy.queue == "none"
    assert Code.DEADLINE_EXCEEDED in codes or at_once
    assert all(reply.queued_ns < timeout_ns for reply in begun)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["waits", "computes"])
def test_a_handler_is_told_within_50_ms_where_the_machine_does_nothing_else(service: Serving, kind: str) -> None:
    if not is_told(service, computing=kind == "computes"):
        pytest.skip(f"a handler of {service.model} that {kind} is not told: the docstring of `is_told` says why")
    step = {
        "waits": workload_pb2.Step(sleep=Sleep(duration_us=LONG_US)),
        "computes": workload_pb2.Step(compute=Compute(rounds=100_000)),
    }[kind]
    asked = workload_pb2.RunRequest(steps=[step] * 64).SerializeToString()
    told_s = []
    with WireClient(service.address) as client, service.snapshots() as snapshot:
        for _ in range(21):
            call = client.session.start(RUN, asked)
            client.flush()
            while snapshot().calls_in_flight == 0:
                pass
            client.session.cancel(call)
            client.flush()
            cancelled_s = time.monotonic()
            while snapshot().calls_in_flight:
                pass
            told_s.append(time.monotonic() - cancelled_s)
    # The lower quartile: what a busy machine adds is no matter of the model, and the looking costs some 5 ms.
    assert statistics.quantiles(told_s, n=4)[0] < 0.05, told_s
