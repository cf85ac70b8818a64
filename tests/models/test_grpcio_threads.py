"""The code around grpcio's server of threads that is our own."""

from collections.abc import Callable

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.models.grpcio_threads import ThreadHandlers
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.libraries.grpcio import GrpcioArrival
from services.runtime.service import RUN_PATH, Service

ASKED = workload_pb2.RunRequest(steps=[workload_pb2.Step(compute=workload_pb2.Compute(rounds=1))])


class Aborted(Exception):
    """What grpcio raises in a handler that has aborted its call."""


class Context:
    """A call whose caller gives up before the call begins, or at the moment at which a callback is added."""

    def __init__(self, already: bool) -> None:
        self._already = already
        self.status: grpc.StatusCode | None = None

    def time_remaining(self) -> None: ...

    def add_callback(self, callback: Callable[[], None]) -> bool:
        if not self._already:
            callback()
        return not self._already

    def abort(self, status: grpc.StatusCode, why: str) -> None:
        self.status = status
        raise Aborted(why)


@pytest.mark.parametrize("already", [True, False], ids=["before it begins", "as it begins"])
def test_a_call_whose_caller_has_given_up_is_not_run(already: bool) -> None:
    handlers = ThreadHandlers(Service("grpcio_threads", Config(), drain=Drain()))
    context = Context(already)
    with pytest.raises(Aborted):
        handlers.run(GrpcioArrival(RUN_PATH.decode(), 0, ()), ASKED.SerializeToString(), context)
    assert context.status is grpc.StatusCode.CANCELLED
