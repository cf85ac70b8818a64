"""Calls are cancelled while they wait in the service, and its memory is compared before and after."""

import pytest

from tools.claims.counting import COUNTINGS, cancels
from tools.local import Programs


def test_each_call_is_cancelled_once_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancels, "WARM_UP", 1)
    monkeypatch.setattr(cancels, "BATCHES", 2)
    counted = COUNTINGS["cancels"].count(Programs())
    assert counted.keys() == {"closures", "ripped"}
    for found in counted.values():
        assert found["cancelled"] == 2 * cancels.AT_ONCE
        assert found["growth_share"] == found["growth_bytes"] / found["rss_bytes"]
