"""The stage `admit`: admits a call, or rejects it if it cannot be handed on or the rate limit is reached."""

import time
from collections.abc import Callable

from services.runtime.counters.stage_rows import StageRow
from services.runtime.stages.event import Event, StageAnswer, Status, last_answer
from services.runtime.stages.route import Route
from services.runtime.stages.tokens import Tokens
from services.wire import Code


class Admit:
    """Never waits, so that its queue is short and a rejection is immediate."""

    def __init__(self, row: StageRow, to_compute: Route, answer: Callable[[StageAnswer], None]) -> None:
        self._row = row
        self._to_compute = to_compute
        self._answer = answer
        self._tokens = Tokens()

    def run(self, event: Event) -> None:
        """Hands it on, or answers it."""
        rate_per_s = self._row.settings.rate_per_s
        now_ns = time.monotonic_ns()
        if not self._to_compute.has_room(event):
            self._refuse(event, "queue of compute is full", retry_after_ms(self._to_compute.sender.wait_ns))
        elif not self._tokens.take(1, rate_per_s, now_ns):
            wait_ns = self._tokens.next_ns(rate_per_s, now_ns) - now_ns
            self._refuse(event, f"the rate limit of {rate_per_s} calls/s is reached", retry_after_ms(wait_ns))
        else:
            self._to_compute.hand(event)

    def _refuse(self, event: Event, why: str, retry_ms: int) -> None:
        self._row.shed.add(1)
        self._answer(last_answer(event, Status(Code.RESOURCE_EXHAUSTED, why, retry_ms)))


def retry_after_ms(wait_ns: float) -> int:
    """As long as those who are in the queue have to wait, a millisecond at least."""
    return max(1, round(wait_ns / 1e6))
