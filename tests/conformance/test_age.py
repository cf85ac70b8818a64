"""Connections that end when they are old: no call is lost by it."""

import pytest

from services.models import MODELS
from services.network.address import Address
from tests.driver.runs import options, run
from tests.serving import serving

AGE_S = 0.1


@pytest.mark.parametrize("model", MODELS)
def test_old_connections_go_elsewhere_and_no_call_is_lost(model: str) -> None:
    connections = 1 if MODELS[model].at_once == "one connection" else 4
    with serving(model, "--max-connection-age-s", str(AGE_S)) as started:
        host, _, port = started.address.rpartition(":")
        asked = options(
            Address(host, int(port)),
            connections=connections,
            streams=None,
            rate_rps=200.0,
            duration_s=1.0,
            timeout_s=10.0,
        )
        outcome = run(asked)
    assert outcome.accounts.ok == outcome.accounts.planned == 200
    assert outcome.connections_lost >= connections
