"""The counting of rates: what two looks at the stages show of the one that has a rate, and of the others."""

from typing import Any

import pytest
from sweetspot.v1.control_pb2 import SnapshotReply, Stage, StageSettings

from tools.claims.counting import rates
from tools.claims.counting.staged_service import STAGES
from tools.local import Programs


def after_2_s(**stages: dict[str, Any]) -> SnapshotReply:
    """Each stage has served 100 calls since the first look, at 0 s, but for what is given."""
    found = [Stage(name=name, **{"served": 100, **stages.get(name, {})}) for name in STAGES]
    return SnapshotReply(monotonic_ns=2 * 10**9, stages=found)


FIRST = SnapshotReply(stages=[Stage(name=name) for name in STAGES])
SEEN: list[tuple[str, dict[str, Any], float, float]] = [
    ("compute", {}, 0.0, 0.0),
    ("compute", {"compute": {"served": 90, "queue_depth": 500}}, 0.1, 0.0),
    ("compute", {"compute": {"served": 110}}, 0.1, 0.0),
    ("compute", {"call": {"served": 75, "queue_depth": 25}}, 0.0, 0.25),
    # A call that `admit` rejects was not passed on.
    ("admit", {"admit": {"served": 900, "shed": 800}}, 0.0, 0.0),
]


@pytest.mark.parametrize(("name", "stages", "tracking_error", "cross_talk"), SEEN)
def test_a_stage_that_is_off_its_rate_or_slows_another_one_shows(
    name: str, stages: dict[str, Any], tracking_error: float, cross_talk: float
) -> None:
    found = rates.seen(name, 50, FIRST, after_2_s(**stages))
    assert found == pytest.approx({"tracking_error": tracking_error, "cross_talk": cross_talk})


def test_the_worst_of_all_stages_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "RATES_PER_S", (100,))
    monkeypatch.setattr(rates, "SETTLING_S", 0)
    monkeypatch.setattr(rates, "LOOKED_AT_S", 0.1)
    found = rates.count(Programs())
    assert list(found["stages"]) == list(STAGES)
    for key in ("tracking_error", "cross_talk"):
        assert found[key] == max(stage[key] for stage in found["stages"].values())


def test_a_stage_that_serves_at_half_of_its_rate_is_off_by_half(monkeypatch: pytest.MonkeyPatch) -> None:
    def halved(rate_per_s: int) -> StageSettings:
        return StageSettings(rate_per_s=rate_per_s // 2)

    monkeypatch.setattr(rates, "STAGES", ("compute", "call"))
    monkeypatch.setattr(rates, "RATES_PER_S", (200,))
    monkeypatch.setattr(rates, "LOOKED_AT_S", 0.5)
    monkeypatch.setattr(rates, "StageSettings", halved)
    found = rates.count(Programs())
    assert found["tracking_error"] == pytest.approx(0.5, abs=0.15)
