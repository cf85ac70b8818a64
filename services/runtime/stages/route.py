"""The route to a stage, as the stage before it uses it: into its queue or, on a bypass, its work done here.

The route of a call is set when the call comes in, and does not change. So a call in flight sees no switch, and a later
call can take another route. No agreement on the time of a switch is needed.
"""

from collections import deque
from collections.abc import Callable

from services.runtime.stages.bounded_sender import BoundedSender
from services.runtime.stages.event import Event


class Route:
    """Guarantees: each event is handed on once; events with the same route in the order in which they came."""

    def __init__(self, sender: BoundedSender) -> None:
        self.sender = sender
        self._work: Callable[[Event], object] | None = None
        self._in_work: Callable[[], int] | None = None
        self._held: deque[Event] = deque()

    def bypass_with(self, work: Callable[[Event], object], *, in_work: Callable[[], int] | None = None) -> None:
        """While the stage is bypassed, `work` is done here. Without it, a bypass skips only the stage's queue.

        `in_work` returns how many calls wait here for the end of `work`: at most `workers` may. None if none waits.
        """
        self._work = work
        self._in_work = in_work

    def has_room(self, event: Event) -> bool:
        """The queue of the stage takes one more, or is bypassed."""
        return self._is_done_here(event) or not self.sender.is_full

    @property
    def held_up(self) -> bool:
        """Events wait here: the stage before should take no more."""
        return bool(self._held) or self.sender.held_up

    def hand(self, event: Event) -> None:
        """Hands on an event that this process owns."""
        if self._work is None or not self._is_done_here(event):
            self.sender.hand(event)
        elif self._in_work is None:
            self._work(event)
        else:
            self._held.append(event)
            self.look()

    def look(self) -> None:
        """Begins the events that may be begun by now."""
        assert self._work is not None
        assert self._in_work is not None
        while self._held and self._in_work() < self.sender.row.settings.workers:
            self._work(self._held.popleft())

    def _is_done_here(self, event: Event) -> bool:
        return self._work is not None and self.sender.row.name in event.bypassed
