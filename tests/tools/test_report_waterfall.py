"""Where a traced call's latency went: the parts add up, and what is missing is named."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tools import sample
from tools.report.calls import shown_calls
from tools.report.spans import CLIENT, StoredSpan
from tools.report.waterfall import Account, waterfall
from tools.traces import StoredCall

SERVER, INTERNAL = 2, 1


def span(span_id: str, parent_id: str, name: str, kind: int, *, ns: tuple[int, int]) -> StoredSpan:
    process = {"d": "driver", "b": "backend"}.get(span_id[0], "reactor")
    return StoredSpan(span_id, parent_id, name, kind, process, *ns, {})


LATE = {"sweetspot.lateness_ns": "400"}
DRIVER = dataclasses.replace(span("d", "", "Run", CLIENT, ns=(600, 11_000)), attributes=LATE)
SERVICE = span("s", "d", "Run", SERVER, ns=(1_500, 10_500))
QUEUE = span("q", "s", "queue", INTERNAL, ns=(1_500, 3_500))
RUN = span("r", "s", "run", INTERNAL, ns=(3_500, 10_200))
COMPUTE = span("c", "r", "compute", INTERNAL, ns=(3_500, 4_500))
FETCH = span("f", "r", "Fetch", CLIENT, ns=(4_500, 8_500))
BACKEND = span("b", "f", "Fetch", SERVER, ns=(4_800, 8_300))
SLEEP = span("z", "r", "sleep", INTERNAL, ns=(8_500, 9_500))
CALL = StoredCall("0" * 32, 10_400, "OK")
WHOLE = [DRIVER, SERVICE, QUEUE, RUN, COMPUTE, FETCH, BACKEND, SLEEP]


def test_the_parts_of_a_call_add_up_to_its_latency() -> None:
    account = waterfall(CALL, WHOLE).account
    assert account == Account(
        latency_ns=10_400, lateness_ns=400, wire_ns=1_000, queue_ns=2_000, running_ns=1_700, waiting_ns=5_000
    )
    assert account.parts() == {
        "lateness": 400, "wire": 1_000, "queue": 2_000, "running": 1_700, "waiting": 5_000, "unexplained": 300,
    }  # fmt: skip
    assert sum(account.parts().values()) == CALL.latency_ns


def test_what_a_call_waits_for_between_its_steps_is_queue_and_not_running() -> None:
    before = span("q1", "s", "queue read", INTERNAL, ns=(1_500, 2_000))  # a part of `queue`
    between = span("q2", "s", "queue call", INTERNAL, ns=(4_500, 4_800))
    took = waterfall(CALL, [*WHOLE, before, between])
    assert took.account is not None
    assert (took.account.queue_ns, took.account.running_ns) == (2_300, 1_400)
    assert sum(took.account.parts().values()) == CALL.latency_ns
    assert {bar.role for bar in took.bars if bar.span.name.startswith("queue")} == {"queue"}


def test_time_starts_at_the_intended_send_and_depth_follows_parents() -> None:
    bars = waterfall(CALL, WHOLE[::-1]).bars
    assert [(bar.span.span_id, bar.depth, bar.offset_ns) for bar in bars] == [
        ("d", 0, 0), ("s", 1, 900), ("q", 2, 900), ("r", 2, 2_900), ("c", 3, 2_900), ("f", 3, 3_900),
        ("b", 4, 4_200), ("z", 3, 7_900),
    ]  # fmt: skip


def test_each_bar_says_what_its_time_is_to_the_call() -> None:
    roles = {bar.span.span_id: bar.role for bar in waterfall(CALL, WHOLE).bars}
    assert roles == {
        "d": "driver", "s": "whole", "q": "queue", "r": "whole", "c": "running", "f": "waiting", "b": "other",
        "z": "waiting",
    }  # fmt: skip


def test_a_model_without_a_queue_has_waited_in_none() -> None:
    account = waterfall(CALL, [DRIVER, SERVICE, RUN]).account
    assert account is not None
    assert account.queue_ns == 0


@pytest.mark.parametrize("spans", [[DRIVER], [SERVICE, RUN], []], ids=["no service", "no driver", "nothing"])
def test_a_call_whose_ends_were_not_recorded_is_not_taken_apart(spans: Sequence[StoredSpan]) -> None:
    drawn = waterfall(CALL, spans)
    assert drawn.account is None
    assert len(drawn.bars) == len(spans)


def test_the_median_and_the_slowest_traced_call_are_shown(tmp_path: Path) -> None:
    trial = sample.trial("reactor", 10)
    (shown,), problems = shown_calls(sample.make(tmp_path, models=["reactor"], counts=[10]), [trial])
    latencies = sorted(traced["latency_ns"] for traced in trial.result["traces"])
    assert [(name, drawn.call.latency_ns) for name, drawn in shown.calls] == [
        ("median", latencies[4]), ("slowest", latencies[-1]),
    ]  # fmt: skip
    assert all(drawn.account and len(drawn.bars) == 7 for _, drawn in shown.calls)
    assert not problems


def test_where_the_slowest_left_no_spans_the_next_stands_in_and_is_said_to(tmp_path: Path) -> None:
    folder, trial = sample.make(tmp_path, models=["reactor"], counts=[10]), sample.trial("reactor", 10)
    *_, next_slowest, slowest = sorted(trial.result["traces"], key=lambda traced: traced["latency_ns"])
    for path in (folder / "traces").iterdir():
        kept = [line for line in path.read_text().splitlines(keepends=True) if slowest["trace_id"] not in line]
        path.write_text("".join(kept))
    (shown,), _ = shown_calls(folder, [trial])
    assert shown.calls[-1][1].call.trace_id == next_slowest["trace_id"]
    assert "The slowest left no spans" in shown.note
