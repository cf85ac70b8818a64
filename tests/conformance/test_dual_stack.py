"""`--host ::` serves IPv4 and IPv6 clients on the same ports, whatever the model."""

import urllib.request

import pytest
from grpc_health.v1 import health_pb2

from services.network.address import Address
from services.wire import Code
from tests.conformance.conftest import STARTS
from tests.serving import serving
from tests.stacks import own_wire

LISTENS_IN_ITS_OWN_WAY = {"--reuse-port", "kernel", "processes", "--processes", "--loops"}
"""Of the variants of a model, those in which others listen: processes or loops."""
LOOPBACKS = ("127.0.0.1", "::1", "::")
CHECK = "/grpc.health.v1.Health/Check"
HEALTHY = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()


@pytest.mark.parametrize(
    "start",
    [start for start in (*STARTS, ("backend",)) if len(start) == 1 or LISTENS_IN_ITS_OWN_WAY & {*start}],
    ids=" ".join,
)
def test_both_families_are_served_on_the_same_ports(start: tuple[str, ...]) -> None:
    with serving(*start, "--host", "::", "--metrics-port", "0") as service:
        ports = [Address.parse(each) for each in (service.address, service.control, service.metrics)]
        assert {each.host for each in ports} == {"::"}
        for host in LOOPBACKS:
            for each in ports[:2]:
                assert own_wire(str(Address(host, each.port)), CHECK, b"").replies == (HEALTHY,)
            with urllib.request.urlopen(f"http://{Address(host, ports[2].port)}/metrics", timeout=5) as answer:
                assert b"sweetspot" in answer.read()


def test_what_listens_at_ipv6_alone_is_dialled_by_the_address_that_it_prints() -> None:
    with serving("reactor", "--host", "::1") as service:
        assert service.address.startswith("[::1]:")
        assert own_wire(service.address, CHECK, b"").code is Code.OK
