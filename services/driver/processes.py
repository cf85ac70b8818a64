"""One run made by several processes of this machine, its shards: one command uses so many cores.

    this process ──fork──> shards: open ── "open" ──> all are open: begins them at one instant
                           load  ── "measuring", "measured", "answered" ──> printed when all have come so far
                           close ── result ──> merged as those of shards elsewhere

All have one monotonic clock, so that no barrier has to compare any. A shard that is lost makes the run void; what it
had measured until a second before is in a file beside the result, which every other end of the run removes.
Must not know how a shard makes its load, nor where the result goes.
"""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic_ns as clock
from types import FrameType
from typing import Any, NoReturn

from services.driver import checkpoint
from services.driver.barrier import ShardStart
from services.driver.checkpoint import Checkpoint
from services.driver.load_run import REFUSALS, LoadRun, RunRefused
from services.driver.merge import VoidRun, merge
from services.driver.options import Options
from services.driver.shard import Shard

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# From the message with the time of the start to that time: long against the message's way.
_LEAD_NS = 100_000_000
_READ_BYTES = 1 << 20
# Longer than any shard is silent besides its load: a name that is looked up, connections that are opened.
_SILENT_AT_MOST_S = 120.0


class RunInterrupted(Exception):
    """The run was stopped before it had a result. The message is one line for the user."""


def run(options: Options, announce: Callable[[str], None]) -> dict[str, Any]:
    """Makes the run in `options.processes` processes. Returns its result.

    Raises VoidRun, RunInterrupted, and every reason why a shard cannot be made.
    """
    shards: list[_ShardProcess] = []
    retain = False
    # A terminal interrupts every process; the shards are stopped by this one, once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    try:
        for index in range(options.processes):
            shards.append(_ShardProcess(replace(options, shard=Shard(index, options.processes))))
        stopped = _stop_on_signals(shards)
        results = _gather(shards, announce, options.warmup_s + options.duration_s + _SILENT_AT_MOST_S)
    except VoidRun:
        retain = True
        raise
    finally:
        for shard in shards:
            shard.end(retain=retain)
    return merge(results, interrupted=bool(stopped))


class _ShardProcess:
    """A shard in a process of its own, and the messages that come from it."""

    def __init__(self, options: Options) -> None:
        """Raises RunRefused."""
        self._shard = options.shard
        self._path = options.out.with_name(f"{options.out.name}.shard-{options.shard.index}")
        try:
            shard_checkpoint = Checkpoint(self._path)
        except OSError as error:
            raise RunRefused(f"cannot write {self._path}: {error.strerror}") from None
        self.channel, theirs = socket.socketpair()
        self._unread = b""
        self._is_stopped = False
        # Until the shard has its handler, a signal to stop waits: it would end the shard without a result.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self._pid = os.fork()
        if not self._pid:
            _live(options, theirs, shard_checkpoint)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def __str__(self) -> str:
        return f"shard {self._shard.index} of {self._shard.of}"

    def messages(self) -> list[Any]:
        """Those that have come. Raises VoidRun and RunInterrupted."""
        try:
            data = self.channel.recv(_READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._fail()
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def begin(self, begin_ns: int) -> None:
        """Lets it begin then, on the monotonic clock. Raises VoidRun and RunInterrupted."""
        try:
            self.channel.sendall(b"%d\n" % begin_ns)
        except OSError:
            self._fail()

    def stop(self) -> None:
        """Has it end its run with what it has."""
        self._is_stopped = True
        if self._pid:
            os.kill(self._pid, signal.SIGTERM)

    def end(self, *, retain: bool) -> None:
        """Ends it by force, unless it has ended. `keep`: the checkpoint stays."""
        self.channel.close()
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        if not retain:
            self._path.unlink(missing_ok=True)

    def _fail(self) -> NoReturn:
        """Reports that the process has ended too early: RunInterrupted if `stop` ended it, else VoidRun."""
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        code = os.waitstatus_to_exitcode(status)
        if self._is_stopped and code == -signal.SIGTERM:
            raise RunInterrupted(f"{self} was stopped before it had a result")
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        measured = sum(map(len, checkpoint.read(self._path).values()))
        raise VoidRun(f"{self} {how}: the run is void; {measured:,} latencies of the shard are in {self._path}")


def _stop_on_signals(shards: Sequence[_ShardProcess]) -> list[int]:
    """The first SIGINT or SIGTERM stops all shards; a second one ends this process, and the shards with it.

    Returns the list of signals that came, which grows.
    """
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        for shard in shards:
            shard.stop()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, stop)
    return came


def _gather(
    shards: Sequence[_ShardProcess], announce: Callable[[str], None], silent_at_most_s: float
) -> list[dict[str, Any]]:
    """Begins the shards together, and passes on what all of them have reached. Returns their results.

    Raises VoidRun, also if no shard sends anything for so long; RunInterrupted; and RunRefused with a shard's reason.
    """
    results: list[dict[str, Any]] = []
    reached: Counter[str] = Counter()
    running = {shard.channel: shard for shard in shards}
    while running:
        channels, _, _ = select.select(running, (), (), silent_at_most_s)
        if not channels:
            silent = " and ".join(map(str, running.values()))
            raise VoidRun(f"{silent} sent nothing for {silent_at_most_s:.0f} s: the run is void")
        for channel in channels:
            for message in running[channel].messages():
                match message:
                    case {"mark": mark}:
                        reached[mark] += 1
                        if reached[mark] == len(shards):
                            _begin(shards) if mark == "open" else announce(mark)
                    case {"refused": why}:
                        raise RunRefused(why)
                    case {"result": result}:
                        results.append(result)
                        del running[channel]
    return results


def _begin(shards: Sequence[_ShardProcess]) -> None:
    begin_ns = clock() + _LEAD_NS
    for shard in shards:
        shard.begin(begin_ns)


def _live(options: Options, channel: socket.socket, shard_checkpoint: Checkpoint) -> NoReturn:
    """The life of a shard's process."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _make(options, channel, shard_checkpoint)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _make(options: Options, channel: socket.socket, shard_checkpoint: Checkpoint) -> None:
    def send(**message: Any) -> None:
        channel.sendall(json.dumps(message).encode() + b"\n")

    try:
        shard = LoadRun(options, lambda mark: send(mark=mark), checkpoint=shard_checkpoint)
        signal.signal(signal.SIGTERM, lambda _number, _frame: shard.stop())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        shard.open()
    except REFUSALS as error:
        send(refused=str(error))
        return
    send(mark="open")
    with channel.makefile("rb") as lines:
        begin_ns = int(lines.readline())
    shard.slice(start=ShardStart(begin_ns, 0))
    shard.close()
    send(result=shard.result())
