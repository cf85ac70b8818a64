"""The counting of blocking graphs: the same operations in the same order are one graph."""

import pytest

from tools.claims.counting import graphs
from tools.claims.counting.graphs import compared, graph
from tools.local import Programs
from tools.report.spans import StoredSpan

FETCH = "sweetspot.v1.Backend/Fetch"


def spans(*parts: tuple[str, int, int]) -> list[StoredSpan]:
    """A call with those steps, each with its start and its end."""

    def span(name: str, parent: str, start: int, end: int) -> StoredSpan:
        return StoredSpan(name + str(start), parent, name, 1, "service", start, end, {})

    run = span("run", "call", 0, 99)
    return [span("queue", "call", 0, 1), run, *(span(name, run.span_id, *times) for name, *times in parts)]


IN_TURN = spans(("compute", 1, 2), (FETCH, 2, 5), ("sleep", 6, 9))
OTHERS = [
    ("another thing first", spans((FETCH, 1, 2), ("compute", 2, 5), ("sleep", 6, 9))),
    ("two at once", spans(("compute", 1, 2), (FETCH, 2, 7), ("sleep", 6, 9))),
    ("one wait less", spans(("compute", 1, 2), (FETCH, 2, 5))),
]


def test_times_and_queues_do_not_matter() -> None:
    slower = spans(("compute", 10, 20), (FETCH, 21, 50), ("sleep", 60, 90))
    assert graph(slower) == graph(list(reversed(IN_TURN))) == graph(IN_TURN)


@pytest.mark.parametrize(("what", "other"), OTHERS)
def test_another_order_or_another_wait_is_another_graph(what: str, other: list[StoredSpan]) -> None:
    drawn = [graph(IN_TURN), graph(IN_TURN), graph(other)]
    assert compared(drawn) == {"starts": 3, "graphs": 2, "others": 1, "waits": 2}, what


def test_a_loop_and_a_pool_draw_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Programs, "starts", lambda _: [("reactor",), ("thread_pool",)])
    assert graphs.count(Programs()) == {"starts": 2, "graphs": 1, "others": 0, "waits": 2}
