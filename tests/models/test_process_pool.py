"""Processes that listen by themselves share a port with each other, and with no other process."""

import pytest

from tests.conformance.test_bad_input import run_to_its_end
from tests.serving import serving


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_others_reuse_is_still_in_use(host: str) -> None:
    with serving("process_pool", "--reuse-port", "--processes", "2", "--host", host) as service:
        port = service.address.rpartition(":")[2]
        ended = run_to_its_end("process_pool", "--reuse-port", "--host", host, "--port", port)
    assert ended.returncode == 2
    assert ended.stderr.startswith("process_pool: Address already in use")
