"""The counters of several replicas read as those of one service."""

import pytest
from sweetspot.v1.control_pb2 import SnapshotReply, Stage, StageSettings, Throttling

from tools.snapshots import together

FIRST = SnapshotReply(model="reactor", host="a", monotonic_ns=5, cpu_user_ns=10, loop_lag_max_ns=7, connections=2)
SECOND = SnapshotReply(model="reactor", host="b", monotonic_ns=9, cpu_user_ns=30, loop_lag_max_ns=3, connections=4)


def test_counters_add_up_but_a_clock_and_a_maximum_do_not() -> None:
    whole = together([FIRST, SECOND])
    assert (whole.cpu_user_ns, whole.connections) == (40, 6)
    assert (whole.monotonic_ns, whole.loop_lag_max_ns) == (9, 7)
    assert (whole.model, whole.host) == ("reactor", "a, b")


def test_one_reply_stays_as_it_is() -> None:
    assert together([FIRST]) == FIRST


def test_what_one_replica_alone_has_is_known_and_what_none_has_is_not() -> None:
    throttled = Throttling(periods=4, throttled_periods=1, throttled_ns=100, quota_cpus=0.5)
    whole = together([FIRST, SnapshotReply(throttling=throttled), SnapshotReply(throttling=throttled)])
    assert (whole.throttling.throttled_ns, whole.throttling.quota_cpus) == (200, 1.0)
    assert not whole.HasField("queue_depth")


def test_stages_add_up_one_by_one_and_their_settings_do_not() -> None:
    settings = StageSettings(workers=3)
    replies = [
        SnapshotReply(stages=[Stage(name=name, served=served, settings=settings) for name in ("read", "admit")])
        for served in (1, 10)
    ]
    whole = together(replies)
    assert [(stage.name, stage.served, stage.settings.workers) for stage in whole.stages] == [
        ("read", 11, 3),
        ("admit", 11, 3),
    ]


def test_an_empty_queue_of_a_replica_is_not_an_absent_one() -> None:
    assert together([FIRST, SnapshotReply(queue_depth=0)]).HasField("queue_depth")


def test_replies_that_are_added_up_are_not_changed() -> None:
    before = SnapshotReply.FromString(FIRST.SerializeToString())
    together([FIRST, SECOND])
    assert before == FIRST


def test_nothing_is_not_a_service() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        together([])


def test_lost_spans_add_up_reason_by_reason() -> None:
    lost = ({"timeout": 1}, {"timeout": 2, "unauthorised": 3})
    whole = together([SnapshotReply(spans={"dropped": sum(each.values()), "lost": each}) for each in lost])
    assert (whole.spans.dropped, dict(whole.spans.lost)) == (6, {"timeout": 3, "unauthorised": 3})
