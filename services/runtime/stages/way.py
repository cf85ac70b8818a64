"""The way to a stage, as the stage before it sees it: into its queue or, on a bypass, its work done here.

The way of a call is set when the call comes in, and does not change. So a call in flight sees no switch, and a later
call can take another way. No agreement on the time of a switch is needed.
"""

from collections import deque
from collections.abc import Callable

from services.runtime.stages.event import Event
from services.runtime.stages.hop import Hop


class Way:
    """Guarantees: each event is handed on once; those that take the same way in the order in which they came."""

    def __init__(
        self, hop: Hop, *, inline: Callable[[Event], None] | None = None, inline_calls: Callable[[], int] | None = None
    ) -> None:
        """inline: does the stage's work here; None where a bypass is the stage's own affair.

        inline_calls: how many wait here for the end of that work, of `workers` at most; None where it is done at once.
        """
        self.hop = hop
        self._inline = inline
        self._inline_calls = inline_calls
        self._held: deque[Event] = deque()

    def has_room(self, event: Event) -> bool:
        """The queue of the stage takes one more, or is passed by."""
        return self._is_inline(event) or not self.hop.is_full

    @property
    def held_up(self) -> bool:
        """Events wait here: the sender should take no more."""
        return bool(self._held) or self.hop.held_up

    def hand(self, event: Event) -> None:
        """Hands on an event that this process answers for."""
        if self._inline is None or not self._is_inline(event):
            self.hop.hand(event)
        elif self._inline_calls is None:
            self._inline(event)
        else:
            self._held.append(event)
            self.look()

    def look(self) -> None:
        """Does here what may be done by now."""
        assert self._inline is not None
        assert self._inline_calls is not None
        while self._held and self._inline_calls() < self.hop.row.settings.workers:
            self._inline(self._held.popleft())

    def _is_inline(self, event: Event) -> bool:
        return self._inline is not None and self.hop.row.name in event.bypassed
