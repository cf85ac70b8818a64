"""An operand may be made of others: a statistic then compares growths, spreads and the best of several."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from tools.claims.claim import Operand, Statistic
from tools.claims.sample import SampleReading, sample

VALUES = {
    "one": SampleReading(1.0),
    "three": SampleReading(3.0),
    "twelve": SampleReading(12.0),
    "none": SampleReading(0.0),
}
BOUNDS = {"slow": SampleReading(5.0, 1), "quick": SampleReading(2.0, -1)}


class Round:
    """A source whose arms have the same readings in each round."""

    rounds = 1

    def __init__(self, readings: Mapping[str, SampleReading]) -> None:
        self.readings = readings

    def reading(self, operand: Operand, _number: int) -> SampleReading | None:
        return self.readings.get(operand.arm)

    def along(self, _operand: Operand, _number: int) -> None:
        return

    def void(self, _arms: Sequence[str]) -> str:
        return ""


def figure(written: Mapping[str, object]) -> SampleReading | None:
    return sample(msgspec.convert(written, Statistic), Round({**VALUES, **BOUNDS}), 1)


GROWTH = {"difference": ["twelve", "three"]}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"ratio": [GROWTH, {"difference": ["three", "one"]}]}, 4.5),
        ({"ratio": [{"greatest": ["three", "twelve"]}, {"least": ["three", "one"]}]}, 12.0),
        ({"value": {"least": [{"ratio": ["twelve", "three"]}, {"ratio": ["three", "one"]}]}}, 3.0),
        ({"difference": [{"greatest": [GROWTH, "one"]}, "one"]}, 8.0),
    ],
)
def test_an_operand_is_made_of_others(written: Mapping[str, object], value: float) -> None:
    assert figure(written) == SampleReading(value)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({"value": {"greatest": ["slow", "one"]}}, SampleReading(5.0, 1)),
        ({"ratio": ["one", {"least": ["slow", "three"]}]}, SampleReading(1 / 3, -1)),
        ({"value": {"greatest": ["slow", "quick"]}}, None),
        ({"value": {"difference": ["slow", "slow"]}}, None),
        ({"value": {"ratio": ["one", "none"]}}, None),
        ({"value": {"least": ["one", "missing"]}}, None),
    ],
)
def test_bounds_go_through_it_unless_they_contradict(
    written: Mapping[str, object], found: SampleReading | None
) -> None:
    assert figure(written) == found


def test_what_the_statistic_sets_holds_for_every_part() -> None:
    written = {"measure": "pss_bytes", "ratio": [GROWTH, "one"]}
    leaves = list(msgspec.convert(written, Statistic).leaves)
    assert [(leaf.arm, leaf.measure) for leaf in leaves] == [
        ("twelve", "pss_bytes"),
        ("three", "pss_bytes"),
        ("one", "pss_bytes"),
    ]
