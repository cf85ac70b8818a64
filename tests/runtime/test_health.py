"""What each name's state follows: liveness nothing, readiness the drain and the queue."""

import pytest
from grpc_health.v1 import health_pb2

from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.service import Service
from services.wire import Code, RpcError

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
OF_READINESS = ("", "readiness", "sweetspot.v1.Workload")
QUEUE_BOUND = 5


@pytest.fixture
def service() -> Service:
    return Service("thread_pool", Config(of_model={"queue_bound": QUEUE_BOUND}), drain=Drain())


def check(service: Service, name: str) -> int:
    request = health_pb2.HealthCheckRequest(service=name).SerializeToString()
    status: int = health_pb2.HealthCheckResponse.FromString(service.health.check(request)).status
    return status


@pytest.mark.parametrize("name", [*OF_READINESS, "liveness"])
def test_a_service_that_takes_calls_is_serving(service: Service, name: str) -> None:
    assert check(service, name) == SERVING


@pytest.mark.parametrize("name", OF_READINESS)
@pytest.mark.parametrize(("queued", "status"), [(QUEUE_BOUND - 1, SERVING), (QUEUE_BOUND, NOT_SERVING)])
def test_a_service_is_not_ready_while_its_queue_is_full(service: Service, name: str, queued: int, status: int) -> None:
    service.queue.set(queued)
    assert check(service, name) == status


@pytest.mark.parametrize(("full", "status"), [(0, SERVING), (1, NOT_SERVING)])
def test_a_service_with_several_queues_is_ready_while_none_of_them_is_full(
    service: Service, full: int, status: int
) -> None:
    service.queue.set(4 * (QUEUE_BOUND - 1))
    service.full_queues.set(full)
    assert check(service, "") == status


@pytest.mark.parametrize(
    ("waiting", "status"),
    [
        ([("read", 0, QUEUE_BOUND - 1), ("compute", 0, QUEUE_BOUND - 1)], SERVING),
        ([("compute", 0, QUEUE_BOUND - 1), ("compute", 1, QUEUE_BOUND - 1)], SERVING),
        ([("compute", 1, QUEUE_BOUND)], NOT_SERVING),
        ([("call", 0, 2)], NOT_SERVING),
    ],
    ids=["in two stages", "of two processes", "as many as it may", "as many as it is told that it may"],
)
def test_a_service_with_stages_is_ready_while_each_has_room_for_each_process(
    waiting: list[tuple[str, int, int]], status: int
) -> None:
    service = Service(
        "seda",
        Config(of_model={"queue_bound": QUEUE_BOUND}),
        drain=Drain(),
        workers=2,
        stages=("read", "compute", "call"),
    )
    for name, row in service.stages.rows.items():
        row.settings.set("queue_bound", 2 if name == "call" else QUEUE_BOUND)
    for name, process, events in waiting:
        service.counters.write_as(process)
        service.stages.rows[name].depth.add(events)
    assert check(service, "") == status


@pytest.mark.parametrize("name", OF_READINESS)
def test_a_service_that_drains_is_not_ready(service: Service, name: str) -> None:
    service.drain.request()
    assert check(service, name) == NOT_SERVING


def test_a_service_that_drains_with_a_full_queue_is_alive(service: Service) -> None:
    service.drain.request()
    service.queue.set(QUEUE_BOUND)
    assert check(service, "liveness") == SERVING


def test_list_tells_every_name(service: Service) -> None:
    service.drain.request()
    statuses = health_pb2.HealthListResponse.FromString(service.health.list(b"")).statuses
    assert {name: reply.status for name, reply in statuses.items()} == {
        "liveness": SERVING,
        **dict.fromkeys(OF_READINESS, NOT_SERVING),
    }


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (health_pb2.HealthCheckRequest(service="nobody").SerializeToString(), Code.NOT_FOUND),
        (b"\xff", Code.INTERNAL),
    ],
)
def test_check_refuses_what_it_does_not_know(service: Service, request_bytes: bytes, code: Code) -> None:
    with pytest.raises(RpcError) as refused:
        service.health.check(request_bytes)
    assert refused.value.code == code
