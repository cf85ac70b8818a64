"""A backend that answers at once and counts how often it was asked: a step that is taken twice asks it twice.

Must not know who asks it, or why.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sweetspot.v1.backend_pb2 import FetchReply, FetchRequest


class CountingBackend:
    """A backend that counts its calls, with one thread for all of them."""

    def __init__(self) -> None:
        self.address = ""
        """HOST:PORT, once it listens."""
        self.asked = 0
        """Number of calls so far."""

    def fetch(self, _request: FetchRequest, _context: object) -> FetchReply:
        """Answers at once, also if a delay is asked for."""
        self.asked += 1
        return FetchReply()


@contextmanager
def counting_backend() -> Iterator[CountingBackend]:
    """For as long as the block lasts."""
    import grpc  # noqa: PLC0415  (it takes 0.1 s to load)

    backend = CountingBackend()
    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(backend.fetch, FetchRequest.FromString, FetchReply.SerializeToString)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("sweetspot.v1.Backend", {"Fetch": handler})])
    backend.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield backend
    finally:
        server.stop(None).wait()
