"""What a claim measures reads as a sentence does."""

from typing import Any

import msgspec
import pytest

from tools.claims import description
from tools.claims.claim import Statistic
from tools.claims.measures import MEASURES

P99: dict[str, Any] = {"measure": "latency_p99_ns"}
CASES: list[tuple[dict[str, Any], str]] = [
    ({**P99, "of": "innocent", "ratio": ["loop", "threads"]}, "p99 latency of innocent calls: loop divided by threads"),
    ({**P99, "value": {"arm": "loop", "at": {"connections": 100}}}, "p99 latency (loop at 100 conn.)"),
    (
        {"measure": "pss_bytes", "over": "idle", "difference": ["threads", "loop"]},
        "slope of memory (PSS) over the number of idle connections: threads less loop",
    ),
    (
        {"ratio": [{"arm": "bounded", **P99}, {"arm": "bounded", "measure": "cpu_per_call_ns"}]},
        "p99 latency (bounded) divided by CPU time of a call (bounded)",
    ),
    (
        {"measure": "rate_rps", "ratio": [{"ratio": ["two", "one"]}, {"ratio": ["four", "two"]}]},
        "calls/s: (two / one) divided by (four / two)",
    ),
    (
        {"measure": "rate_rps", "ratio": [{"greatest": ["loop", "seda"]}, "threads"]},
        "calls/s: greatest of (loop, seda) divided by threads",
    ),
    (
        {"measure": "lost_updates", "per": "calls_ok", "events": "threads"},
        "lost updates (threads), for each of the calls answered OK",
    ),
    ({"value": "ripped.code.saved_by_hand"}, "saved by hand (ripped code)"),
    ({"ratio": ["green.resume_ns.64", "green.resume_ns.1"]}, "resume ns 64 (green) divided by resume ns 1 (green)"),
    ({"value": "faults"}, "faults"),
    ({"value": {"ratio": ["ripped.bytes", "closures.bytes"]}}, "bytes: (ripped / closures)"),
    (
        {"measure": "rate_rps", "value": {"least": [f"arm_{number}" for number in range(12)]}},
        "calls/s of 12 arms, combined as the claim's file has it",
    ),
]


@pytest.mark.parametrize(("written", "words"), CASES)
def test_a_statistic_in_words(written: dict[str, Any], words: str) -> None:
    assert description.statistic(msgspec.convert(written, Statistic)) == words


def test_no_word_is_of_a_measure_that_is_not_there() -> None:
    assert description.MEASURED.keys() <= MEASURES.keys()
