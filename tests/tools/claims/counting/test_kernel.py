"""System calls are counted one by one, and a receive that can block is distinguished from one that cannot."""

import json
import sys

import pytest

from tools.claims.counting import COUNTINGS
from tools.local import Programs, started

RECEIVES = 5
PROGRAM = """
import signal, socket, sys
one, other = socket.socketpair()
other.setblocking({blocking})
for _ in range({receives}):
    one.send(b"x")
    other.recv(1)
print("ready", flush=True)
signal.pause()
"""


def counted(*, blocking: bool, receives: int) -> dict[str, int]:
    """The system calls of a process that receives so often on a socket in that mode."""
    program = PROGRAM.format(blocking=blocking, receives=receives)
    command = [sys.executable, "-m", "tools.system_calls", sys.executable, "-c", program]
    with started("it", command, answers=True) as process:
        process.expect("ready", 60)
        counts: dict[str, int] = json.loads(process.ask("count", 60))
        return counts


@pytest.mark.parametrize(("blocking", "more_blocking"), [(True, RECEIVES), (False, 0)])
def test_a_receive_is_blocking_where_its_socket_is(blocking: bool, more_blocking: int) -> None:
    none, some = (counted(blocking=blocking, receives=receives) for receives in (0, RECEIVES))
    assert some["sends"] - none["sends"] == RECEIVES
    assert some["receives"] - none["receives"] == RECEIVES
    assert some["blocking_receives"] - none["blocking_receives"] == more_blocking


def test_a_process_that_fails_is_known_by_its_last_words_and_status() -> None:
    command = [
        sys.executable,
        "-m",
        "tools.system_calls",
        sys.executable,
        "-c",
        "import sys; sys.exit(3)",
    ]
    with started("it", command, answers=True) as process:
        assert process.has_ended(60)
        assert process.status == 3


def test_what_this_machine_cannot_start_is_left_out() -> None:
    absent = Programs(services=(sys.executable, "-c", "import sys; sys.exit(3)"))
    assert COUNTINGS["kernel"].count(absent) == {}


def test_a_reactor_waits_and_a_thread_receives() -> None:
    found = COUNTINGS["kernel"].count(Programs())
    assert found["reactor"]["total"]["blocking_receives"] == 0
    # On a busy machine the next call may come before the loop waits for it.
    assert found["reactor"]["per_call"]["blocking_waits"] > 0
    assert found["thread_per_connection"]["per_call"]["blocking_receives"] >= 1
