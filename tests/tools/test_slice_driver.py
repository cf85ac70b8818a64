"""The driver of slices as the run sees it: no answer of one command is taken for that of another."""

import json
from typing import Any

import pytest

from tools.slices import SliceDriver


class Interrupted:
    """A driver whose slice is interrupted: its answer stays in the pipe."""

    def __init__(self) -> None:
        self.stopped = False

    def has_ended(self) -> bool:
        return self.stopped

    def ask(self, command: str, _timeout_s: float) -> str:
        if json.loads(command)["do"] == "slice":
            raise KeyboardInterrupt
        return json.dumps({"connections": 2})  # to every other command, as a late answer would be

    def stop(self) -> None:
        self.stopped = True


def test_a_driver_that_is_interrupted_in_a_slice_is_stopped_and_dropped_without_an_error() -> None:
    process: Any = Interrupted()
    driver = SliceDriver(process)
    driver.open("reactor", ())
    with pytest.raises(KeyboardInterrupt):
        driver.slice("reactor", warmup_s=0, duration_s=1, seed=1, timeout_s=1)
    driver.drop("reactor")
    assert driver.ended
