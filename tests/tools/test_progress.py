"""Progress shows what has ended, and how long the rest takes."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from tools.progress import Progress
from tools.units import rest


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (39.2, "40 s"), (170, "3 min"), (5_370, "1 h 30 min"), (7_800, "2 h 10 min")],
)
def test_a_rest_is_as_exact_as_an_estimate(seconds: float, words: str) -> None:
    assert rest(seconds) == words


def times(*seconds: float) -> Iterator[float]:
    yield from seconds
    while True:
        yield seconds[-1]


def lines(terminal: bool) -> str:
    """Of three parts that take 20 s each, where 100 s were expected."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, _environ={"TERM": "xterm"})
    now_s = 0.0
    with Progress(console, 3, expected_s=100, clock=lambda: now_s) as progress:
        for name in ("one", "two", "three"):
            progress.at_hand(name)
            now_s += 20
            progress.ended(name)
    return out.getvalue()


def test_where_no_terminal_is_each_line_says_how_long_the_rest_takes() -> None:
    assert lines(terminal=False).splitlines() == ["1/3  one  (40 s left)", "2/3  two  (20 s left)", "3/3  three"]


def test_a_part_that_does_not_run_makes_the_others_no_faster() -> None:
    out, now_s = io.StringIO(), 0.0
    with Progress(Console(file=out, width=100), 3, expected_s=100, clock=lambda: now_s) as progress:
        progress.left_out("one")
        now_s += 20
        progress.ended("two")
        progress.ended("three")
    assert out.getvalue().splitlines() == ["one", "1/2  two  (20 s left)", "2/2  three"]


def test_on_a_terminal_one_line_below_is_drawn_again_and_says_so() -> None:
    told = lines(terminal=True)
    assert "1/3  one\n" in told.replace("\r", "")
    assert "5 min left" in told
