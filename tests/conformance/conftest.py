"""Every test here is a function of an address, run over every model; grpcio's own servers are the control."""

from collections.abc import Iterator

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.models import MODELS
from tests.serving import Serving, serving


@pytest.fixture(scope="session")
def backend() -> Iterator[Serving]:
    with serving("backend") as started:
        yield started


STARTS = [(model.name, *options) for model in MODELS.values() for options in ((), *model.variants)]
"""Each model as it is, and each variant of it."""


@pytest.fixture(scope="session", params=STARTS, ids=" ".join)
def service(request: pytest.FixtureRequest, backend: Serving) -> Iterator[Serving]:
    with serving(*request.param, "--backend", backend.address) as started:
        yield started


@pytest.fixture
def channel(service: Serving) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(service.address) as opened:
        yield opened


class Workload:
    """The workload's methods on a channel of grpcio's."""

    def __init__(self, channel: grpc.Channel) -> None:
        of_request, to_reply = workload_pb2.RunRequest.SerializeToString, workload_pb2.RunReply.FromString
        self.run = channel.unary_unary("/sweetspot.v1.Workload/Run", of_request, to_reply)
        self.run_raw = channel.unary_unary("/sweetspot.v1.Workload/Run")
        self.run_stream = channel.unary_stream("/sweetspot.v1.Workload/RunStream", of_request, to_reply)


@pytest.fixture
def workload(channel: grpc.Channel) -> Workload:
    return Workload(channel)
