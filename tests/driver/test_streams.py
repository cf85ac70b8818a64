"""Runs whose replies are streamed."""

import jsonschema
import pytest

from services.driver.result import schema
from services.driver.summary import summary
from tests.driver.fake_service import STALL_S, Act, FakeService
from tests.driver.runs import ECHO, options, result_of

ONE_CALL = {"connections": 1, "streams": None, "rate_rps": 10.0, "duration_s": 0.1, "timeout_s": 10.0}


def test_messages_are_noted_as_they_come_and_a_call_lasts_until_its_end() -> None:
    with FakeService(lambda _: Act.STALL).running() as address:
        result = result_of(options(address, method="RunStream", **ONE_CALL), ECHO)
    jsonschema.validate(result, schema())
    stream, latency_ns = result["stream"], result["latency_ns"]["max"]
    stalled_ns = 0.9 * STALL_S * 1e9
    assert (stream["messages"], stream["first_message_ns"]["count"], stream["gap_ns"]["count"]) == (3, 1, 2)
    assert latency_ns - stream["first_message_ns"]["max"] > stalled_ns
    assert stream["gap_ns"]["max"] > stalled_ns > stream["gap_ns"]["min"]
    assert "3 messages" in summary(result)


def test_the_checksum_of_a_stream_is_that_of_its_last_message() -> None:
    with FakeService(lambda _: Act.REPLY).running() as address:
        result = result_of(options(address, method="RunStream", **ONE_CALL), ECHO)
    assert (result["checksums"], result["served_by"]) == ({"5": 1}, {"here/7/w": 1})


def test_a_stream_without_messages_is_ok_and_has_no_first_one() -> None:
    with FakeService(lambda _: Act.NOTHING).running() as address:
        result = result_of(options(address, method="RunStream", **ONE_CALL), ECHO)
    assert (result["calls"]["ok"], result["stream"]["messages"]) == (1, 0)
    assert result["stream"]["first_message_ns"]["max"] is None
    assert [pod["host"] for pod in result["pods"]] == [str(address)]


@pytest.mark.parametrize("act", [Act.REFUSE, Act.RESET, Act.IGNORE, Act.DROP])
def test_messages_of_calls_that_are_not_ok_are_not_counted(act: Act) -> None:
    service = FakeService(lambda number: act if number % 10 == 9 else Act.REPLY)
    with service.running() as address:
        result = result_of(options(address, method="RunStream", streams=3), ECHO)
    assert result["stream"]["messages"] == 3 * result["calls"]["ok"] > 0
    assert result["calls"]["planned"] > result["calls"]["ok"]


def test_a_unary_run_has_no_stream() -> None:
    with FakeService(lambda _: Act.REPLY).running() as address:
        assert result_of(options(address, **ONE_CALL), ECHO)["stream"] is None
