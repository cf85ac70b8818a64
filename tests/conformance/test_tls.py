"""TLS on every model that owns its sockets, with and without a certified client."""

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from tests.conformance.conftest import OWN_WIRE, Certified, Workload
from tests.serving import serving

ECHO = workload_pb2.RunRequest(payload=bytes(100_000))


def test_a_call_goes_through_tls(secure_channel: grpc.Channel) -> None:
    assert Workload(secure_channel).run(ECHO, timeout=10).payload == ECHO.payload


@pytest.mark.parametrize("model", OWN_WIRE)
def test_only_a_certified_client_is_served_where_one_is_asked_for(model: str, certified: Certified) -> None:
    issued = certified.authority.issue_cert("client.test")
    known = grpc.ssl_channel_credentials(
        certified.authority.cert_pem.bytes(), issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()
    )
    options = [
        f"--tls-{name}={certified.folder / file}.pem"
        for name, file in (("cert", "cert"), ("key", "key"), ("client-ca", "ca"))
    ]
    with serving(model, *options) as started:
        named = started.address.replace("127.0.0.1", "localhost")
        with grpc.secure_channel(named, known) as channel:
            assert Workload(channel).run(ECHO, timeout=10).payload == ECHO.payload
        with grpc.secure_channel(named, certified.trust) as channel, pytest.raises(grpc.RpcError) as refused:
            Workload(channel).run(ECHO, timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
