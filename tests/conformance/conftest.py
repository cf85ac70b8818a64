"""Every test here is a function of an address, run over every model; grpcio's own servers are the control."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme
from sweetspot.v1 import workload_pb2

from services.__main__ import parse
from services.models import MODELS
from tests.serving import Serving, serving


@pytest.fixture(scope="session")
def backend() -> Iterator[Serving]:
    with serving("backend") as started:
        yield started


STARTS = [(model.name, *options) for model in MODELS.values() for options in ((), *model.variants)]
"""Each model as it is, and each variant of it."""
SPREAD = [
    start
    for start in STARTS
    if MODELS[start[0]].sharing(parse(start, {})[1]) is not MODELS[start[0]].sharing(parse(start[:1], {})[1])
]
"""Of these variants those whose calls run in other threads or processes than the model's own."""
BY_CHANCE = {
    ("multi_reactor", "--balance", "random"),
    ("multi_reactor", "--balance", "kernel"),
    ("reactor", "--loops", "2"),
    ("coroutines", "--processes", "2"),
    ("coroutines", "--loops", "2"),
    ("grpcio_threads", "--processes", "2"),
    ("grpcio_asyncio", "--processes", "2"),
}
"""Any number of connections may lead to the same loop: a test that needs another loop connects again."""
OWN_WIRE = [name for name, model in MODELS.items() if model.own_wire]


def one_at_a_time(start: tuple[str, ...]) -> bool:
    """Whether a client may have to wait until another one has left, because its server serves one at a time."""
    return MODELS[start[0]].at_once == "one connection" or "--reuse-port" in start


@pytest.fixture(scope="session", params=STARTS, ids=" ".join)
def service(request: pytest.FixtureRequest, backend: Serving) -> Iterator[Serving]:
    with serving(*request.param, "--backend", backend.address) as started:
        yield started


@pytest.fixture
def channel(service: Serving) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(service.address) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Certified:
    """A test's own authority, and PEM files of a certificate for `localhost`: cert.pem, key.pem, ca.pem."""

    authority: trustme.CA
    folder: Path

    @property
    def trust(self) -> grpc.ChannelCredentials:
        """What a client needs to trust it."""
        return grpc.ssl_channel_credentials(self.authority.cert_pem.bytes())


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    authority = trustme.CA()
    folder = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return Certified(authority, folder)


@pytest.fixture(scope="session", params=[start for start in STARTS if start[0] in OWN_WIRE], ids=" ".join)
def interop(request: pytest.FixtureRequest) -> Iterator[Serving]:
    """A model that serves TestService too."""
    with serving(*request.param, "--interop") as started:
        yield started


@pytest.fixture(scope="session", params=OWN_WIRE)
def secure(request: pytest.FixtureRequest, certified: Certified) -> Iterator[Serving]:
    """The same behind TLS. Its certificate is for `localhost`, whatever its address is."""
    files = [f"--tls-{name}={certified.folder / name}.pem" for name in ("cert", "key")]
    with serving(request.param, "--interop", *files) as started:
        yield started


class Workload:
    """The workload's methods on a channel of grpcio's."""

    def __init__(self, channel: grpc.Channel) -> None:
        of_request, to_reply = workload_pb2.RunRequest.SerializeToString, workload_pb2.RunReply.FromString
        self.run = channel.unary_unary("/sweetspot.v1.Workload/Run", of_request, to_reply)
        self.run_raw = channel.unary_unary("/sweetspot.v1.Workload/Run")
        self.run_stream = channel.unary_stream("/sweetspot.v1.Workload/RunStream", of_request, to_reply)

    def worker(self, timeout_s: float) -> tuple[int, str]:
        """The process and the worker that run its calls now."""
        reply = self.run(workload_pb2.RunRequest(), timeout=timeout_s)
        return reply.process, reply.worker


@pytest.fixture
def workload(channel: grpc.Channel) -> Workload:
    return Workload(channel)


@pytest.fixture
def secure_channel(secure: Serving, certified: Certified) -> Iterator[grpc.Channel]:
    named = secure.address.replace("127.0.0.1", "localhost")
    with grpc.secure_channel(named, certified.trust) as opened:
        yield opened
