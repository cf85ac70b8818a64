"""Replies that are streamed: when the messages of a call came. Must not know why a call ended."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import sub

from services.driver.samples import samples
from services.wire import ClientCall, ClientEvent, MessageReceived


@dataclass(slots=True)
class ReceivedMessages:
    """What has come of one call. It is the call's context."""

    times_ns: list[int] = field(default_factory=list)
    """Of each message. Monotonic clock."""
    last: bytes = b""
    """The last message."""


@dataclass(slots=True)
class StreamedMessages:
    """The messages of all calls that are booked."""

    first_messages: "array[int]" = field(default_factory=samples)
    """From the intended send to the first message, of each call that has one. Nanoseconds."""
    gaps: "array[int]" = field(default_factory=samples)
    """From each message to the next one of its call; 0 for messages that were read at once. Nanoseconds."""

    @property
    def messages(self) -> int:
        """How many there are."""
        return len(self.first_messages) + len(self.gaps)

    def book(self, call: ClientCall, intended_ns: int) -> bytes:
        """Enters a call that has ended. Returns its last message; b"" where it has none."""
        received = _received(call)
        times_ns = received.times_ns
        if times_ns:
            self.first_messages.append(times_ns[0] - intended_ns)
            self.gaps.extend(map(sub, times_ns[1:], times_ns))
        return received.last


def take_messages(events: Iterable[ClientEvent], arrived_ns: int) -> list[ClientEvent]:
    """Notes messages with their calls. Returns the other events: the ends of calls."""
    ends: list[ClientEvent] = []
    for event in events:
        if isinstance(event, MessageReceived):
            received = _received(event.call)
            received.times_ns.append(arrived_ns)
            received.last = event.message
        else:
            ends.append(event)
    return ends


def _received(call: ClientCall) -> ReceivedMessages:
    assert isinstance(call.context, ReceivedMessages)
    return call.context
