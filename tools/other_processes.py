"""How much of a service's CPUs other processes take, in stretches of time that are added up."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from tools.busy_machine import taken_share
from tools.processors import ran_ns, tree_ns


@dataclass(slots=True)
class OtherProcesses:
    """Each `with` block is a stretch."""

    cpus: Sequence[int]
    """Processors that the service may run on."""
    limit_cpus: float
    """CPUs that it may use of them."""
    ours: Sequence[int]
    """Processes that are no others, with their descendants."""
    elapsed_ns: int = 0
    others_ns: int = 0
    _before: tuple[int, int] = field(default=(0, 0), repr=False)

    @property
    def share(self) -> float:
        """Of the service's CPUs, over all stretches."""
        return taken_share(
            others_ns=self.others_ns, elapsed_ns=self.elapsed_ns, processors=len(self.cpus), cpus=self.limit_cpus
        )

    def __enter__(self) -> Self:
        self._before = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        elapsed_ns, others_ns = (after - before for before, after in zip(self._before, self._read(), strict=True))
        self.elapsed_ns += elapsed_ns
        self.others_ns += others_ns

    def _read(self) -> tuple[int, int]:
        return time.monotonic_ns(), ran_ns(self.cpus) - sum(map(tree_ns, self.ours))
