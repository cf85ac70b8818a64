"""What holds for every test of the tools."""

import pytest


@pytest.fixture(autouse=True)
def quiet_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No processor seems to have run others, to be missed, or to change its speed.

    Tests that run beside this one would make trials void.
    """
    monkeypatch.setattr("tools.other_processes.ran_ns", lambda _cpus: 0)
    monkeypatch.setattr("tools.canary.loop_ns", lambda _cpus: 1_000_000)
    if request.path.name != "test_checks.py":
        monkeypatch.setattr("tools.measures.driver_waited_share", lambda _trial: 0.0)
