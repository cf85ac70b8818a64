"""A function of the user as the work of a call: `--function MODULE:FUNCTION`, and a step with ENGINE_OWN.

A service imports the module once, before it forks: what the module opens at import is shared by its processes.
"""

import importlib
import inspect
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.wire import Code, RpcError

MASK_32 = 0xFFFF_FFFF
PATTERN = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"
FORM = "MODULE:FUNCTION, such as shop.prices:quote"


class BadFunctionError(Exception):
    """A function that no service can call; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class Own:
    """A function, called without arguments."""

    name: str
    """As `shop.prices:quote`."""
    function: Callable[[], Any]
    """What it returns has to be awaited if `is_async`."""
    is_async: bool = False

    def number(self, result: object) -> int:
        """What goes into the checksum. Raises RpcError for a type that has no fixed bytes."""
        if result is None:
            return 0
        if isinstance(result, int):
            return result & MASK_32
        if isinstance(result, str | bytes):
            return zlib.crc32(result.encode() if isinstance(result, str) else result)
        if inspect.iscoroutine(result):
            result.close()  # else Python warns that nothing has awaited it
        raise RpcError(
            Code.INTERNAL,
            f"{self.name} returned {type(result).__name__}: return None, int, str or bytes instead, or define it with "
            "`async def`",
        )


_own: Own | None = None
"""What this process calls."""


def load(name: str) -> Own:
    """Imports it. Raises BadFunctionError."""
    if re.fullmatch(PATTERN, name) is None:
        raise BadFunctionError(f"{name!r} is not {FORM}")
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the module of a user can raise anything
        raise BadFunctionError(f"{name}: cannot import {module_name}: {type(error).__name__}: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise BadFunctionError(f"{name}: {module_name} has no function {function_name}")
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError) as error:
        raise BadFunctionError(f"{name}: it is called without arguments: {error}") from error
    # An object is called by a method of its class, which may be async too.
    called = function if inspect.isroutine(function) or isinstance(function, partial) else type(function).__call__
    return Own(name, function, inspect.iscoroutinefunction(called))


def use(own: Own | None) -> None:
    """From now on, steps of this process call it."""
    global _own  # noqa: PLW0603  (one for each process, as its options are)
    _own = own


def is_async() -> bool:
    """Whether this process has a function that it must await."""
    return _own is not None and _own.is_async


def call(times: int) -> int:
    """Calls it so many times; the number of the last result. Raises RpcError, and what the function raises."""
    own = _known()
    if own.is_async:
        raise RpcError(Code.FAILED_PRECONDITION, f"{own.name} is async, and this handler cannot await it")
    number = 0
    for _ in range(times):
        number = own.number(own.function())
    return number


async def awaited(times: int) -> int:
    """The same, where the function is async or not."""
    own = _known()
    number = 0
    for _ in range(times):
        result = own.function()
        number = own.number(await result if own.is_async else result)
    return number


def _known() -> Own:
    if _own is None:
        raise RpcError(Code.FAILED_PRECONDITION, "this service was started without --function MODULE:FUNCTION")
    return _own
