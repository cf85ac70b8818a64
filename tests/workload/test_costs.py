"""The costs that are stated of the styles are those of the code that serves."""

import ast
import inspect
from collections.abc import Callable, Iterator
from types import CoroutineType, ModuleType
from typing import Any

import pytest
from sweetspot.v1 import workload_pb2

from services.workload import callbacks, ripped
from services.workload.costs import STYLES, chain, depth, edits, handlers, source, suspended_bytes
from services.workload.costs.edits import PAUSE_US, lines_to_change

WAITS = 2
"""Of the plan that is counted with."""


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def replies(style: str, module: ModuleType) -> list[tuple[int, int]]:
    messages: list[bytes] = []
    handlers.drive(style, module, handlers.run_of(source.PLAN), messages.append)
    read = [workload_pb2.RunReply.FromString(message) for message in messages]
    return [(reply.steps, reply.checksum) for reply in read]


def slept_us(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes every sleep that a handler asks for."""
    durations_us: list[int] = []

    def noting(sleep: Any) -> Any:
        def noted(self: object, duration_us: int, *rest: Any) -> Any:
            durations_us.append(duration_us)
            return sleep(self, duration_us, *rest)

        return noted

    for waits in (handlers.LinearWaits, handlers.CoroutineWaits, handlers.ParkingWaits):
        monkeypatch.setattr(waits, "sleep", noting(waits.sleep))
    return durations_us


def test_an_edited_handler_waits_after_each_step_of_work_and_does_the_same(
    style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = ModuleType(style)
    exec(edits.edited(style, STYLES[style]), edited.__dict__)
    durations_us = slept_us(monkeypatch)
    assert replies(style, edited) == replies(style, STYLES[style]) == replies("linear", STYLES["linear"])
    assert durations_us.count(PAUSE_US) == sum(step.HasField("compute") for step in source.PLAN.steps)


def test_an_edit_that_does_not_fit_the_code_is_refused() -> None:
    with pytest.raises(ValueError, match="an edit of linear replaces is 0 times"):
        edits.edited("linear", STYLES["ripped"])


LINES = [
    ("a\nb\n", "a\nb\n", 0),
    ("a\nb\n", "a\nx\nb\n", 1),
    ("a\nb\n", "a\nx\n", 1),
    ("a\nb\nc\n", "a\n", 2),
    ("a\nb\n", "x\ny\n\nz\n", 3),
]


@pytest.mark.parametrize(("before", "after", "lines"), LINES)
def test_a_line_counts_once_whether_it_is_added_removed_or_changed(before: str, after: str, lines: int) -> None:
    assert lines_to_change(before, after) == lines


AMOUNT, TOTAL = 100, 120


def chained(style: str, waited: list[str]) -> Iterator[int]:
    """What the chain of a style comes to, with a wait that is noted and then over."""
    due: list[Callable[[], None]] = []
    ended: list[int] = []

    async def await_it() -> None:
        waited.append(style)
        await handlers.Suspend()

    def block_or_park(then: Callable[[], None] | None = None) -> None:
        waited.append(style)
        if then is not None:
            due.append(then)

    names: dict[str, Any] = {"wait": await_it if style == "coroutine" else block_or_park}
    exec(chain.AFTER[style], names)
    if style in ("linear", "green"):
        ended.append(names["outer"](AMOUNT))
    elif style in ("coroutine", "continuations"):
        started = names["outer"](AMOUNT)
        try:
            while True:
                wait = started.send(None)
                if wait is not None:
                    wait()
        except StopIteration as end:
            ended.append(end.value)
    else:
        begin = names["outer"] if style == "closures" else names["Outer"]().begin
        begin(AMOUNT, ended.append)
        assert not ended, "it waits before it ends"
        due.pop()()
    yield from ended


def test_a_chain_that_waits_comes_to_what_the_plain_one_does(style: str) -> None:
    names: dict[str, Any] = {}
    exec(chain.PLAIN, names)
    assert names["outer"](AMOUNT) == TOTAL
    waited: list[str] = []
    assert list(chained(style, waited)) == [TOTAL]
    assert waited == [style]


def test_fields_saved_by_hand_are_those_of_the_record() -> None:
    found = {name: source.read(name, module).saved_by_hand for name, module in STYLES.items()}
    assert found == {**dict.fromkeys(STYLES, 0), "ripped": len(ripped.CallRecord.__slots__)}


def test_only_the_straight_lines_are_one_function() -> None:
    read = {name: source.read(name, module) for name, module in STYLES.items()}
    assert {name for name, found in read.items() if found.functions == 1} == {"linear", "green", "coroutine"}
    assert all(read[name].functions_of_a_call > WAITS for name in ("closures", "ripped"))
    assert all(found.functions_of_a_call <= found.functions for found in read.values())


def test_closures_are_made_only_for_a_step_that_waits() -> None:
    assert not callbacks.proceed.__code__.co_cellvars


@pytest.mark.parametrize("style", ["linear", "green"])
def test_a_straight_line_does_not_say_where_it_waits(style: str) -> None:
    found = source.read(style, STYLES[style])
    assert (found.waits_marked, found.waits_unmarked, found.jumps_back) == (0, 3, 0)


@pytest.mark.parametrize("style", ["coroutine", "continuations", "closures", "ripped"])
def test_every_other_style_says_at_each_place_that_it_waits(style: str) -> None:
    found = source.read(style, STYLES[style])
    assert found.waits_marked >= 3
    assert found.waits_unmarked == 0


def test_callbacks_go_on_above_the_place_that_they_leave() -> None:
    read = {name: source.read(name, module).jumps_back for name, module in STYLES.items()}
    assert {name for name, jumps in read.items() if jumps} == {"continuations", "closures", "ripped"}


def test_documentation_is_no_line_of_code() -> None:
    text = '"""Module."""\nimport os\n\ndef handle():\n    """Does.\n\n    Much.\n    """\n    return 1\n'
    assert source._lines(list(source._handler(ast.parse(text)))) == 2


@pytest.mark.parametrize("levels", [1, 5])
def test_a_coroutine_is_entered_through_every_function_above_it(levels: int) -> None:
    resume = depth.coroutine(levels)
    started = inspect.getclosurevars(resume).nonlocals["started"]
    found = 0
    while isinstance(started, CoroutineType):
        found += 1
        started = started.cr_await
    assert found == levels


def test_a_chain_waits_again_each_time_that_it_is_resumed(style: str) -> None:
    resume = depth.CHAINS[style](3)
    for _ in range(3):
        resume()


def test_what_is_measured_waits(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    durations_us = slept_us(monkeypatch)
    runs = [handlers.run_of(suspended_bytes.PLAN) for _ in range(5)]
    held = suspended_bytes.suspend(style, runs)
    assert len(held) == len(durations_us) == 5
    assert {run._index for run in runs} == {0}, "no step is over"
