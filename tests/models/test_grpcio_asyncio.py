"""grpcio's asyncio server, as far as what is around it is ours."""

import asyncio

from services.models.grpcio_asyncio import serve_until_drained
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.service import Service


def test_a_loop_that_has_been_told_to_drain_is_not_told_again_and_again() -> None:
    async def story() -> bool:
        drain = Drain()
        drain.request()
        service = Service("grpcio_asyncio", Config(of_model={"processes": 1}), drain=drain)
        await serve_until_drained(service, 0, lambda _: None)
        return asyncio.get_running_loop().remove_reader(drain)

    assert not asyncio.run(story())
