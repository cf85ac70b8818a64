"""A function of the user as the work of a step: what it may be, and what becomes of what it returns."""

import asyncio
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweetspot.v1.workload_pb2 import Compute

from services.wire import Code, RpcError
from services.workload import own
from services.workload.costs.function import costs
from services.workload.own import BadFunctionError
from services.workload.steps import compute

SHOP = """
import functools
calls = []
def quote():
    calls.append(1)
    return 7
def name(): return "shop"
def nothing(): pass
def many(): return [1]
def of(item): return item
async def awaited(): return 1
async def awaited_list(): return [1]
def returns_coroutine(): return awaited()
class Quote:
    async def __call__(self): return 1
quote_object = Quote()
quote_part = functools.partial(awaited)
number = 5
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    own.use(None)
    sys.modules.pop("shop", None)


def step(rounds: int = 1) -> Compute:
    return Compute(rounds=rounds, engine=Compute.ENGINE_OWN)


def test_a_step_calls_it_as_often_as_it_has_rounds() -> None:
    function = own.load("shop:quote")
    own.use(function)
    assert compute(step(3)) == 7
    assert len(sys.modules["shop"].calls) == 3


@pytest.mark.parametrize(("name", "folded"), [("nothing", 0), ("quote", 7), ("name", zlib.crc32(b"shop"))])
def test_what_it_returns_goes_into_the_checksum(name: str, folded: int) -> None:
    own.use(own.load(f"shop:{name}"))
    assert compute(step()) == folded


def test_a_result_without_fixed_bytes_ends_the_call() -> None:
    own.use(own.load("shop:many"))
    with pytest.raises(RpcError) as ended:
        compute(step())
    assert (ended.value.code, ended.value.message) == (
        Code.INTERNAL,
        "shop:many returned list: return None, int, str or bytes instead, or define it with `async def`",
    )


def test_a_service_without_one_rejects_the_step() -> None:
    with pytest.raises(RpcError) as ended:
        compute(step())
    assert ended.value.code == Code.FAILED_PRECONDITION


def test_an_async_function_is_awaited_by_a_handler_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the others it is rejected: what it returns is a coroutine, which nothing would run."""
    own.use(own.load("shop:awaited"))
    assert own.is_async()
    assert asyncio.run(own.awaited(3)) == 1
    with pytest.raises(RpcError) as ended:
        compute(step())
    assert (ended.value.code, ended.value.message) == (
        Code.FAILED_PRECONDITION,
        "shop:awaited is async, and this handler cannot await it",
    )
    own.use(own.load("shop:awaited_list"))
    with pytest.raises(RpcError, match="shop:awaited_list returned list"):
        asyncio.run(own.awaited(1))


@pytest.mark.parametrize("name", ["quote_object", "quote_part"])
def test_an_object_whose_call_is_async_is_awaited_too(name: str) -> None:
    own.use(own.load(f"shop:{name}"))
    assert own.is_async()
    assert asyncio.run(own.awaited(1)) == 1


def test_a_function_that_only_returns_a_coroutine_is_rejected_before_a_service_has_it() -> None:
    """The cost is measured first, so a person sees this instead of services that answer INTERNAL."""
    with pytest.raises(RpcError, match=r"shop:returns_coroutine returned coroutine: .* define it with `async def`"):
        asyncio.run(costs(own.load("shop:returns_coroutine")))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("shop", "'shop' is not MODULE:FUNCTION, such as shop.prices:quote"),
        ("shop:", "'shop:' is not MODULE:FUNCTION"),
        ("nosuch:f", "nosuch:f: cannot import nosuch: ModuleNotFoundError: No module named 'nosuch'"),
        ("broken:f", "broken:f: cannot import broken: ZeroDivisionError: division by zero"),
        ("shop:nosuch", "shop:nosuch: shop has no function nosuch"),
        ("shop:number", "shop:number: shop has no function number"),
        ("shop:of", "shop:of: it is called without arguments: missing a required argument: 'item'"),
    ],
)
def test_a_function_that_cannot_be_called_is_one_line(name: str, why: str) -> None:
    with pytest.raises(BadFunctionError) as refused:
        own.load(name)
    assert why in str(refused.value)


def test_its_cost_is_measured_call_by_call() -> None:
    found = asyncio.run(costs(own.load("shop:quote")))
    assert (
        len(found["cpu_ns"]) == len(found["wall_ns"]) == len(sys.modules["shop"].calls) - 1
    )  # the first is not counted
    assert all(wall > 0 for wall in found["wall_ns"])
