"""The reader of a connection answers calls that ask about the service, and leaves the workload's to the model."""

import pytest
from grpc_health.v1 import health_pb2

from services.runtime.answers.health import CHECK_PATH, WATCH_PATH
from services.runtime.answers.reflection import PATHS
from services.runtime.answers.responders import MAX_ANSWERS
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.service import RUN_PATH, Service
from services.wire import CallReceived, Code
from tests.runtime.ends import Ends


@pytest.fixture
def ends() -> Ends:
    service = Service("reactor", Config(), drain=Drain())
    return Ends(service.open_session(), service)


def test_a_check_is_answered_at_once(ends: Ends) -> None:
    call = ends.client.start(CHECK_PATH.decode(), b"")
    ends.talk()
    assert call.reply == health_pb2.HealthCheckResponse(status=1).SerializeToString()
    assert ends.server.calls_in_flight == 0


def test_a_refusal_becomes_the_status(ends: Ends) -> None:
    call = ends.client.start(CHECK_PATH.decode(), health_pb2.HealthCheckRequest(service="nobody").SerializeToString())
    ends.talk()
    assert (call.code, call.message) == (Code.NOT_FOUND, "unknown service 'nobody'")


def test_a_call_of_the_workload_is_left_to_the_model(ends: Ends) -> None:
    ends.client.start(RUN_PATH.decode(), b"")
    ends.talk()
    assert [type(event) for event in ends.events] == [CallReceived]


def test_watch_is_for_the_control_port_only(ends: Ends) -> None:
    call = ends.client.start(WATCH_PATH.decode(), b"", streaming=True)
    ends.talk()
    assert call.code is Code.UNIMPLEMENTED


def test_a_stream_that_is_given_up_is_finished(ends: Ends) -> None:
    call = ends.client.start(PATHS[0].decode(), streaming=True)
    ends.talk()
    assert ends.server.calls_in_flight == 1
    ends.client.cancel(call)
    ends.talk()
    assert ends.server.calls_in_flight == 0
    assert ends.events == []


def test_a_stream_gets_so_many_answers_and_no_more(ends: Ends) -> None:
    call = ends.client.start(PATHS[0].decode(), streaming=True)
    for _ in range(MAX_ANSWERS + 2):
        ends.client.send_message(call, b"")
    ends.client.end_requests(call)
    ends.talk()
    assert len(ends.messages) == MAX_ANSWERS
    assert call.code is Code.RESOURCE_EXHAUSTED
