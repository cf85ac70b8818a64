"""When a drain is over, by a clock of the test's own."""

import pytest

from services.runtime.drain import GOAWAY_GRACE_S, Drain

TIMEOUT_S = 15.0


@pytest.mark.parametrize(
    ("drained_s", "calls_in_flight", "over", "why"),
    [
        (0.0, 0, False, "the peers have not had time to acknowledge"),
        (GOAWAY_GRACE_S, 0, True, "they have, and nothing is in flight"),
        (GOAWAY_GRACE_S, 1, False, "a call is in flight"),
        (TIMEOUT_S, 1, True, "time is up"),
    ],
)
def test_a_drain_is_over(drained_s: float, calls_in_flight: int, over: bool, why: str) -> None:
    now_s = 100.0
    drain = Drain(lambda: now_s)
    drain.is_over(TIMEOUT_S, 1)
    now_s += drained_s
    assert drain.is_over(TIMEOUT_S, calls_in_flight) is over, why


def test_a_timeout_of_none_at_all_is_over_at_once() -> None:
    assert Drain().is_over(0.0, 5)
