"""The way to a stage, as the process before it sees it: into its queue or, on a bypass, its work done here.

Which of them a call takes it is told when it comes in, and keeps to: so a call that is under way sees no switch, and
one that comes later takes another way without anybody having to agree on when.
"""

from collections import deque
from collections.abc import Callable

from services.runtime.stages.event import Event
from services.runtime.stages.hop import Hop


class Way:
    """Guarantees: each event is handed on once; those that take the same way in the order in which they came."""

    def __init__(self, hop: Hop, *, inline: Callable[[Event], None], inline_calls: Callable[[], int]) -> None:
        """`inline` does the stage's work here; `inline_calls` tells how many wait for its end, of `workers` at most."""
        self.hop = hop
        self._inline = inline
        self._inline_calls = inline_calls
        self._held: deque[Event] = deque()

    def has_room(self, event: Event) -> bool:
        """It would not have to wait for room here."""
        return self.hop.row.name in event.bypassed or self.hop.has_room

    @property
    def held_up(self) -> bool:
        """Events wait here: whoever hands them on should take no more."""
        return bool(self._held) or self.hop.held_up

    def hand(self, event: Event) -> None:
        """Hands on an event that this process answers for."""
        if self.hop.row.name in event.bypassed:
            self._held.append(event)
            self.look()
        else:
            self.hop.hand(event.packed())

    def look(self) -> None:
        """Does here what may be done by now."""
        while self._held and self._inline_calls() < self.hop.row.settings.workers:
            self._inline(self._held.popleft())
