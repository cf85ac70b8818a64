"""What becomes of a call in each style if its backend misbehaves."""

import pytest

from services.wire import Code
from services.workload.costs import STYLES
from services.workload.trust import STRAIGHT, observe

HANDED_OVER = [style for style in STYLES if style not in STRAIGHT]
of_every_style = pytest.mark.parametrize("style", STYLES)


@of_every_style
@pytest.mark.parametrize("fault", ["none", "at_once"])
def test_a_call_that_is_answered_once_ends_once(style: str, fault: str) -> None:
    seen = observe(style, fault)
    assert seen.is_right(fault)
    assert (seen.ended, len(seen.sent)) == ([Code.OK], 1)


@pytest.mark.parametrize("style", HANDED_OVER)
def test_an_answer_that_comes_twice_ends_a_call_of_callbacks_twice(style: str) -> None:
    seen = observe(style, "twice")
    assert len(seen.ended) == 2
    assert not seen.is_right("twice")


@pytest.mark.parametrize("style", STRAIGHT)
def test_a_straight_line_looks_at_no_second_answer(style: str) -> None:
    assert observe(style, "twice").is_right("twice")


@of_every_style
def test_an_answer_that_never_comes_leaves_every_style_waiting(style: str) -> None:
    assert observe(style, "never").ended == []


@of_every_style
def test_an_error_in_what_goes_on_is_the_calls_own_in_every_style(style: str) -> None:
    seen = observe(style, "swallows")
    assert seen.is_right("swallows")
    assert (seen.ended, seen.sent, seen.thrown) == ([Code.INTERNAL], [], 0)
