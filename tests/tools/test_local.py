"""Processes of this machine: their output is read, each failure has its reason, and none is left behind."""

import os
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tools import local
from tools.local import LocalError, Pinning, Process, running_on, started

SLEEPS = "import signal; print('listening on here', flush=True); signal.pause()"


def python(code: str) -> Sequence[str]:
    return [sys.executable, "-c", code]


def is_running(process: Process) -> bool:
    return Path(f"/proc/{process.pid}").exists()


def test_a_line_is_waited_for_and_what_came_before_it_is_not_mistaken_for_it() -> None:
    with started("it", python("print('hello'); print('listening on 127.0.0.1:80')")) as process:
        assert process.expect("listening on ", 10) == "127.0.0.1:80"


def test_a_process_that_fails_is_known_by_the_last_line_of_its_standard_error() -> None:
    with (
        started("it", python("import sys; sys.exit('first\\nAddress already in use')")) as process,
        pytest.raises(LocalError, match=r"^it ended with status 1: Address already in use$"),
    ):
        process.expect("listening on ", 10)


def test_a_process_that_is_killed_is_said_to_have_been() -> None:
    with (
        started("it", python("import os; os.kill(os.getpid(), 9)")) as process,
        pytest.raises(LocalError, match=r"^it ended by signal 9: it printed nothing$"),
    ):
        process.finish(10)


def test_a_process_that_stays_silent_is_given_up() -> None:
    with (
        started("it", python(SLEEPS)) as process,
        pytest.raises(LocalError, match=r"^it did not print 'control on' in"),
    ):
        process.expect("control on ", 0.01)


def test_a_process_that_cannot_be_started_is_one_line() -> None:
    with (
        pytest.raises(LocalError, match=r"^it: cannot be started: No such file or directory$"),
        started("it", ["/no/such/program"]),
    ):
        pass


def test_a_process_ends_with_its_block_even_when_that_fails() -> None:
    begun: list[Process] = []

    def fail() -> None:
        with started("it", python(SLEEPS)) as process:
            process.expect("listening on ", 10)
            begun.append(process)
            assert is_running(process)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not is_running(begun[0])


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell starts what runs in its background with SIGINT ignored, and Python leaves that so."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_a_process_starts_waits_until_it_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Process] = []

    def begin(self: Process, name: str, command: Sequence[str], *more: Any, **named: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        really_begin(self, name, command, *more, **named)
        begun.append(self)

    really_begin = Process.__init__
    monkeypatch.setattr(Process, "__init__", begin)
    with pytest.raises(KeyboardInterrupt), started("it", python(SLEEPS)):
        pytest.fail("went on")
    assert not is_running(begun[0])


def test_a_process_that_will_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.local.STOP_TIMEOUT_S", 0.05)
    ignores = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"
    with started("it", python(ignores)) as process:
        process.expect("listening on ", 10)
    assert not is_running(process)


def test_much_output_does_not_stop_a_process_that_nobody_listens_to() -> None:
    with started("it", python("print('x\\n' * 100_000); print('done')")) as process:
        assert process.finish(10)[-1] == "done"


def test_a_process_runs_where_it_is_pinned_with_all_its_threads() -> None:
    cpu = max(os.sched_getaffinity(0))
    in_a_thread = "import os, threading; threading.Thread(target=lambda: print(*os.sched_getaffinity(0))).start()"
    with started("it", python(in_a_thread), [cpu]) as process:
        assert process.finish(10) == [str(cpu)]


def test_whoever_runs_the_experiment_goes_back_to_where_it_was() -> None:
    before = os.sched_getaffinity(0)
    with running_on([max(before)]):
        assert os.sched_getaffinity(0) == {max(before)}
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    ("cpus", "pinning"),
    [({0}, None), ({0, 1}, Pinning([0], [1])), ({6, 2, 4}, Pinning([2], [4, 6]))],
)
def test_the_service_has_a_processor_of_its_own_where_there_are_two(cpus: set[int], pinning: Pinning | None) -> None:
    assert Pinning.over(cpus) == pinning


def test_an_interrupt_that_was_lost_in_a_destructor_is_raised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.local.LOST_INTERRUPT_S", 0.01)
    monkeypatch.setattr("tools.local.INTERRUPTED", Event())
    with started("it", python(SLEEPS)) as process:
        local.INTERRUPTED.set()
        with pytest.raises(KeyboardInterrupt):
            process.expect("never", timeout_s=60)


def test_what_is_killed_leaves_nothing_that_it_has_started() -> None:
    script = "import os, signal; child = os.fork() or signal.pause(); print(child, flush=True); signal.pause()"
    with started("it", python(script)) as process:
        child = os.pidfd_open(int(process.expect("", 60)))
        process.kill()
        assert process.has_ended()
        waiting = select.poll()
        waiting.register(child, select.POLLIN)
        assert waiting.poll(10_000)
        os.close(child)
