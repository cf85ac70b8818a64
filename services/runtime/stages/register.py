"""Which process answers for each call that is out: cells that all processes of a pipeline share. Knows no event.

A process that dies takes with it what it had taken from its queue, and no other process knows what that was. So a
process that takes an event first registers here, and the process that holds the connections reads what the dead one
had. Each cell has one writer at a time: the process that has the call. A call that has ended leaves its cell, and a
process that still takes an event of it learns that here.
"""

import mmap

SLOTS = 65_536
"""Calls out at once."""
_PROCESSES = 8
_CELL_BYTES = 8


class Register:
    """Of each call the number, its holder, and whether its caller has given up. Made before any fork."""

    def __init__(self) -> None:
        self._held = memoryview(mmap.mmap(-1, (SLOTS + 1) * _CELL_BYTES)).cast("q")  # the last: how many there were
        self._given_up = memoryview(mmap.mmap(-1, SLOTS * _CELL_BYTES)).cast("q")
        self._free: list[int] = []
        self._me = 0

    def hold_as(self, process: int) -> None:
        """In a process of the pipeline: its number, from 0."""
        self._me = process

    def own(self) -> None:
        """In the process that begins and ends calls: those of the one before it are over."""
        self._held[:SLOTS] = memoryview(bytes(SLOTS * _CELL_BYTES)).cast("q")
        self._free = list(range(SLOTS))

    def begin(self) -> int | None:
        """The number of a call that is held here; None where SLOTS are out."""
        if not self._free:
            return None
        slot = self._free.pop()
        sequence = self._held[SLOTS] = self._held[SLOTS] + 1
        number: int = sequence * SLOTS + slot
        self._held[slot] = number * _PROCESSES + self._me
        return number

    def end(self, number: int) -> None:
        """It has been answered."""
        slot = number % SLOTS
        self._held[slot] = 0
        self._free.append(slot)

    def take(self, number: int) -> bool:
        """From now on this process answers for the call; False where it is over."""
        slot = number % SLOTS
        if self._held[slot] // _PROCESSES != number:
            return False
        self._held[slot] = number * _PROCESSES + self._me
        return True

    def is_mine(self, number: int) -> bool:
        """This process answers for it."""
        return bool(self._held[number % SLOTS] == number * _PROCESSES + self._me)

    def holder(self, number: int) -> int:
        """The process that answers for a call that is not over."""
        process: int = self._held[number % SLOTS] % _PROCESSES
        return process

    def give_up(self, number: int) -> None:
        """No caller waits for it any more."""
        self._given_up[number % SLOTS] = number

    def given_up(self, number: int) -> bool:
        """Whether `give_up` was called, here or elsewhere."""
        return bool(self._given_up[number % SLOTS] == number)
