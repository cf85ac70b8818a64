"""The countings of styles: figures of the code are counted once, figures of a run in each round."""

from services.workload.costs import STYLES, source
from tools.claims.counting import COUNTINGS
from tools.local import Programs


def test_what_the_code_says_is_exact_and_counted_once() -> None:
    counting = COUNTINGS["styles"]
    counted = counting.count(Programs())
    assert not counting.rounds
    assert {style: cost["code"]["functions"] for style, cost in counted.items()} == {
        style: source.read(style, module).functions for style, module in STYLES.items()
    }
    assert all(set(cost) == {"code", "lines_to_change"} for cost in counted.values())


def test_what_a_stack_costs_is_measured_in_each_round() -> None:
    counting = COUNTINGS["stacks"]
    counted = counting.count(Programs())
    assert counting.rounds
    assert counted["linear"]["suspended"]["reserved_bytes"] > counted["ripped"]["suspended"]["reserved_bytes"]
    assert {"1", "64"} <= counted["coroutine"]["resume_ns"].keys()
