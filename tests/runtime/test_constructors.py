"""An object is made first and registered with a loop later, by the code that made it: a reader sees both."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import services

REGISTER = {
    *("register", "call_at", "soon"),  # on a loop of ours
    *("accept", "receive", "poll", "timeout"),  # on io_uring
    *("add_reader", "call_soon", "call_later", "create_task"),  # on asyncio
}
"""Methods that have a loop call an object back."""
CLASSES = [
    pytest.param(node, id=f"{path.stem}.{node.name}")
    for folder in ("runtime", "models")
    for path in sorted((Path(services.__path__[0]) / folder).rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.ClassDef) and any(getattr(each, "name", "") == "__init__" for each in node.body)
]


def is_of_self(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "self" for each in ast.walk(node))


def registered_by(name: str, methods: dict[str, ast.FunctionDef]) -> Iterator[str]:
    """Calls that register the object or one of its methods, also those by other methods that it calls."""
    for call in ast.walk(methods[name]):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            called = call.func.attr
            if called in REGISTER and any(map(is_of_self, call.args)):
                yield ast.unparse(call)
            elif ast.unparse(call.func.value) == "self" and called in methods.keys() - {name}:
                yield from registered_by(called, methods)


@pytest.mark.parametrize("node", CLASSES)
def test_no_constructor_registers_its_object_with_a_loop(node: ast.ClassDef) -> None:
    methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
    assert not list(registered_by("__init__", methods))
