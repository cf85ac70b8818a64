"""What a handler's code shows of its style: how many functions, and what is stored between them."""

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from types import CodeType, FrameType, ModuleType

from sweetspot.v1 import workload_pb2

from services.workload.costs.handlers import drive, run_of

PLAN = workload_pb2.RunRequest(
    steps=[
        workload_pb2.Step(compute=workload_pb2.Compute(rounds=1)),
        workload_pb2.Step(call=workload_pb2.Call()),
        workload_pb2.Step(compute=workload_pb2.Compute(rounds=1)),
        workload_pb2.Step(sleep=workload_pb2.Sleep()),
        workload_pb2.Step(compute=workload_pb2.Compute(rounds=1)),
    ]
)
"""A call with two waits."""


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """Of one style. `of_a_call` is what a call of PLAN comes through."""

    lines: int
    """Neither empty nor documentation; imports and protocols left out."""
    functions: int
    """Lambdas among them."""
    functions_of_a_call: int
    entries_of_a_call: int
    """Times that one of these is entered, or entered again after a wait."""
    saved_by_hand: int
    """Fields that some function writes into a record for another one to read."""
    captured: int
    """Variables that a closure stores for a function that runs later, functions themselves left out."""
    jumps_back: int
    """Times that a call continues in a function that is written above the one that it leaves."""
    waits_marked: int
    """Places in the text where the handler waits visibly: `await`, `yield`, or what comes next as an argument."""
    waits_unmarked: int
    """Places where it waits, and the text looks like any other call."""


def read(style: str, handlers: ModuleType) -> SourceCounts:
    """The figures of a style's module."""
    text = inspect.getsource(handlers)
    written = list(_handler(ast.parse(text)))
    entered = entries(style, handlers)
    waits, marked = _waits(written)
    return SourceCounts(
        lines=_lines(written),
        functions=sum(isinstance(node, _FUNCTIONS) for node in _nodes(written)),
        functions_of_a_call=len(set(entered)),
        entries_of_a_call=len(entered),
        saved_by_hand=len(_written_to_self(written)),
        captured=len(_captured(compile(text, handlers.__name__, "exec"))),
        jumps_back=sum(after.co_firstlineno < before.co_firstlineno for before, after in pairwise(entered)),
        waits_marked=marked,
        waits_unmarked=waits - marked,
    )


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _handler(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            if "Protocol" not in map(ast.unparse, node.bases):
                yield node
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _nodes(written: list[ast.stmt]) -> list[ast.AST]:
    return [part for node in written for part in ast.walk(node)]


def _lines(written: list[ast.stmt]) -> int:
    """As many as the code has without its documentation, however it is formatted."""
    for node in _nodes(written):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node):
            del node.body[0]
    return sum(1 for node in written for line in ast.unparse(node).splitlines() if line)


def _written_to_self(written: list[ast.stmt]) -> set[str]:
    return {
        node.attr
        for node in _nodes(written)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


_ARGUMENTS = {"fetch": 2, "sleep": 2, "room": 1}
"""Method of `waits` -> how many arguments it has if none of them is what runs next."""


def _waits(written: list[ast.stmt]) -> tuple[int, int]:
    """How many places wait, and how many of them show it in the text."""
    nodes = _nodes(written)
    waits = {node for node in nodes if _is_wait(node)}
    given = {
        node.func
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func in waits
        and len(node.args) > _ARGUMENTS[node.func.attr]
    }
    yielded = {part for node in nodes if isinstance(node, ast.Await | ast.Yield) for part in ast.walk(node)}
    return len(waits), len(waits & (given | yielded))


def _is_wait(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in _ARGUMENTS
        and ast.unparse(node.value) in ("waits", "self.waits")
    )


def _captured(code: CodeType) -> set[str]:
    functions = {inner.co_name for inner in _codes(code)}
    return {name for inner in _codes(code) for name in inner.co_freevars} - functions


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def entries(style: str, handlers: ModuleType) -> list[CodeType]:
    """The module's functions, in the order in which a call of PLAN enters them."""
    entered: list[CodeType] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename == handlers.__file__:
            entered.append(frame.f_code)

    run = run_of(PLAN)
    sys.setprofile(note)
    try:
        drive(style, handlers, run, lambda message: None)
    finally:
        sys.setprofile(None)
    return entered
