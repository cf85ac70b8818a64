"""The accounts that `transfer` steps act on, and the ways to make them consistent: conflict management.

A transfer reads two balances, perhaps gives way, and writes both. What another transfer writes in between is lost,
unless a strategy excludes it. Knows no model: who can be in between is given as a `Sharing`.
"""

import enum
import fcntl
import mmap
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Protocol

from services.wire import Code, RpcError

_BALANCE_BYTES = 8


class Sharing(enum.Enum):
    """Who has the accounts, and so when one transfer can run in the middle of another."""

    LOOP = "one thread, which runs a call until it waits"
    THREADS = "threads of one process"
    CALLBACKS = "threads of one process that each run a call until it waits"
    LOOPS = "processes that each run a call until it waits"
    PROCESSES = "processes"
    OWNERS = "processes that each own some of the keys"


_ANYBODY = frozenset(Sharing) - {Sharing.OWNERS}
_THREADS = frozenset({Sharing.THREADS})

STRATEGIES: dict[str, frozenset[Sharing]] = {
    "cooperative": frozenset({Sharing.LOOP}),
    "lock": _THREADS,
    "striped": _THREADS,
    "striped-unordered": _THREADS,
    "short-lock": frozenset({Sharing.CALLBACKS}),
    "process-lock": frozenset({Sharing.LOOPS, Sharing.PROCESSES}),
    "partitioned": frozenset({Sharing.OWNERS}),
    "none": _ANYBODY,
}
"""Each strategy and where it makes sense; the first that does is what is taken where none is asked for.

`none`               reads, gives way, writes.
`lock`               the same, holding the one lock of all accounts.
`striped`            holding the locks of both accounts' stripes, the lower one taken first: no cycle, no deadlock.
`striped-unordered`  holding the same two, taken in the order that the call names them: two calls may wait for each
                     other. A lock not had within the timeout is taken for a deadlock.
`cooperative`        no lock: gives way first, then reads and writes without a wait between. Enough where a call runs
                     until it waits (Adya et al., USENIX 2002, section 2.1), and nowhere else.
`short-lock`         gives way first, then reads and writes holding the one lock of all accounts. Never held over a
                     wait: the threads that wait for the lock could be all that can continue the call that holds it.
`process-lock`       the same with a lock that reaches across processes: a loop would wait for what one of its own
                     calls holds.
`partitioned`        no lock: each account has an owner, and no other process changes it.
"""


def fitting_strategy(asked: str | None, sharing: Sharing) -> str:
    """The strategy to take. Raises ValueError for one that cannot protect, or cannot even wait for, what is so
    shared."""
    fits = [strategy for strategy, places in STRATEGIES.items() if sharing in places]
    if asked is None:
        return fits[0]
    if asked not in fits:
        raise ValueError(f"{asked} does not fit {sharing.value}; use {' or '.join(fits)}")
    return asked


class Partition(Protocol):
    """Which accounts are whose, for `partitioned`."""

    def owns(self, account: int) -> bool:
        """The calling process is the only one that changes this account."""

    def send_to_owner(self, account: int, amount: int) -> Callable[[], bool]:
        """Has another process book it. The result is a function that returns whether that is done.

        It raises RpcError UNAVAILABLE if this cannot be known.
        """


class Ledger:
    """So many accounts, all at 0, in memory that a fork shares.

    Guarantees: the balances add up to 0 whenever no transfer is under way, under every strategy but `none`.
    `on_lost` and `on_aborted` are called with 1 for each update that was lost and each transfer given up.
    """

    def __init__(
        self,
        accounts: int,
        strategy: str = "none",
        *,
        stripes: int = 1,
        lock_timeout_s: float = 1.0,
        on_lost: Callable[[int], None] = lambda _: None,
        on_aborted: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.accounts = accounts
        self.partition: Partition | None = None
        """Set by a model that partitions, in each of its processes."""
        self._strategy = strategy
        self._balances = memoryview(mmap.mmap(-1, accounts * _BALANCE_BYTES)).cast("q")
        self._locks = [threading.Lock() for _ in range(stripes if strategy.startswith("striped") else 1)]
        self._lock_timeout_s = lock_timeout_s
        # POSIX record locks belong to a process and end with it, however it ends (fcntl(2)).
        self._lock_file = os.memfd_create("ledger") if strategy == "process-lock" else -1
        self._on_lost = on_lost
        self._on_aborted = on_aborted

    def sum(self) -> int:
        """What all balances add up to; 0, but for lost updates and transfers under way."""
        return sum(self._balances)

    def transfer(self, debited: int, credited: int, amount: int, yields: int) -> Generator[None, None, None]:
        """Takes `amount` from one account to the other; whenever it yields, the handler is to give way.

        Locks are held until it ends or is closed. Raises RpcError ABORTED, with nothing written, for a lock not had.
        """
        if self._strategy in ("cooperative", "short-lock", "process-lock", "partitioned"):
            for _ in range(yields):
                yield
            yields = 0
        if self.partition is not None:
            yield from self._transfer_between_owners(self.partition, debited, credited, amount)
            return
        balances = self._balances
        with self._exclusive(debited, credited):
            was_debited, was_credited = balances[debited], balances[credited]
            for _ in range(yields):
                yield
            self._write(debited, was_debited, was_debited - amount)
            self._write(credited, was_credited, was_credited + amount)

    def book(self, account: int, amount: int) -> None:
        """Changes one balance, in the process that owns it."""
        self._balances[account] += amount

    def _write(self, account: int, was: int, becomes: int) -> None:
        if self._balances[account] != was:
            self._on_lost(1)
        self._balances[account] = becomes

    def _exclusive(self, debited: int, credited: int) -> AbstractContextManager[None]:
        if self._strategy in ("none", "cooperative"):
            return nullcontext()
        if self._strategy == "process-lock":
            return self._process_lock()
        # One stripe if both accounts have the same. A dict preserves the order of the call.
        stripes = dict.fromkeys((debited % len(self._locks), credited % len(self._locks)))
        return self._thread_locks(stripes if self._strategy == "striped-unordered" else sorted(stripes))

    @contextmanager
    def _thread_locks(self, stripes: Iterable[int]) -> Iterator[None]:
        with ExitStack() as held:
            for stripe in stripes:
                if not self._locks[stripe].acquire(timeout=self._lock_timeout_s):
                    self._on_aborted(1)
                    raise RpcError(
                        Code.ABORTED,
                        f"lock {stripe} not acquired within {self._lock_timeout_s} s: possible deadlock",
                    )
                held.callback(self._locks[stripe].release)
            yield

    @contextmanager
    def _process_lock(self) -> Iterator[None]:
        with self._locks[0]:  # a record lock does not hold off other threads of its own process
            fcntl.lockf(self._lock_file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._lock_file, fcntl.LOCK_UN)

    def _transfer_between_owners(
        self, partition: Partition, debited: int, credited: int, amount: int
    ) -> Iterator[None]:
        """Two messages, not one transaction: once they are sent, nothing takes a half back."""
        sent = []
        for account, change in ((debited, -amount), (credited, amount)):
            if partition.owns(account):
                self.book(account, change)
            else:
                sent.append(partition.send_to_owner(account, change))
        while not all(booked() for booked in sent):
            yield
