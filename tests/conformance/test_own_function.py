"""A service that runs a function of the user: an async one only where handlers are coroutines."""

import subprocess
import sys
import zlib
from pathlib import Path

import grpc
import pytest
from sweetspot.v1.workload_pb2 import Compute, RunRequest, Step

from services.models import MODELS
from tests.conformance.conftest import Workload
from tests.serving import serving

SHOP = """
import asyncio
both = 0
met = asyncio.Event()
async def meet():
    "Returns once two calls are in it."
    global both
    both += 1
    if both == 2:
        met.set()
    await met.wait()
    return 7
def block(): return 7
"""
OWN = RunRequest(steps=[Step(compute=Compute(rounds=1, engine=Compute.ENGINE_OWN))])
AWAITING = [name for name, model in MODELS.items() if model.awaits]
CHECKSUM = zlib.crc32((7).to_bytes(4, "big"))
TIMEOUT_S = 20


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")


@pytest.mark.parametrize("model", AWAITING)
def test_calls_wait_in_an_async_function_at_the_same_time(model: str) -> None:
    with serving(model, "--function", "shop:meet") as service, grpc.insecure_channel(service.address) as channel:
        calls = [Workload(channel).run.future(OWN, timeout=TIMEOUT_S) for _ in range(2)]
        assert [call.result().checksum for call in calls] == [CHECKSUM, CHECKSUM]


@pytest.mark.parametrize("model", [*AWAITING, "thread_pool"])
def test_a_function_that_blocks_runs_in_every_model(model: str) -> None:
    with serving(model, "--function", "shop:block") as service, grpc.insecure_channel(service.address) as channel:
        assert Workload(channel).run(OWN, timeout=TIMEOUT_S).checksum == CHECKSUM


def test_a_model_that_cannot_await_rejects_an_async_function() -> None:
    command = [sys.executable, "-m", "services", "thread_pool", "--function", "shop:meet"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert ended.returncode == 2
    assert ended.stderr == (
        "thread_pool: --function shop:meet is async: only coroutines and grpcio_asyncio can await it\n"
    )
