"""Calls are cancelled while they wait in the service, and its memory is compared before and after."""

import pytest
from sweetspot.v1.workload_pb2 import RunRequest

from tools.claims.counting import COUNTINGS, cancels, loaded_service
from tools.local import LocalError, Programs


def test_each_call_is_cancelled_once_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancels, "WARM_UP", 1)
    monkeypatch.setattr(cancels, "BATCHES", 2)
    counted = COUNTINGS["cancels"].count(Programs())
    assert counted.keys() == {"closures", "ripped"}
    for found in counted.values():
        assert found["cancelled"] == 2 * cancels.AT_ONCE
        assert found["rss_bytes"] > 0


def test_memory_that_remains_after_the_warm_up_is_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled: list[int] = []
    # Each batch leaves 2 bytes of a service that has 100 without any.
    monkeypatch.setattr(cancels, "_cancel", lambda _, batches: cancelled.append(batches))
    monkeypatch.setattr(cancels, "_rss_bytes", lambda _: 100 + 2 * sum(cancelled[-2:]))
    monkeypatch.setattr(cancels, "STYLES", {"closures": ()})
    monkeypatch.setattr(cancels, "WARM_UP", 50)
    monkeypatch.setattr(cancels, "BATCHES", 10)
    (found,) = cancels.count(Programs()).values()
    assert (found["rss_bytes"], found["growth_bytes"], found["growth_share"]) == (200, 20, 0.1)


def test_a_call_that_does_not_wait_is_no_cancelled_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancels, "WAITS", RunRequest())
    monkeypatch.setattr(cancels, "WARM_UP", 1)
    monkeypatch.setattr(loaded_service, "PATIENCE_S", 0.2)
    with pytest.raises(LocalError, match="not all calls arrived"):
        cancels.count(Programs())
