"""When a trial counts as served in time."""

import pytest

from services.driver.schedule import Window, intended_sends, steady
from tests.tools.sample import distribution, trial
from tools import experiment
from tools.experiment import Objective
from tools.scale.objective import TooFewCallsError, lowest_rps, missed, text

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
        (99, 0, 90, "0 % of the calls ended OK"),
    ],
    ids=["met", "just met", "too many failed", "never rounded up", "too slow", "none"],
)
def test_a_miss_says_what_was_missed(planned: int, ok: int, latency_ms: int, why: str) -> None:
    latency = distribution([latency_ms * 1_000_000], ok)
    assert missed(trial("reactor", 10, calls=calls(planned, ok), latency_ns=latency), OBJECTIVE) == why


@pytest.mark.parametrize("planned", [99, 0])
def test_a_trial_of_too_few_calls_is_no_miss(planned: int) -> None:
    few = trial("reactor", 10, calls=calls(planned, planned), latency_ns=distribution([90_000_000], planned))
    with pytest.raises(TooFewCallsError, match=f"^{planned} calls were made, but a p99 needs 100: "):
        missed(few, OBJECTIVE)


@pytest.mark.parametrize("name", ["scale", "scale-small", "scale-long"])
def test_at_the_lowest_rate_that_is_searched_arrivals_suffice_to_judge(name: str) -> None:
    asked = experiment.read(experiment.path_of(name))
    window = Window.after(0, asked.warmup_s, asked.duration_s)
    sends = intended_sends(steady(lowest_rps(asked.duration_s)), "poisson", 1, 0, window.end_ns)
    assert sum(map(window.measures, sends)) >= 100


def test_an_objective_is_told_in_one_phrase() -> None:
    assert text(OBJECTIVE) == "p99 <= 100 ms and 99.9 % OK"
