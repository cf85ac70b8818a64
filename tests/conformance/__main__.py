"""`python -m tests.conformance MODEL=HOST:PORT ...`: the suite against services that run already.

It has the tests that need only a service's address: not how a service starts, stops and is configured. With --must-fail
it succeeds if each of these services fails, because a suite that nothing fails proves nothing.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import grpc
import pytest

from tests.conformance.conftest import Workload
from tests.serving import Serving

ROOT = Path(__file__).parents[2]
HERE = "tests/conformance/"
CHECKS = (
    "test_workload.py",
    "test_health.py::test_the_port_that_serves_calls_says_that_it_does",
    "test_bad_input.py::test_a_connection_that_sends_garbage_is_closed_and_others_are_served",
)
OF_A_PROCESS = "test_workload.py::test_the_reply_says_in_which_process"
"""Compares with the process that a test has started."""
OPTIONS = (
    f"--rootdir={ROOT}",
    "--noconftest",
    "--import-mode=importlib",
    "-p",
    "no:cacheprovider",
    "--capture=sys",
    "--tb=line",
    "--timeout=60",
    "-v",
)


class Deployed:
    """In the place of the suite's own fixtures: services that are there already."""

    def __init__(self, services: Sequence[Serving]) -> None:
        self._services = services

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "service" in metafunc.fixturenames:
            names = [service.model for service in self._services]
            metafunc.parametrize("service", self._services, ids=names, scope="session")

    @pytest.fixture
    def channel(self, service: Serving) -> Iterator[grpc.Channel]:
        with grpc.insecure_channel(service.address) as opened:
            yield opened

    @pytest.fixture
    def workload(self, channel: grpc.Channel) -> Workload:
        return Workload(channel)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the suite. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.conformance")
    parser.add_argument("services", nargs="+", type=_service, metavar="MODEL=HOST:PORT")
    parser.add_argument("--must-fail", action="store_true", help="succeed where the suite fails")
    args = parser.parse_args(arguments)
    checks = [f"{ROOT}/{HERE}{check}" for check in CHECKS]
    ended = pytest.main([*OPTIONS, f"--deselect={HERE}{OF_A_PROCESS}", *checks], plugins=[Deployed(args.services)])
    if args.must_fail:
        print(f"must fail, and did: {ended is pytest.ExitCode.TESTS_FAILED}")
        return int(ended is not pytest.ExitCode.TESTS_FAILED)
    return int(ended)


def _service(text: str) -> Serving:
    """Of a service that is there: no process of ours, and no port but that of calls."""
    model, _, address = text.partition("=")
    no_process = cast("subprocess.Popen[str]", None)
    return Serving(model, start=(model,), process=no_process, address=address, control="", metrics="")


if __name__ == "__main__":
    sys.exit(main())
