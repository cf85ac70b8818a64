"""The headline: computed from the trials, honest about ties, gaps and failures."""

from typing import Any

import pytest

from tests.tools.sample import clients, distribution, trial
from tools.answer import answer, by_rank, compared_at, leaders
from tools.results import Trial


def one(
    model: str,
    rate: float,
    p99_ms: float = 10,
    *,
    at: int = 1000,
    asked_rps: float | None = None,
    served: int | None = None,
    **calls: Any,
) -> Trial:
    """A trial in which every call took as long as the next, and so many clients were served; None: all."""
    ok = int(rate * 4)
    return trial(
        model,
        at,
        asked={
            "loop": "open" if asked_rps else "closed",
            "connections": at,
            "streams": None if asked_rps else 1,
            "rate_rps": asked_rps,
            "duration_s": 4,
        },
        got={"connections": at, "duration_s": 4.0, "answered": round(4 * rate), "rate_rps": rate},
        calls={
            "planned": max(1, ok),
            "ok": ok,
            "by_status": {},
            "timed_out": 0,
            "not_sent": 0,
            "unfinished": 0,
            **calls,
        },
        clients=clients(at, at if served is None else served, ok),
        latency_ns=distribution([int(p99_ms * 1e6)], ok),
    )


@pytest.mark.parametrize(
    ("trials", "sentence"),
    [
        ([], "Nothing has been measured yet, so there is no answer."),
        (
            [one("reactor", 4210, 310), one("thread_pool", 1450, 1200)],
            "At 1,000 connections reactor serves most: 4,210 calls/s, 2.9x thread_pool, with p99 310 ms against 1.2 s.",
        ),
        (
            [one("reactor", 4210, 310), one("coroutines", 3000, 400), one("thread_pool", 1450, 1200)],
            "At 1,000 connections reactor serves most: 4,210 calls/s, 1.4x coroutines (next) and 2.9x thread_pool "
            "(last), with p99 310 ms against 400 ms and 1.2 s.",
        ),
        (
            [one("reactor", 4210, 310), one("coroutines", 4050, 330), one("thread_pool", 1450, 1200)],
            "At 1,000 connections reactor and coroutines tie as the best: 4,210 and 4,050 calls/s (within 5 %), "
            "2.9x thread_pool (last), with p99 310 ms and 330 ms against 1.2 s.",
        ),
        (
            [one("reactor", 100, 7), one("coroutines", 98, 6)],
            "At 1,000 connections reactor and coroutines tie: 98 to 100 calls/s (within 5 %); coroutines with the "
            "lowest p99, 6 ms against 7 ms of reactor.",
        ),
        (
            [one("reactor", 100, 7)],
            "At 1,000 connections reactor serves 100 calls/s, with p99 7 ms; no other model was measured there.",
        ),
        (
            [one("reactor", 20), one("thread_pool", 10)],
            "At 1,000 connections reactor serves most: 20 calls/s, 2x thread_pool (too few calls for a p99).",
        ),
        ([one("reactor", 0), one("thread_pool", 0)], "At 1,000 connections no model answered a call."),
        (
            [one("reactor", 100), one("thread_pool", 0, by_status={"UNAVAILABLE": 1})],
            "At 1,000 connections reactor serves most: 100 calls/s, against none of thread_pool, with p99 10 ms. "
            "Calls failed: thread_pool 100 %.",
        ),
        (
            [
                one("reactor", 500, 3, asked_rps=500),
                one("coroutines", 499, 3.1, asked_rps=500),
                one("thread_pool", 490, 12, asked_rps=500),
            ],
            "At 1,000 connections all 3 models serve the 500 calls/s asked; reactor and coroutines with the lowest "
            "p99, 3 ms against 12 ms of thread_pool.",
        ),
        (
            [one("reactor", 500, 3, asked_rps=500), one("thread_pool", 100, 900, asked_rps=500)],
            "At 1,000 connections reactor serves most: 500 calls/s of 500 asked, 5x thread_pool, "
            "with p99 3 ms against 900 ms.",
        ),
        (
            [one("thread_pool", 900, 1, served=1), one("reactor", 300, 9), one("coroutines", 200, 12, served=995)],
            "At 1,000 connections reactor serves most: 300 calls/s, 1.5x coroutines, with p99 9 ms against 12 ms. "
            "Not every client was served: coroutines served 995 of 1,000 clients, "
            "thread_pool served 1 of 1,000 clients.",
        ),
        (
            [one("thread_pool", 900, 1, served=1), one("reactor", 300, 9)],
            "At 1,000 connections reactor serves 300 calls/s, with p99 9 ms; no other model serves as many clients. "
            "Not every client was served: thread_pool served 1 of 1,000 clients.",
        ),
    ],
    ids=[
        "nothing", "two models", "next and last", "a tie at the top", "all tie", "one model", "too few calls",
        "nobody answers", "one fails", "open loop, all keep up", "open loop, one does not", "one serves few clients",
        "one serves all",
    ],
)  # fmt: skip
def test_the_answer(trials: list[Trial], sentence: str) -> None:
    assert answer(trials) == sentence


def test_models_are_compared_where_all_were_measured_though_some_went_further() -> None:
    trials = [one("reactor", 9, at=10), one("reactor", 9, at=100), one("thread_pool", 9, at=10)]
    assert compared_at(trials) == 10


def test_without_a_common_number_of_connections_most_models_decide() -> None:
    trials = [one("reactor", 9, at=10), one("coroutines", 9, at=10), one("thread_pool", 9, at=1000)]
    assert compared_at(trials) == 10


def test_a_model_that_serves_fewer_clients_ranks_lower_whatever_its_rate_and_does_not_lead() -> None:
    few, some, most = (
        one("reactor", 900, served=10),
        one("coroutines", 500, served=980),
        one("thread_pool", 300, served=1000),
    )
    nearly = one("grpcio_asyncio", 310, served=991)
    ranked = by_rank([few, some, most, nearly])
    assert ranked == [nearly, most, some, few]
    assert leaders(ranked) == [nearly, most]
