"""The counting of stages: figures for each number of them, and what one more of them costs."""

import pytest

from tools.claims.counting import stages
from tools.local import Programs


def test_a_stage_costs_what_the_median_grows_by() -> None:
    assert stages.slope({5: 500.0, 4: 400.0, 3: 300.0, 2: 200.0}) == pytest.approx(100)


def test_each_form_has_a_figure_for_each_number_of_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "RARE_S", 0.1)
    monkeypatch.setattr(stages, "BUSY_S", 0.1)
    found = stages.count(Programs())
    assert list(found) == ["processes", "threads"]
    for form in found.values():
        assert list(form["p50_ns"]) == list(form["cpu_per_call_ns"]) == ["5", "4", "3", "2"]
        assert min(*form["p50_ns"].values(), *form["cpu_per_call_ns"].values()) > 0
