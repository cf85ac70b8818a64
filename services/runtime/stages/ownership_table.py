"""Which process owns each call: cells that all processes of a pipeline share. Knows no event.

A process that dies takes with it the calls that it had taken from its queue. No other process has a list of them. So a
process that takes an event first records here that it owns the call. The process that has the connections then reads
here which calls a dead process owned. Each cell has one writer at a time: the owner. A call that has ended frees its
cell, so that a process that still takes an event of the call sees that it is over.
"""

import mmap

SLOTS = 65_536
"""Calls at a time."""
_PROCESSES = 8
_CELL_BYTES = 8


class OwnershipTable:
    """Of each call the number, its owner, and whether its caller has given up. Made before any fork."""

    def __init__(self) -> None:
        self._owned = memoryview(mmap.mmap(-1, (SLOTS + 1) * _CELL_BYTES)).cast("q")  # the last: how many there were
        self._given_up = memoryview(mmap.mmap(-1, SLOTS * _CELL_BYTES)).cast("q")
        self._free: list[int] = []
        self._me = 0

    def own_as(self, process: int) -> None:
        """In a process of the pipeline: its number, from 0."""
        self._me = process

    def reset(self) -> None:
        """In the process that begins and ends calls: those of the process before it are over."""
        self._owned[:SLOTS] = memoryview(bytes(SLOTS * _CELL_BYTES)).cast("q")
        self._free = list(range(SLOTS))

    def begin(self) -> int | None:
        """The number of a call that this process owns; None if SLOTS calls have not ended."""
        if not self._free:
            return None
        slot = self._free.pop()
        sequence = self._owned[SLOTS] = self._owned[SLOTS] + 1
        number: int = sequence * SLOTS + slot
        self._owned[slot] = number * _PROCESSES + self._me
        return number

    def end(self, number: int) -> None:
        """The call has been answered."""
        slot = number % SLOTS
        self._owned[slot] = 0
        self._free.append(slot)

    def take(self, number: int) -> bool:
        """From now on this process owns the call; False if it is over."""
        slot = number % SLOTS
        if self._owned[slot] // _PROCESSES != number:
            return False
        self._owned[slot] = number * _PROCESSES + self._me
        return True

    def is_mine(self, number: int) -> bool:
        """This process owns the call."""
        return bool(self._owned[number % SLOTS] == number * _PROCESSES + self._me)

    def owner(self, number: int) -> int:
        """The process that owns a call that is not over."""
        process: int = self._owned[number % SLOTS] % _PROCESSES
        return process

    def give_up(self, number: int) -> None:
        """No caller waits for the call any more."""
        self._given_up[number % SLOTS] = number

    def given_up(self, number: int) -> bool:
        """Whether `give_up` was called, by this process or another one."""
        return bool(self._given_up[number % SLOTS] == number)
