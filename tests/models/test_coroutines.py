"""A coroutine for each connection, a task for each call. None of them outlives its client."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from sweetspot.v1 import workload_pb2

from services.models import coroutines
from services.models.coroutines import CoroutineConnection
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.libraries.aio import AsyncioWaits
from services.runtime.service import Service
from services.wire import ClientSession

TIMEOUT_S = 10
SLEEPS = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=60_000_000))])


class Reset:
    """A writer, and its transport, whose client has reset the connection."""

    @property
    def transport(self) -> "Reset":
        return self

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None: ...

    async def drain(self) -> None:
        raise ConnectionResetError


def test_tasks_of_a_client_whose_reset_is_met_by_a_write_are_cancelled() -> None:
    async def story() -> None:
        reader = asyncio.StreamReader()
        client = ClientSession("in.memory")
        client.start("/sweetspot.v1.Workload/Run", SLEEPS.SerializeToString())
        reader.feed_data(client.data_to_send())
        reader.feed_eof()
        writer: Any = Reset()
        service = Service("coroutines", Config(), drain=Drain())
        async with asyncio.timeout(TIMEOUT_S):
            await CoroutineConnection(reader, writer, service, AsyncioWaits(None)).serve()
            while service.calls_in_flight.own():  # until its task has ended
                await asyncio.sleep(0)

    asyncio.run(story())


class Unread:
    """A writer whose client reads nothing: neither `drain` nor `close` ends before `abort`."""

    def __init__(self, unsent_bytes: int) -> None:
        self.aborted = asyncio.Event()
        self.transport = SimpleNamespace(get_write_buffer_size=lambda: unsent_bytes, abort=self.aborted.set)

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None: ...

    async def drain(self) -> None:
        await self.aborted.wait()


@pytest.mark.parametrize("unsent_bytes", [1, 2 * coroutines.UNSENT_BYTES], ids=["a rest", "more than a buffer"])
@pytest.mark.parametrize("last", [b"", b"-" * 100], ids=["the client closes", "the client speaks no HTTP/2"])
def test_a_client_that_reads_nothing_is_cut_off_when_its_session_is_over(
    last: bytes, unsent_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coroutines, "LINGER_S", 0.005)
    monkeypatch.setattr(coroutines, "WRITE_STALL_S", 0.02)

    async def story() -> None:
        reader = asyncio.StreamReader()
        if last:
            reader.feed_data(last)
        else:
            reader.feed_eof()
        writer: Any = Unread(unsent_bytes)
        service = Service("coroutines", Config(), drain=Drain())
        serving = asyncio.create_task(CoroutineConnection(reader, writer, service, AsyncioWaits(None)).serve())
        async with asyncio.timeout(2):
            await writer.aborted.wait()
        serving.cancel()

    asyncio.run(story())
