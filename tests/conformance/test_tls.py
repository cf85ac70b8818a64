"""TLS on every model that owns its sockets, with and without a certified client."""

from pathlib import Path

import grpc
import pytest
import trustme
from sweetspot.v1 import workload_pb2

from services.models import MODELS
from tests.conformance.conftest import Workload
from tests.serving import serving

OWN_WIRE = [name for name, model in MODELS.items() if model.own_wire]
ECHO = workload_pb2.RunRequest(payload=bytes(100_000))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return folder


@pytest.mark.parametrize("model", OWN_WIRE)
def test_a_call_goes_through_tls(model: str, authority: trustme.CA, files: Path) -> None:
    trusted = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    options = ("--tls-cert", str(files / "cert.pem"), "--tls-key", str(files / "key.pem"), "--host", "127.0.0.1")
    with serving(model, *options) as started:
        named = started.address.replace("127.0.0.1", "localhost")
        with grpc.secure_channel(named, trusted) as channel:
            assert Workload(channel).run(ECHO, timeout=10).payload == ECHO.payload


@pytest.mark.parametrize("model", OWN_WIRE)
def test_only_a_certified_client_is_served_where_one_is_asked_for(
    model: str, authority: trustme.CA, files: Path
) -> None:
    client = authority.issue_cert("client.test")
    certified = grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(), client.private_key_pem.bytes(), client.cert_chain_pems[0].bytes()
    )
    anonymous = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    options = [
        f"--tls-{name}={files / file}.pem" for name, file in (("cert", "cert"), ("key", "key"), ("client-ca", "ca"))
    ]
    with serving(model, *options) as started:
        named = started.address.replace("127.0.0.1", "localhost")
        with grpc.secure_channel(named, certified) as channel:
            assert Workload(channel).run(ECHO, timeout=10).payload == ECHO.payload
        with grpc.secure_channel(named, anonymous) as channel, pytest.raises(grpc.RpcError) as refused:
            Workload(channel).run(ECHO, timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
