"""Calls that another worker runs: what the asking side sends about them."""

from collections.abc import Callable

from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.forwarding import Remote
from services.runtime.link import Message
from services.runtime.loop import Loop
from services.runtime.service import Service
from services.wire import Code, ServerCall, Shape
from services.wire.request import RequestHead

RUN_STREAM = RequestHead(b"/sweetspot.v1.Workload/RunStream", (), 0)


class Recorded:
    """A link that sends nowhere."""

    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []

    def send(self, *message: object, payload_bytes: int = 0) -> None:
        self.sent.append(message)


class Full:
    """A connection whose session has no memory for a reply: it ends the call."""

    def send(self, call: ServerCall, _message: bytes) -> None:
        call.cancelled = True

    def when_room(self, _call: ServerCall, then: Callable[[], None]) -> None:
        then()

    def finish(self, call: ServerCall, code: Code, why: str = "") -> None: ...


def test_a_stream_that_finds_no_memory_for_its_reply_is_cancelled_where_it_runs() -> None:
    link, receivers = Recorded(), []

    def connect(received: Callable[[list[Message]], None], lost: Callable[[], None]) -> Recorded:
        receivers.append(received)
        return link

    remote = Remote("worker-1", connect, Service("partitioned", Config(), drain=Drain()), Loop())
    remote.run(Full(), ServerCall(1, RUN_STREAM, Shape.SERVER_STREAMING, 0))
    receivers[0]([("message", 1, b"reply")])
    assert link.sent[-1] == ("cancel", 1)
