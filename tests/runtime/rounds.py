"""A loop of either kind for tests, round by round."""

from collections.abc import Callable

from services.runtime.proactor.loop import Proactor
from services.runtime.readiness.loop import Loop


def take_round(loop: Loop | Proactor) -> None:
    """Waits for an event, and takes one round."""
    if isinstance(loop, Proactor):
        loop.dispatch(loop.completions())
    else:
        loop.dispatch(loop.poll())


def take_round_now(loop: Loop | Proactor) -> None:
    """Takes one round, whether or not something is ready."""
    loop.call_at(0, lambda: None)
    take_round(loop)


def take_rounds_until(loop: Loop | Proactor, over: Callable[[], object]) -> None:
    """Takes rounds until `over` returns something true."""
    while not over():
        take_round(loop)
