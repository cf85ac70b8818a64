"""The counting of deaths: every call of others that a death takes with it counts, whatever became of it."""

from typing import Any

import pytest

from tools.claims.counting import life
from tools.local import LocalError, Programs

KILLED_NS = 10**9
"""1 s before the end, at 200 calls/s."""
ENDS = [(300, 200, 0, 0.0), (250, 200, 50, 0.25), (100, 200, 200, 1.0), (96, 204, 204, 1.0)]
"""Calls answered -> exposed, failed, share. In the last case four calls were in flight before the death."""


def result(planned: int, ok: int) -> dict[str, Any]:
    return {"calls": {"planned": planned, "ok": ok}, "marks": {"ended_monotonic_ns": KILLED_NS + 10**9}}


@pytest.mark.parametrize(("ok", "exposed", "failed", "share"), ENDS)
def test_a_call_that_is_not_answered_has_failed(ok: int, exposed: int, failed: int, share: float) -> None:
    found = life.figures(result(300, ok), KILLED_NS)
    assert (found["exposed"], found["failed"], found["failed_share"]) == (exposed, failed, share)
    assert found["failed_share_at_most"] > share or share == 1


@pytest.mark.parametrize("ended_ns", [KILLED_NS, KILLED_NS - 10**9])
def test_a_load_that_ended_before_the_death_shows_nothing(ended_ns: int) -> None:
    late = {**result(300, 300), "marks": {"ended_monotonic_ns": ended_ns}}
    with pytest.raises(LocalError, match=r"^the load ended before the process was killed"):
        life.figures(late, KILLED_NS)


def test_a_service_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "MODELS", ("reactor",))
    monkeypatch.setattr(life, "FINISH_S", 0.0)
    with pytest.raises(LocalError, match=r"^reactor: which process runs a call\? DEADLINE_EXCEEDED$"):
        life.count(Programs())


def test_a_process_of_threads_takes_the_calls_of_others_along_and_one_of_a_connection_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(life, "MODELS", ("process_per_connection", "thread_pool"))
    monkeypatch.setattr(life, "COUNTED_S", 0.6)
    found = life.count(Programs())
    assert found["process_per_connection"]["failed"] == 0
    assert found["thread_pool"]["failed"] > 0


def test_a_process_that_is_none_of_the_services_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "MODELS", ("reactor",))
    monkeypatch.setattr("os.getsid", lambda _: 1)
    with pytest.raises(LocalError, match="none of the service's"):
        life.count(Programs())
