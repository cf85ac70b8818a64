"""When a trial counts as served in time."""

import pytest

from tests.tools.sample import distribution, trial
from tools.experiment import Objective
from tools.scale.objective import missed, told

OBJECTIVE = Objective(p99_ms=100, ok_share=0.999)


def calls(planned: int, ok: int) -> dict[str, object]:
    return {"planned": planned, "ok": ok, "by_status": {}, "timed_out": planned - ok, "not_sent": 0, "unfinished": 0}


@pytest.mark.parametrize(
    ("planned", "ok", "latency_ms", "why"),
    [
        (1000, 1000, 90, ""),
        (1000, 999, 90, ""),
        (1000, 998, 90, "99.8 % of the calls ended OK"),
        (100_000, 99_899, 90, "99.8 % of the calls ended OK"),
        (1000, 1000, 110, "p99 110 ms"),
        (99, 99, 90, "too few calls for a p99"),
        (0, 0, 90, "0 % of the calls ended OK"),
    ],
    ids=["met", "just met", "too many failed", "never rounded up", "too slow", "too few", "none"],
)
def test_a_miss_says_what_was_missed(planned: int, ok: int, latency_ms: int, why: str) -> None:
    latency = distribution([latency_ms * 1_000_000], ok)
    assert missed(trial("reactor", 10, calls=calls(planned, ok), latency_ns=latency), OBJECTIVE) == why


def test_an_objective_is_told_in_one_phrase() -> None:
    assert told(OBJECTIVE) == "p99 <= 100 ms and 99.9 % OK"
