import os
import random
import socket
import struct
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from time import monotonic_ns
from typing import Any

import pytest

from services.driver.accounts import Accounts
from services.driver.connection import Connection
from services.driver.fleet import AddressRefused
from services.driver.load import LoadGenerator
from services.driver.loop import DEALT_AT_ONCE, DriverLoop
from services.driver.plan import Request, make_plan
from services.driver.result import make_result
from services.driver.schedule_text import read_schedule
from services.driver.summary import summary
from services.driver.tracing import Sampler
from services.network.address import Address
from services.telemetry.labels import from_baggage
from services.wire import Code, Limits
from tests.driver.fake_service import BACKLOG, STALL_S, Act, FakeService
from tests.driver.runs import ECHO, EMPTY, options, result_of, run


def parts(accounts: Accounts) -> int:
    ends = (accounts.ok, accounts.by_status.total(), accounts.timed_out, accounts.not_sent, accounts.unfinished)
    return sum(ends)


@pytest.mark.parametrize(
    "kind", [{"streams": 3}, {"streams": None, "rate_rps": 1000.0, "arrival": "poisson", "duration_s": 0.6}]
)
def test_every_call_is_accounted_for_whatever_the_service_does(kind: dict[str, Any]) -> None:
    draw = random.Random(7)
    acts, weights = zip(
        (Act.REPLY, 60),
        (Act.REFUSE, 10),
        (Act.RESET, 10),
        (Act.IGNORE, 4),
        (Act.DROP, 1),
        (Act.GARBAGE, 1),
        strict=True,
    )
    service = FakeService(lambda _: draw.choices(acts, weights)[0])
    with service.running() as address:
        accounts = run(options(address, connections=3, **kind)).accounts
    assert parts(accounts) == accounts.planned
    assert accounts.ok > 0
    assert {Code.RESOURCE_EXHAUSTED, Code.INTERNAL, Code.UNAVAILABLE} <= set(accounts.by_status)
    assert accounts.timed_out > 0


def test_a_closed_loop_keeps_every_stream_of_every_connection_busy() -> None:
    service = FakeService(lambda _: Act.IGNORE)
    with service.running() as address:
        outcome = run(options(address, connections=3, streams=4, duration_s=0.05, timeout_s=0.1))
    assert (outcome.in_flight, outcome.accounts.planned) == (12, 12)


def test_a_closed_loop_starts_no_more_calls_than_the_service_allows() -> None:
    service = FakeService(lambda _: Act.IGNORE, Limits(max_concurrent_streams=3))
    with service.running() as address:
        outcome = run(options(address, connections=2, streams=10, duration_s=0.05, timeout_s=0.1))
    assert outcome.in_flight == 6


def test_a_call_that_hangs_from_the_warm_up_on_is_not_forgotten() -> None:
    service = FakeService(lambda number: Act.IGNORE if number == 0 else Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, connections=1, warmup_s=0.05, duration_s=0.1, timeout_s=0.6))
    assert outcome.accounts.timed_out == 1
    assert outcome.answered > 0


def test_a_driver_held_up_for_its_whole_run_books_no_call_that_it_sent_too_late() -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        load = LoadGenerator(options(address), repeat(EMPTY), None, print)
        load.open_connections()
        outcome = load.run(monotonic_ns() - 10**9)
    assert (outcome.accounts.planned, outcome.answered) == (0, 0)


def test_calls_of_the_warm_up_are_not_counted() -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, streams=None, rate_rps=200.0, warmup_s=0.2, duration_s=0.1))
    assert service.calls == 60
    assert outcome.accounts.ok == len(outcome.latencies) == 20


def test_an_open_loop_sends_as_many_calls_as_asked() -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        accounts = run(options(address, streams=None, rate_rps=500.0)).accounts
    assert (accounts.planned, accounts.ok) == (150, 150)


def test_an_open_loop_sends_what_its_schedule_says() -> None:
    with FakeService(lambda _: Act.REPLY).running() as address:
        schedule = read_schedule("burst:100+1000@0.05s/0.2s")
        asked = options(address, streams=None, schedule=schedule, warmup_s=0.2, duration_s=0.4)
        result = result_of(asked, ECHO)
    assert result["calls"]["planned"] == 2 * (50 + 15)
    assert result["asked"]["schedule"] == "burst:100+1000@0.05s/0.2s"
    assert "rate rps              325 " in summary(result)


def test_a_stall_of_the_service_shows_in_the_tail_of_an_open_loop() -> None:
    service = FakeService(lambda number: Act.STALL if number == 100 else Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, streams=None, rate_rps=200.0, duration_s=1.0, timeout_s=5.0))
    latencies = sorted(outcome.latencies)
    assert latencies[-2] > 0.9 * STALL_S * 1e9  # p99 of 200 calls
    assert sum(each > 0.1 * STALL_S * 1e9 for each in latencies) > 0.8 * STALL_S * 200
    assert latencies[100] < 0.1 * STALL_S * 1e9


def test_a_call_that_waits_for_a_stream_counts_from_its_intended_send() -> None:
    service = FakeService(lambda number: Act.STALL if number == 0 else Act.REPLY, Limits(max_concurrent_streams=1))
    with service.running() as address:
        asked = options(address, connections=1, streams=None, rate_rps=100.0, duration_s=0.2, timeout_s=5.0)
        outcome = run(asked)
    service_times = [late - lateness for late, lateness in zip(outcome.latencies, outcome.latenesses, strict=True)]
    assert outcome.accounts.ok == 20
    assert sum(each > 0.1e9 for each in outcome.latencies) >= 18
    assert sum(each > 0.1e9 for each in service_times) == 1


def test_a_deadline_counts_from_the_intended_send_and_ends_no_call() -> None:
    service = FakeService(lambda number: Act.STALL if number == 0 else Act.REPLY, Limits(max_concurrent_streams=1))
    with service.running() as address:
        asked = options(address, connections=1, streams=None, rate_rps=100.0, duration_s=0.6, timeout_s=5.0)
        outcome = run(replace(asked, deadline_s=0.05))
    assert outcome.accounts.ok == 60
    # Those sent in the first 0.25 s are answered after 0.3 s.
    assert sum(each <= 0.05e9 for each in outcome.latencies) <= 35
    assert 0 < outcome.within_deadline <= min(35, outcome.answered)


def test_after_the_grace_a_call_is_unfinished_or_if_it_found_no_stream_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.driver.load.MAX_GRACE_S", 0.05)
    service = FakeService(lambda _: Act.IGNORE, Limits(max_concurrent_streams=1))
    with service.running() as address:
        asked = options(address, connections=1, streams=None, rate_rps=100.0, duration_s=0.1, timeout_s=5.0)
        accounts = run(asked).accounts
    assert (accounts.planned, accounts.unfinished, accounts.not_sent) == (10, 1, 9)


def test_each_tenth_of_the_window_says_how_many_were_answered_in_it() -> None:
    service = FakeService(lambda number: Act.STALL if number == 0 else Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, connections=1, streams=1, duration_s=2 * STALL_S, timeout_s=5.0))
    assert outcome.in_flight_start == outcome.in_flight == 1
    assert outcome.answered_by_tenth[:4] == [0, 0, 0, 0]
    assert sum(outcome.answered_by_tenth) == outcome.answered > 0
    assert outcome.counted == service.calls


def test_a_lost_connection_is_unavailable_and_opened_again() -> None:
    service = FakeService(lambda number: Act.DROP if number == 0 else Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, connections=1, streams=5, duration_s=0.5))
    assert outcome.accounts.by_status == {Code.UNAVAILABLE: 5}
    assert (outcome.connections_lost, outcome.connections) == (1, 1)
    assert outcome.accounts.ok > 0


def test_calls_that_waited_on_a_lost_connection_are_sent_when_it_is_open_again() -> None:
    service = FakeService(lambda number: Act.DROP if number == 20 else Act.REPLY, Limits(max_concurrent_streams=1))
    with service.running() as address:
        accounts = run(options(address, streams=None, rate_rps=300.0, timeout_s=5.0)).accounts
    assert (accounts.ok, accounts.by_status[Code.UNAVAILABLE]) == (89, 1)


def test_the_calls_of_clients_that_are_turned_away_are_sent_by_no_other_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.driver.fleet._OPENING_TIMEOUT_NS", 300_000_000)
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address, socket.create_server(("127.0.0.1", 0)) as busy:
        addresses = (address, Address(*busy.getsockname()))
        accounts = run(options(*addresses, connections=4, streams=None, rate_rps=400.0)).accounts
    assert accounts.planned == accounts.ok + accounts.not_sent == 120
    assert accounts.not_sent >= 60  # on a busy machine the others may be late for some of theirs
    assert accounts.ok > 0


def test_calls_of_a_client_that_is_turned_away_leave_room_for_those_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.driver.fleet._OPENING_TIMEOUT_NS", 300_000_000)
    monkeypatch.setattr("services.driver.loop.WAITING_AT_MOST", 20)
    with FakeService(lambda _: Act.REPLY).running() as address, socket.create_server(("127.0.0.1", 0)) as busy:
        addresses = (address, Address(*busy.getsockname()))
        accounts = run(options(*addresses, streams=None, rate_rps=400.0, timeout_s=5.0)).accounts
    assert (accounts.planned, accounts.ok, accounts.not_sent) == (120, 60, 60)


def test_connections_are_dealt_to_the_addresses_in_turn() -> None:
    services = [FakeService(lambda _: Act.IGNORE) for _ in range(2)]
    with services[0].running() as first, services[1].running() as second:
        run(options(first, second, connections=3, streams=1, duration_s=0.05, timeout_s=0.1))
    assert [service.calls for service in services] == [2, 1]


def test_many_connections_are_opened_without_overflowing_the_backlog() -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        asked = options(address, connections=5 * BACKLOG, streams=1)
        load = LoadGenerator(asked, repeat(EMPTY), None, print)
        load.open_connections()
        sent_again = [segments_sent_again(fd) for fd in load._fleet.by_fd]
        outcome = load.run()
    assert outcome.connections == 5 * BACKLOG
    assert sent_again == [0] * (5 * BACKLOG)  # a handshake that finds no room is tried again, a second later


def segments_sent_again(fd: int) -> int:
    """tcpi_total_retrans of struct tcp_info (linux/tcp.h), the handshake's included."""
    with socket.socket(fileno=os.dup(fd)) as connection:
        (count,) = struct.unpack_from("I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 100)
    assert isinstance(count, int)
    return count


def test_clients_that_a_service_has_no_room_for_are_in_the_books(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.driver.fleet._OPENING_TIMEOUT_NS", 300_000_000)
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address, socket.create_server(("127.0.0.1", 0)) as busy:
        outcome = run(options(address, Address(*busy.getsockname()), connections=6, streams=2))
    assert outcome.connections == 3
    assert outcome.accounts.ok > 0
    assert outcome.accounts.not_sent == 3 * 2
    assert parts(outcome.accounts) == outcome.accounts.planned


def test_a_connection_that_is_closed_before_the_run_is_unserved_and_does_not_refuse_the_run() -> None:
    service = FakeService(lambda _: Act.REPLY, room=2)
    with service.running() as address:
        load = LoadGenerator(options(address, connections=4), repeat(EMPTY), None, print)
        assert load.open_connections() == 2
        outcome = load.run()
        assert outcome.accounts.not_sent == 2 * 2
        service.room = 4
        outcome = load.run(options=options(address, connections=4, duration_s=1.2))  # the pause grows to 1 s
        load.close()
    assert (outcome.connections, outcome.accounts.not_sent) == (4, 0)
    assert outcome.clients["unserved_at_start"] == 2


def test_an_address_that_takes_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.driver.fleet._FIRST_READY_TIMEOUT_NS", 300_000_000)
    with (
        socket.create_server(("127.0.0.1", 0)) as busy,
        pytest.raises(AddressRefused, match="no HTTP/2 settings"),
    ):
        run(options(Address(*busy.getsockname()), connections=2))


def test_an_address_that_speaks_something_else_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(AddressRefused, match="does not speak HTTP/2"):
            run(options(Address(*listener.getsockname()), connections=1))
        thread.join()


def test_replies_are_sampled_for_what_served_them_and_what_they_computed() -> None:
    service = FakeService(lambda number: Act.GARBAGE if number == 0 else Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, connections=1, streams=1))
    assert outcome.checksums["unreadable"] == 1
    assert outcome.checksums["5"] == outcome.served_by["here/7/w"] == (outcome.accounts.ok - 1) // 64


def test_only_sampled_calls_carry_a_traceparent_and_each_is_recorded() -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, trace_ratio=0.2))
    assert 0 < len(service.traceparents) < outcome.accounts.planned / 2
    assert service.traceparents == {call.trace.traceparent for call in outcome.traced}


def test_a_traced_call_says_which_run_it_belongs_to() -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, trace_ratio=1.0, duration_s=0.05, run="nightly", trial="t", model="m"))
    assert from_baggage(outcome.traced[0].trace.baggage) == {
        "sweetspot.run": "nightly",
        "sweetspot.trial": "t",
        "sweetspot.model": "m",
        "sweetspot.connections": 2,
        "sweetspot.shard": 0,
    }


def test_the_marks_are_announced_in_order() -> None:
    announced: list[str] = []
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        run(options(address, warmup_s=0.05, duration_s=0.05), announced=announced)
    assert announced == ["measuring", "measured", "answered"]


@pytest.mark.parametrize("warmup_s", [0.0, 60.0])
def test_a_run_stopped_before_it_measured_has_measured_nothing(warmup_s: float) -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        load = LoadGenerator(options(address, warmup_s=warmup_s, duration_s=60.0), repeat(EMPTY), None, print)
        load.open_connections()
        load.stop()
        outcome = load.run()
    assert outcome.interrupted
    assert outcome.accounts.ok == 0
    assert outcome.window.end_ns - outcome.window.start_ns < 1e9


def test_every_measured_call_of_a_closed_loop_may_be_traced_whenever_it_was_sent() -> None:
    # Of four calls two are in flight when measuring begins, and time out; one of them is as slow as any can be.
    service = FakeService(lambda number: Act.IGNORE if number < 2 else Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, trace_ratio=1.0, warmup_s=0.05, timeout_s=0.12))
    accounts = outcome.accounts
    measured = [call for call in outcome.traced if call.measured]
    assert accounts.timed_out == 2
    assert len(measured) == accounts.planned - accounts.not_sent
    assert sum(call.code is Code.DEADLINE_EXCEEDED for call in measured) == accounts.timed_out


def test_a_call_that_is_unfinished_in_the_end_is_traced_like_any_other() -> None:
    service = FakeService(lambda number: Act.IGNORE if number % 2 else Act.REPLY)
    with service.running() as address:
        load = LoadGenerator(
            options(address, duration_s=0.05, timeout_s=60.0), repeat(EMPTY), Sampler(1.0, 1), lambda _: None
        )
        load.open_connections()
        threading.Timer(0.2, load.stop).start()
        outcome = load.run()
    measured = [call for call in outcome.traced if call.measured]
    assert outcome.accounts.unfinished > 0
    assert len(measured) == outcome.accounts.planned - outcome.accounts.not_sent
    assert sum(call.code is None for call in measured) == outcome.accounts.unfinished


@pytest.mark.parametrize("kind", [{"streams": 2}, {"streams": None, "rate_rps": 500.0}])
def test_a_traced_call_has_its_root_span_even_where_it_is_not_measured(kind: dict[str, Any]) -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, trace_ratio=1.0, warmup_s=0.1, duration_s=0.1, **kind))
    assert service.traceparents == {call.trace.traceparent for call in outcome.traced}
    assert sum(call.measured for call in outcome.traced) == outcome.accounts.planned


def test_a_rate_that_no_driver_reaches_leaves_time_to_read_and_is_booked_to_the_last_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.driver.loop.WAITING_AT_MOST", 1000)
    dealt: Counter[int] = Counter()
    rounds = 0
    has_read = True
    plan, send_due, take = DriverLoop._plan, DriverLoop._send_due, DriverLoop._take

    def count(loop: DriverLoop, client: Connection, intended_ns: int, request: Request) -> bool:
        dealt[rounds] += loop.sending  # what is late when measuring ends is planned at once
        return plan(loop, client, intended_ns, request)

    def read(loop: DriverLoop, timeout_s: float) -> int:
        nonlocal has_read
        has_read = True
        return take(loop, timeout_s)

    def begin_round(loop: DriverLoop, now_ns: int) -> None:
        nonlocal rounds, has_read
        assert has_read
        has_read = False
        rounds += 1
        send_due(loop, now_ns)
        assert sum(len(connection.waiting) for connection in loop._fleet.connections) <= 1000

    monkeypatch.setattr(DriverLoop, "_plan", count)
    monkeypatch.setattr(DriverLoop, "_send_due", begin_round)
    monkeypatch.setattr(DriverLoop, "_take", read)
    with FakeService(lambda _: Act.REPLY).running() as address:
        asked = options(address, streams=None, rate_rps=1e6, warmup_s=0.02, duration_s=0.2, timeout_s=60.0)
        outcome = run(asked)
    accounts = outcome.accounts
    assert accounts.planned == parts(accounts) == 200_000
    assert accounts.ok == accounts.planned - accounts.not_sent, "a call that was sent has no answer"
    assert accounts.not_sent > 100_000
    assert max(dealt.values(), default=0) <= DEALT_AT_ONCE
    assert "asked 1,000,000 calls/s, answered " in summary(
        make_result(asked, make_plan(None), datetime.now(UTC), outcome)
    )
