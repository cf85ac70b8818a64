"""The parts of a pipeline of stages, one by one: nothing is lost between them, and nothing comes too soon."""

import threading
import tracemalloc

import pytest

from services.runtime.counters.shared_counters import SharedCounters
from services.runtime.counters.stage_rows import StageRow, StageRows
from services.runtime.readiness.loop import Loop
from services.runtime.stages.bounded_sender import MOST_BYTES, BoundedSender
from services.runtime.stages.controllers import Admission, Batching, next_workers
from services.runtime.stages.event import Event, Item, StageAnswer
from services.runtime.stages.ownership_table import OwnershipTable
from services.runtime.stages.pooled_stage import PooledStage
from services.runtime.stages.stage import Stage
from services.runtime.stages.stage_queue import BATCH_BYTES, StageQueue
from services.runtime.stages.tokens import Tokens
from tests.runtime.rounds import take_round_now

MS = 1_000_000


def row(queue_bound: int) -> StageRow:
    counters = SharedCounters()
    made = StageRows(("stage",), counters).rows["stage"]
    made.settings.set("queue_bound", queue_bound)
    return made


def item(number: int) -> Item:
    return StageAnswer(number, 0)


@pytest.mark.parametrize(
    ("rate_per_s", "looks_ms", "taken"),
    [
        (0, [0, 0], [10, 10]),
        (100, [0, 10, 15, 20], [5, 1, 0, 1]),
        (100, [0, 1000], [5, 5]),
        (1, [0, 500, 1000, 1001], [1, 0, 1, 0]),
    ],
    ids=["no limit", "as they come", "a short burst is saved", "one a second"],
)
def test_tokens_come_at_their_rate(rate_per_s: int, looks_ms: list[int], taken: list[int]) -> None:
    tokens = Tokens()
    boot_ns = 3_600_000 * MS
    assert [tokens.take(10, rate_per_s, boot_ns + at_ms * MS) for at_ms in looks_ms] == taken


def test_a_hop_hands_on_in_order_and_no_more_than_there_is_room_for() -> None:
    sent: list[Item] = []
    ownership = OwnershipTable()
    ownership.reset()
    sender = BoundedSender(row(queue_bound=2), ownership, lambda item, _: sent.append(item))
    for number in range(5):
        sender.hand(item(number))
    assert (len(sent), sender.held_up, sender.row.depth.value()) == (2, True, 2)
    sender.taken(1)
    assert (len(sent), sender.row.depth.value()) == (3, 2)
    sender.taken(2)
    sender.taken(2)
    assert [handed.number for handed in sent] == list(range(5))
    assert (sender.held_up, sender.row.depth.value()) == (False, 0)


def test_a_hop_is_bounded_by_bytes_and_one_larger_event_goes_alone() -> None:
    sent: list[Item] = []
    ownership = OwnershipTable()
    ownership.reset()
    sender = BoundedSender(row(queue_bound=100), ownership, lambda item, _: sent.append(item))
    for number in range(3):
        sender.hand(StageAnswer(number, 0, bytes(MOST_BYTES)))
    sender.hand(item(3))
    assert (len(sent), sender.held_up, sender.is_full) == (1, True, False)
    sender.taken(1)
    sender.taken(1)
    assert len(sent) == 3
    sender.taken(1)
    assert ([handed.number for handed in sent], sender.held_up) == ([0, 1, 2, 3], False)


def test_a_batch_ends_with_the_event_that_makes_it_large_and_leaves_the_tokens_of_the_rest() -> None:
    queue = StageQueue(row(queue_bound=100), waits_for_tokens=True)
    for key, value in (("batch", 64), ("rate_per_s", 100)):
        queue._row.settings.set(key, value)
    for number in range(5):
        queue.put(StageAnswer(number, 0, bytes(BATCH_BYTES if number == 1 else 0)), lambda _: None)
    now_ns = 3_600_000 * MS
    batches = [[taken.number for taken, _ in queue.take(64, now_ns)] for _ in range(3)]
    assert batches == [[0, 1], [2, 3, 4], []]


def test_a_stage_that_comes_again_is_handed_what_nobody_has_taken_and_no_more() -> None:
    sent: list[Item] = []
    ownership = OwnershipTable()
    ownership.reset()
    numbers = [number for number in (ownership.begin(), ownership.begin(), ownership.begin()) if number is not None]
    sender = BoundedSender(row(queue_bound=10), ownership, lambda item, _: sent.append(item))
    for number in numbers:
        sender.hand(item(number))
    ownership.own_as(1)
    ownership.take(numbers[0])  # by the process that died before it could report that
    ownership.own_as(0)
    ownership.end(numbers[1])
    sent.clear()
    sender.start_again()
    assert [handed.number for handed in sent] == [numbers[2]]
    assert sender.row.depth.value() == 1


def test_what_waits_for_room_is_handed_on_where_all_that_filled_it_has_died() -> None:
    sent: list[Item] = []
    ownership = OwnershipTable()
    ownership.reset()
    numbers = [number for number in (ownership.begin(), ownership.begin()) if number is not None]
    sender = BoundedSender(row(queue_bound=1), ownership, lambda item, _: sent.append(item))
    for number in numbers:
        sender.hand(item(number))
    ownership.own_as(1)
    ownership.take(numbers[0])  # by the one that died
    ownership.own_as(0)
    sender.start_again()
    assert [handed.number for handed in sent] == numbers
    assert (sender.held_up, sender.row.depth.value()) == (False, 1)


def test_no_thread_of_a_stage_claims_an_event_before_another_one_has_claimed_those_before_it() -> None:
    claimed, both = list[int](), threading.Event()
    second_overtakes = threading.Event()

    def claim(batch: list[Item]) -> list[Event]:
        if batch[0].number == 1:
            second_overtakes.wait(0.2)  # as long as the other thread may take to do it
        else:
            second_overtakes.set()
        claimed.append(batch[0].number)
        if len(claimed) == 2:
            both.set()
        return []

    stage = PooledStage(row(queue_bound=2), claim=claim, run=lambda _: None, held_up=lambda: False)
    for key, value in (("batch", 1), ("workers", 2)):
        stage.row.settings.set(key, value)
    stage.control(0)
    stage.put(item(1), lambda _: None)
    stage.put(item(2), lambda _: None)
    assert both.wait(10)
    assert claimed == [1, 2]


def test_a_bypass_skips_the_queue_and_gives_no_further_workers() -> None:
    loop, begun = Loop(), list[int]()

    def begin(batch: list[Item]) -> int:
        begun.extend(begun_item.number for begun_item in batch)
        return len(batch)

    stage = Stage(row(queue_bound=9), loop, begin=begin, held_up=lambda: False, skippable=True, worker_each=True)
    for key, value in (("batch", 64), ("workers", 2), ("bypass", 1)):
        stage.row.settings.set(key, value)
    for number in range(4):
        stage.put(item(number), lambda _: None)
    assert begun == [0, 1]
    stage.free()
    take_round_now(loop)
    assert begun == [0, 1, 2]


def test_a_call_that_is_over_is_taken_by_nobody_even_where_another_one_has_its_place() -> None:
    ownership = OwnershipTable()
    ownership.reset()
    over = ownership.begin()
    assert over is not None
    ownership.end(over)
    later = ownership.begin()
    assert later is not None
    assert later % 65_536 == over % 65_536, "the place of a call that is over is free"
    assert not ownership.take(over)
    assert ownership.take(later)
    ownership.give_up(later)
    assert ownership.given_up(later)
    assert not ownership.given_up(over)


def test_admission_comes_to_what_keeps_to_the_target() -> None:
    capacity_per_s, offered_per_s, target_ms = 200.0, 1000.0, 100
    admission = Admission()
    waiting, rate_per_s, period_ms = 0.0, offered_per_s, 500
    rates, p90s_ms = [], []
    for _ in range(200):  # a queue that is served at a rate: a call takes as long as those before it
        waiting = max(0.0, waiting + (min(rate_per_s, offered_per_s) - capacity_per_s) * period_ms / 1000)
        took_ms = 5 + 1000 * waiting / capacity_per_s
        took_ns = [round(took_ms * MS)] * round(min(rate_per_s, capacity_per_s) * period_ms / 1000)
        rate_per_s = admission.next_rate_per_s(took_ns, target_ms * MS, period_ms * MS)
        rates.append(rate_per_s)
        p90s_ms.append(took_ms)
    settled = slice(100, None)
    assert 0.7 * capacity_per_s < sum(rates[settled]) / 100 < 1.1 * capacity_per_s
    assert sum(took_ms <= target_ms for took_ms in p90s_ms[settled]) > 50


@pytest.mark.parametrize(
    ("workers", "waiting", "idle", "becomes"),
    [(1, 2, 0, 2), (4, 100, 0, 4), (1, 1, 0, 1), (3, 0, 1, 2), (1, 0, 1, 1), (2, 0, 0, 2), (9, 100, 0, 4)],
    ids=["more wait", "as many as may be", "few wait", "one is idle", "the last one", "all busy", "fewer may be"],
)
def test_workers_are_as_many_as_the_queue_needs(workers: int, waiting: int, idle: int, becomes: int) -> None:
    assert next_workers(workers, 4, waiting, idle) == becomes


def test_a_batch_gets_smaller_as_long_as_that_costs_nothing() -> None:
    most, offered_per_s = 64, 100_000.0
    batching, batch, batches = Batching(), 64, []

    def served_per_s(batch: int) -> float:  # each call takes 100 us, and each batch 400 us more
        return min(offered_per_s, batch / (0.0001 * batch + 0.0004))

    for _ in range(300):
        batch = batching.next_batch(batch, most, served_per_s(batch))
        batches.append(batch)
    assert batches[0] == most
    assert max(batches[100:]) < most / 1.1, "it is made smaller"
    assert min(served_per_s(batch) for batch in batches[100:]) > 0.9 * served_per_s(most), "and not much is lost by it"
    offered_per_s = 100.0
    assert batching.next_batch(batch, most, served_per_s(batch)) == most, "it begins anew with another load"
    for _ in range(50):
        batch = batching.next_batch(batch, most, served_per_s(batch))
    assert batch == 1, "where all is served anyway, no call waits for others"


def test_the_head_of_a_traced_call_is_not_remembered() -> None:
    ownership, large_bytes = OwnershipTable(), 16 * 1024
    tracemalloc.start()
    for number in range(60):
        head = (b"/test/Unary", None, (("tracestate", f"{number:02}" * (large_bytes // 2)),))
        Event.unpacked((number, head, False, 0, b""), ownership)
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_bytes < 3 * large_bytes
