"""A snapshot has what the kernel and the model count, and nothing that is not there."""

import os
import time

import pytest

from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.service import RUN_PATH, Service
from services.runtime.snapshot import snapshot
from tests.runtime.ends import Ends


@pytest.fixture
def service() -> Service:
    return Service("thread_pool", Config(), drain=Drain())


def test_it_counts_connections_and_calls(service: Service) -> None:
    busy, _idle = Ends(service.open_session(), service), service.open_session()
    busy.client.start(RUN_PATH.decode(), b"")
    busy.client.start(RUN_PATH.decode(), b"")
    busy.talk()
    reply = snapshot(service)
    assert (reply.model, reply.connections, reply.calls_in_flight) == ("thread_pool", 2, 2)


def test_a_model_without_queue_or_loop_reports_neither(service: Service) -> None:
    reply = snapshot(service)
    assert not reply.HasField("queue_depth")
    assert not reply.HasField("loop_lag_max_ns")


def test_an_empty_queue_is_not_an_absent_one(service: Service) -> None:
    service.queue.set(0)
    reply = snapshot(service)
    assert reply.HasField("queue_depth")
    assert reply.queue_depth == 0


def test_the_lag_is_that_since_the_last_snapshot(service: Service) -> None:
    service.loop_lag.note(7)
    assert [snapshot(service).loop_lag_max_ns for _ in range(2)] == [7, 0]


def test_the_difference_of_two_is_the_use_between_them(service: Service) -> None:
    before = snapshot(service)
    spent_ns = time.process_time_ns()
    while time.process_time_ns() - spent_ns < 50_000_000:
        os.getppid()
    after = snapshot(service)
    used_ns = after.cpu_user_ns + after.cpu_system_ns - before.cpu_user_ns - before.cpu_system_ns
    assert 50_000_000 <= used_ns < 1_000_000_000
    assert after.monotonic_ns > before.monotonic_ns
