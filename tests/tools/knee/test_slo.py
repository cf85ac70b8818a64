"""The text of an objective: what is read, what is printed, what is rejected."""

import pytest

from tools.experiment import Objective
from tools.knee import slo
from tools.status import PlainError


@pytest.mark.parametrize(
    ("text", "objective", "printed"),
    [
        ("p99<50ms, errors<0.1%", Objective(p99_ms=50, ok_share=0.999), "p99<50ms, errors<0.1%"),
        ("errors <= 2 % ,p99 <= 1.5s", Objective(p99_ms=1500, ok_share=0.98), "p99<1500ms, errors<2%"),
        ("p99<500us", Objective(p99_ms=0.5, ok_share=0.999), "p99<0.5ms, errors<0.1%"),
        ("p99<5ms,errors<0%", Objective(p99_ms=5, ok_share=1), "p99<5ms, errors<0%"),
    ],
)
def test_an_objective_is_read_and_printed_in_one_form(text: str, objective: Objective, printed: str) -> None:
    assert slo.read(text) == objective
    assert slo.written(objective) == printed


@pytest.mark.parametrize(
    "text", ["", "p95<5ms", "p99<5", "p99>5ms", "errors<1%", "p99<0ms", "p99<5ms, errors<100%", "p99<5ms, p99<6ms"]
)
def test_what_is_no_objective_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(PlainError) as caught:
        slo.read(text)
    assert str(caught.value).startswith(f"--slo {text!r}: ")
    assert str(caught.value).endswith("as 'p99<50ms, errors<0.1%'")
