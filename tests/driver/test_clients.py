"""What each client got: served or turned away, how evenly, and how long one waited."""

import re
import socket
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.driver import clients
from services.driver.clients import Client
from services.driver.plan import make_plan
from services.driver.result import schema
from services.driver.summary import summary
from services.network.address import Address
from tests.driver.fake_service import STALL_S, Act, FakeService
from tests.driver.runs import options, result_of

LOOPS: list[dict[str, Any]] = [{"streams": 2}, {"streams": None, "rate_rps": 400.0}]
IDLE = {"asked": 0, "open": 0}


def client(planned: int, answered: int, wait_ns: int = 0) -> Client:
    made = Client()
    made.planned, made.answered, made.longest_wait_ns = planned, answered, wait_ns
    made.end_slice()
    return made


@pytest.mark.parametrize("loop", LOOPS)
def test_clients_that_are_turned_away_are_counted_and_wait_for_the_whole_window(
    loop: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.driver.fleet._OPENING_TIMEOUT_NS", 300_000_000)
    with FakeService(lambda _: Act.REPLY).running() as address, socket.create_server(("127.0.0.1", 0)) as busy:
        result = result_of(options(address, Address(*busy.getsockname()), connections=4, **loop), make_plan(None))
    jsonschema.validate(result, schema())
    found = result["clients"]
    assert (found["asked"], found["served"], found["unserved_at_start"], found["answered_least"]) == (4, 2, 2, 0)
    assert found["answered"] == result["calls"]["ok"]
    assert found["calls_of_unserved"] == result["calls"]["not_sent"]
    assert found["jain"] == pytest.approx(0.5, rel=0.02)
    assert 0.9 * 0.3e9 < found["longest_wait_ns"] <= 0.3e9


@pytest.mark.parametrize("loop", LOOPS)
def test_where_all_are_served_alike_the_index_is_1_and_the_longest_wait_is_a_stall(loop: dict[str, Any]) -> None:
    service = FakeService(lambda number: Act.STALL if number == 50 else Act.REPLY)
    with service.running() as address:
        result = result_of(options(address, duration_s=1.0, timeout_s=5.0, **loop), make_plan(None))
    found = result["clients"]
    assert (found["asked"], found["served"]) == (2, 2)
    assert found["jain"] > 0.95
    assert STALL_S * 1e9 <= found["longest_wait_ns"] < 0.9e9


def test_a_client_that_gets_only_errors_waits_and_is_not_served() -> None:
    with FakeService(lambda _: Act.REFUSE).running() as address:
        found = result_of(options(address), make_plan(None))["clients"]
    assert (found["asked"], found["served"], found["answered_most"], found["jain"]) == (2, 0, 0, None)
    assert found["longest_wait_ns"] > 0.9 * 0.3e9


def test_a_client_without_a_call_to_send_is_not_asked() -> None:
    with FakeService(lambda _: Act.REPLY).running() as address:
        asked = options(address, connections=20, streams=None, rate_rps=50.0, duration_s=0.2)
        found = result_of(asked, make_plan(None))["clients"]
    assert (found["asked"], found["served"], found["jain"]) == (10, 10, 1.0)


def test_a_client_that_is_lost_has_calls_not_sent_and_is_unserved_until_the_end() -> None:
    def lose_two(number: int) -> Act:
        if number < 20:
            return Act.REPLY
        service.room = 2
        return Act.DROP if service.connections > 2 else Act.REPLY

    service = FakeService(lose_two)
    with service.running() as address:
        result = result_of(options(address, connections=4, streams=1), make_plan(None))
    found, calls = result["clients"], result["calls"]
    assert (found["asked"], found["served"], found["unserved_at_start"]) == (4, 2, 0)
    assert (calls["by_status"], calls["not_sent"]) == ({"UNAVAILABLE": 2}, 2)
    assert calls["planned"] - calls["ok"] == found["calls_of_unserved"] == 4
    assert found["longest_wait_ns"] > 0.1e9


@pytest.mark.parametrize(
    ("answered", "jain"),
    [([7, 7, 7], 1.0), ([5, 0, 0, 0], 0.25), ([1, 2, 3], 36 / 42), ([0, 0], None), ([], None)],
)
def test_jains_index(answered: list[int], jain: float | None) -> None:
    assert clients.summarize([client(9, each) for each in answered], 0, IDLE)["jain"] == jain


CLIENTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 10**9)), max_size=9)


@given(st.lists(CLIENTS, min_size=1, max_size=5))
def test_a_merged_summary_is_that_of_all_clients(parts: list[list[tuple[int, int, int]]]) -> None:
    made = [[client(max(planned, ok), ok, wait_ns) for planned, ok, wait_ns in part] for part in parts]
    merged = clients.merge([clients.summarize(part, len(part), {"asked": 2, "open": 1}) for part in made])
    idle = {"asked": 2 * len(made), "open": len(made)}
    assert merged == clients.summarize([each for part in made for each in part], sum(map(len, made)), idle)


@pytest.mark.parametrize("loop", LOOPS)
def test_idle_connections_are_kept_open_and_carry_no_call(loop: dict[str, Any]) -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        result = result_of(options(address, idle=3, **loop), make_plan(None))
    jsonschema.validate(result, schema())
    assert result["clients"]["idle"] == {"asked": 3, "open": 3}
    assert (result["clients"]["asked"], result["got"]["connections"]) == (2, 2)
    assert re.search(r"^idle +3 +3$", summary(result), re.MULTILINE)
    assert service.accepted == 5
    assert len(service.calls_of_connection) == 2


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_opens_its_connection_anew_after_so_many_calls_and_loses_none(loop: dict[str, Any]) -> None:
    service = FakeService(lambda _: Act.REPLY)
    with service.running() as address:
        result = result_of(options(address, calls_per_connection=5, timeout_s=5.0, **loop), make_plan(None))
    jsonschema.validate(result, schema())
    assert result["calls"]["planned"] == result["calls"]["ok"] > 20
    assert max(service.calls_of_connection.values()) == 5
    assert service.accepted > 4
    # Calls sent when the window has just ended are not measured.
    opened_anew = len(service.calls_of_connection) - 2
    assert opened_anew - 4 <= result["first_answer_ns"]["count"] <= opened_anew
    assert 0 < result["first_answer_ns"]["min"] <= result["first_answer_ns"]["max"] < 5e9
    assert result["got"]["connections_lost"] == 0
