"""A coroutine for each connection, a task for each call: none outlives whoever waits for it."""

import asyncio
from typing import Any

from sweetspot.v1 import workload_pb2

from services.models.coroutines import Connection
from services.runtime.aio import AsyncioWaits
from services.runtime.config import Config
from services.runtime.drain import Drain
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
            await Connection(reader, writer, service, AsyncioWaits(None)).serve()
            while service.calls_in_flight.own():  # until its task has ended
                await asyncio.sleep(0)

    asyncio.run(story())
