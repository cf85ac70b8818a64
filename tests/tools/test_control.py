"""The control port, as tools ask it."""

import pytest

from tests.tools.fake_programs import GOOD, PROGRAMS
from tools import cli
from tools.control import ControlClient
from tools.local import LocalError, started


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names a proxy that is not there."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("proxied")
def test_no_proxy_is_between_the_command_and_a_service(capsys: pytest.CaptureFixture[str]) -> None:
    with started("it", [*PROGRAMS.services, GOOD]) as process:
        address = process.expect("control on ", 20)
        with ControlClient(address) as control:
            assert control.snapshot().model == GOOD
        assert cli.main(["stages", "show", address]) == 2
        assert capsys.readouterr().err == f"sweetspot: {GOOD} at {address} has no stages: only seda has stages\n"


def test_a_control_port_where_nothing_listens_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        ControlClient("127.0.0.1:1") as control,
        pytest.raises(LocalError, match=r"control port answered UNAVAILABLE") as it,
    ):
        control.snapshot()
    assert "\n" not in str(it.value)
    assert cli.main(["stages", "set", "127.0.0.1:1", "admit", "workers=1"]) == 2
    assert capsys.readouterr().err.startswith("sweetspot: 127.0.0.1:1: its control port answered UNAVAILABLE: ")
