"""A combination of task management and I/O management that no start is in is a hole; each reading has other cells."""

from tools.claims.counting.matrix import matrix

THREADS, REACTOR = ("preemptive", "blocking"), ("cooperative", "non-blocking")
PROACTOR, POOLED_PROACTOR = ("cooperative", "completion"), ("preemptive", "completion")


def test_what_is_a_hole_depends_on_what_is_called_synchronous() -> None:
    found = matrix([THREADS, REACTOR, PROACTOR, POOLED_PROACTOR])
    assert found["notes"]["holes"] == 0
    assert (found["thesis"]["holes"], found["thesis"]["cooperative_synchronous"]) == (1, 0)
    assert found["finest"]["holes"] == 2


def test_what_is_serial_manages_no_tasks() -> None:
    assert matrix([("serial", "blocking")]) == matrix([])
