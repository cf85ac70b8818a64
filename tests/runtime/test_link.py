"""Messages between worker processes arrive whole and in order, and calls that are asked over them end once."""

import errno
import pickle
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sweetspot.v1 import workload_pb2

from services.network.receive import RECEIVE_BYTES
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.processes import paced_queue
from services.runtime.processes.call_queue import CallQueue
from services.runtime.processes.forwarding import Asker, Remote
from services.runtime.processes.link import BATCH_BYTES, FULL_BYTES, MESSAGE_BYTES, Link, Mail, Message
from services.runtime.readiness.calls import ResponseSink
from services.runtime.readiness.loop import Loop
from services.runtime.service import Service
from services.wire import Code, ServerCall, Shape
from services.wire.request import RequestHead
from services.workload.ledger import Ledger
from tests.runtime.rounds import take_round_now

RUN = RequestHead(
    b"/sweetspot.v1.Workload/Run", (), 0, timeout_ns=5, trace_context=(("traceparent", "trace"), ("baggage", "b=1"))
)


@pytest.fixture
def loop() -> Loop:
    return Loop()


def turn(loop: Loop, turns: int = 8) -> None:
    """Lets the loop do all its work: a turn deals with what the turn before it has caused."""
    for _ in range(turns):
        take_round_now(loop)


class End:
    """A link, with the messages that it has received and how often it was lost."""

    def __init__(self, sock: socket.socket, loop: Loop, *, reads_while_full: bool = True) -> None:
        self.messages: list[Message] = []
        self.lost = 0
        self.sock = sock
        self.link = Link(sock, loop, received=self.messages.extend, lost=self._lost, reads_while_full=reads_while_full)
        self.link.start()

    def _lost(self) -> None:
        self.lost += 1


def test_messages_arrive_byte_by_byte_as_they_do_whole(loop: Loop) -> None:
    sent, kept = socket.socketpair()
    end = End(kept, loop)
    rounds: list[list[Message]] = [[("one", 1, b"\0" * 10)], [("two", None), ()]]
    for messages in rounds:
        pickled = pickle.dumps(messages)
        for byte in struct.pack("!I", len(pickled)) + pickled:
            sent.send(bytes((byte,)))
            turn(loop, 1)
    assert end.messages == [message for messages in rounds for message in messages]


def test_a_message_larger_than_any_buffer_arrives_before_what_was_sent_after_it(loop: Loop) -> None:
    one, other = (End(sock, loop) for sock in socket.socketpair())
    large = bytes(10 * RECEIVE_BYTES)
    one.link.send(large)
    one.link.send("after")
    while len(other.messages) < 2:
        turn(loop)
    assert other.messages == [(large,), ("after",)]


def test_both_ends_are_told_once_that_a_link_is_lost(loop: Loop) -> None:
    one, other = (End(sock, loop) for sock in socket.socketpair())
    one.sock.shutdown(socket.SHUT_RDWR)
    turn(loop)
    other.link.send("nobody hears this")
    turn(loop)
    assert (one.lost, other.lost) == (1, 1)


@pytest.mark.parametrize(
    ("payloads", "batches"),
    [([0] * 10, [10]), ([BATCH_BYTES // 4] * 6, [3, 3]), ([1, 10 * BATCH_BYTES, 1, 1], [1, 1, 2])],
    ids=["small ones together", "as many as fit", "a large one alone"],
)
def test_a_batch_is_bounded_by_bytes(payloads: list[int], batches: list[int]) -> None:
    mail, taken = Mail(), Mail()
    for number, size in enumerate(payloads):
        mail.put((number, bytes(size)), size)
    assert mail.size_bytes == sum(payloads) + len(payloads) * MESSAGE_BYTES
    arrived = [taken.arrive(data) for data in iter(mail.take, b"")]
    assert [len(messages) for messages in arrived] == batches
    assert [number for messages in arrived for number, _ in messages] == list(range(len(payloads)))
    assert mail.size_bytes == 0


def test_a_link_that_is_full_says_so_and_reads_nothing_where_it_was_asked_not_to(loop: Loop) -> None:
    one, other = socket.socketpair()
    end = End(one, loop, reads_while_full=False)
    other.setblocking(False)
    writes = Mail()
    for number in range(10):
        end.link.send(number, bytes(FULL_BYTES), payload_bytes=FULL_BYTES)
    turn(loop)
    assert end.link.is_full
    writes.put(("for a link that is full",), 0)
    other.send(writes.take())
    turn(loop)
    assert end.messages == []
    while end.link.is_full:
        other.recv(FULL_BYTES)
        turn(loop)
    assert end.messages == [("for a link that is full",)]
    other.close()


class Noted:
    """Calls and a caller that store what they are notified of."""

    def __init__(self) -> None:
        self.calls: list[tuple[ResponseSink, ServerCall]] = []
        self.cancels: list[ServerCall] = []
        self.sent: list[bytes] = []
        self.ends: list[tuple[Code, str]] = []

    def received(self, connection: ResponseSink, call: ServerCall) -> None:
        self.calls.append((connection, call))

    def cancelled(self, call: ServerCall) -> None:
        self.cancels.append(call)

    def send(self, call: ServerCall, message: bytes) -> None:
        self.sent.append(message)

    def when_room(self, call: ServerCall, then: Callable[[], None]) -> None:
        then()

    def finish(self, call: ServerCall, code: Code, why: str = "") -> None:
        self.ends.append((code, why))


class Workers:
    """One that asks and one that runs, on one loop."""

    def __init__(self, loop: Loop, queue_bound: int = 10, at_once: int = sys.maxsize) -> None:
        self.loop = loop
        self.at_once = at_once
        self.asking, self.running = Noted(), Noted()
        self.ledger = Ledger(2)
        self.left: list[Asker] = []
        self.links: list[tuple[socket.socket, socket.socket]] = []
        self.drain = Drain()
        service = Service("partitioned", Config(of_model={"queue_bound": queue_bound}), drain=self.drain)
        self.queue, self.full_queues = service.queue, service.full_queues
        self.shortage = service.shortage
        self.free_descriptors = True
        self.calls = CallQueue("worker-1", service)
        self.remote = Remote("worker-1", self._open_link, service, loop, self.calls)
        self.remote.connect()

    def _open_link(self, received: Callable[[list[Message]], None], lost: Callable[[], None]) -> Link:
        if not self.free_descriptors:
            raise OSError(errno.EMFILE, "Too many open files")
        kept, sent = socket.socketpair()
        asker = Asker(self.running, self.ledger, self.loop, self.left.append, self.at_once)
        asker.link = Link(sent, self.loop, received=asker.received, lost=asker.lost)
        asker.link.start()
        self.links.append((kept, sent))
        return Link(kept, self.loop, received=received, lost=lost)

    def call(self, request: bytes = b"request", asking: Noted | None = None) -> ServerCall:
        call = ServerCall(7, RUN, Shape.UNARY, 1000)
        call.request = request
        self.remote.run(asking or self.asking, call)
        return call

    def part(self) -> None:
        """Ends the link, as the death of one end would. Both ends are notified."""
        self.links[-1][0].shutdown(socket.SHUT_RDWR)
        turn(self.loop)


@pytest.fixture
def workers(loop: Loop) -> Iterator[Workers]:
    workers = Workers(loop)
    yield workers
    for link in workers.links:
        for sock in link:
            sock.close()


def test_a_call_runs_elsewhere_as_it_came_and_its_replies_come_back(workers: Workers) -> None:
    workers.call()
    assert workers.queue.value() == 1
    turn(workers.loop)
    assert workers.queue.value() == 0, "begun"
    ((caller, there),) = workers.running.calls
    assert (there.head.path, there.request, there.received_ns) == (RUN.path, b"request", 1000)
    assert (there.deadline_ns, there.head.trace_context) == (1005, RUN.trace_context)
    caller.send(there, b"reply")
    caller.finish(there, Code.ABORTED, "why")
    turn(workers.loop)
    assert workers.asking.sent == [b"reply"]
    assert workers.asking.ends == [(Code.ABORTED, "why")]


def test_a_cancelled_call_is_cancelled_where_it_runs(workers: Workers) -> None:
    call: Any = workers.call()
    call.context()
    turn(workers.loop)
    (there,) = workers.running.cancels
    assert there.cancelled


def test_a_full_queue_refuses_and_has_room_again_once_calls_are_begun(loop: Loop) -> None:
    workers = Workers(loop, queue_bound=1)
    workers.call(), workers.call()
    assert workers.asking.ends == [(Code.RESOURCE_EXHAUSTED, "queue of worker-1 is full")]
    assert workers.full_queues.value() == 1
    turn(loop)
    assert workers.full_queues.value() == 0
    workers.call()
    assert len(workers.asking.ends) == 1


def test_a_call_is_begun_once_one_of_those_that_run_at_once_has_ended(loop: Loop) -> None:
    workers = Workers(loop, at_once=2)
    for _ in range(4):
        workers.call()
    turn(loop)
    waiting = [workers.queue.value()]
    for caller, there in workers.running.calls[:3]:
        caller.finish(there, Code.OK)
        turn(loop)
        waiting.append(workers.queue.value())
    assert waiting == [2, 1, 0, 0]


LARGE = workload_pb2.RunRequest(
    steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=1))] * (FULL_BYTES // 6 + 1)
).SerializeToString()
"""A plan of steps that take 6 bytes each: a payload would not be sent."""


def test_a_connection_whose_calls_are_large_waits_alone(workers: Workers) -> None:
    for _ in range(5):
        workers.call(LARGE)
    workers.call(b"small", asking=Noted())
    assert workers.queue.value() == 6
    turn(workers.loop, 100)
    assert [len(there.request) for _, there in workers.running.calls] == [len(LARGE), len(LARGE), 5, *[len(LARGE)] * 3]
    assert workers.queue.value() == 0


def test_a_call_that_is_cancelled_while_it_waits_here_is_never_sent(workers: Workers) -> None:
    workers.call(LARGE)
    workers.call().cancelled = True
    turn(workers.loop)
    assert workers.asking.ends == [(Code.CANCELLED, "cancelled by the caller")]
    assert len(workers.running.calls) == 1


def test_what_waits_here_when_a_worker_dies_is_for_its_successor(workers: Workers) -> None:
    workers.call(LARGE)
    workers.call(b"waits")
    workers.part()
    assert workers.asking.ends == [(Code.UNAVAILABLE, "worker-1 has died")]
    turn(workers.loop)
    assert [there.request for _, there in workers.running.calls] == [b"waits"]
    assert workers.queue.value() == 0


def test_what_is_for_a_successor_waits_here_until_a_descriptor_is_free(workers: Workers) -> None:
    answers: list[Code] = []
    workers.free_descriptors = False
    workers.part()
    assert workers.shortage.is_now
    workers.call(b"waits")
    workers.remote.book(0, 5, lambda code, why: answers.append(code))
    assert (answers, workers.asking.ends, workers.queue.value()) == ([Code.UNAVAILABLE], [], 1)
    workers.free_descriptors = True
    until_s = time.monotonic() + 5
    while not workers.running.calls:
        assert time.monotonic() < until_s
        turn(workers.loop)
    assert [there.request for _, there in workers.running.calls] == [b"waits"]
    workers.remote.book(0, 5, lambda code, why: answers.append(code))
    turn(workers.loop)
    assert (answers, workers.queue.value()) == ([Code.UNAVAILABLE, Code.OK], 0)


def test_no_link_is_made_to_a_worker_that_died_just_before_the_drain(workers: Workers) -> None:
    workers.free_descriptors = False
    workers.part()
    workers.call()
    workers.drain.request()
    until_s = time.monotonic() + 5
    while not workers.asking.ends:
        assert time.monotonic() < until_s
        turn(workers.loop)
    assert workers.asking.ends == [(Code.UNAVAILABLE, "worker-1 has died")]
    assert workers.queue.value() == 0


def test_what_a_dead_worker_was_asked_is_unavailable_and_the_next_one_is_asked_what_follows(workers: Workers) -> None:
    answers: list[tuple[Code, str]] = []
    workers.call()
    workers.remote.book(0, 5, lambda code, why: answers.append((code, why)))
    workers.part()
    assert workers.asking.ends == [(Code.UNAVAILABLE, "worker-1 has died")]
    assert [code for code, _ in answers] == [Code.UNAVAILABLE]
    assert workers.queue.value() == 0
    workers.call()
    turn(workers.loop)
    assert len(workers.links) == 2
    assert len(workers.running.calls) == 1, "the second; the first was never read"


def test_one_that_is_leaving_is_answered_what_it_had_asked_and_still_books(workers: Workers) -> None:
    answers: list[Code] = []
    workers.call()
    workers.remote.leave()
    workers.remote.book(1, 5, lambda code, why: answers.append(code))
    turn(workers.loop)
    assert len(workers.left) == 1
    ((caller, there),) = workers.running.calls
    caller.finish(there, Code.OK)
    turn(workers.loop)
    assert workers.asking.ends == [(Code.OK, "")]
    assert (workers.ledger.sum(), answers) == (5, [Code.OK])


def test_one_that_is_leaving_looks_for_no_successor_and_is_told_at_once_that_nobody_books(workers: Workers) -> None:
    answers: list[Code] = []
    workers.call()
    workers.remote.leave()
    workers.part()
    assert workers.asking.ends == [(Code.UNAVAILABLE, "worker-1 has died")]
    workers.remote.book(1, 5, lambda code, why: answers.append(code))
    assert answers == [Code.UNAVAILABLE]
    assert len(workers.links) == 1


def test_what_is_for_a_worker_that_died_in_a_drain_is_unavailable_at_once(workers: Workers) -> None:
    answers: list[Code] = []
    workers.call(LARGE)
    workers.call(b"waits")
    workers.drain.request()
    workers.part()
    workers.call()
    workers.remote.book(1, 5, lambda code, why: answers.append(code))
    assert workers.asking.ends == [(Code.UNAVAILABLE, "worker-1 has died")] * 3
    assert answers == [Code.UNAVAILABLE]
    assert (len(workers.links), workers.queue.value()) == (1, 0)


def test_a_worker_whose_asker_has_died_cancels_its_calls(workers: Workers) -> None:
    workers.call()
    turn(workers.loop)
    workers.part()
    assert workers.running.cancels == [call for _, call in workers.running.calls]
    assert len(workers.left) == 1


def test_a_booking_is_answered_once_it_is_made(workers: Workers) -> None:
    answers: list[Code] = []
    workers.remote.book(1, 5, lambda code, why: answers.append(code))
    assert (workers.ledger.sum(), answers) == (0, [])
    turn(workers.loop)
    assert (workers.ledger.sum(), answers) == (5, [Code.OK])


def test_both_methods_of_the_workload_can_be_run_elsewhere(workers: Workers) -> None:
    streamed = ServerCall(1, RequestHead(b"/sweetspot.v1.Workload/RunStream", (), 0), Shape.SERVER_STREAMING, 0)
    streamed.request = workload_pb2.RunRequest().SerializeToString()
    workers.remote.run(workers.asking, streamed)
    turn(workers.loop)
    ((_, there),) = workers.running.calls
    assert there.shape is Shape.SERVER_STREAMING


def test_who_waits_for_room_is_called_when_its_call_ends_and_at_once_after_that(workers: Workers) -> None:
    workers.call()
    turn(workers.loop)
    ((caller, there),) = workers.running.calls
    called: list[str] = []
    caller.when_room(there, lambda: called.append("before the end"))
    assert called == []
    caller.finish(there, Code.OK)
    assert called == ["before the end"]
    caller.when_room(there, lambda: called.append("after the end"))
    assert called == ["before the end", "after the end"]
    turn(workers.loop)
    assert workers.asking.ends == [(Code.OK, "")]


def test_calls_of_a_worker_that_has_died_are_not_begun(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced_queue, "TURN_NS", 0)
    running, ledger = Noted(), Ledger(2)
    asker = Asker(running, ledger, loop, lambda _: None)
    asker.link = Link(socket.socketpair()[0], loop, received=asker.received, lost=asker.lost)
    head = (RUN.path, None, RUN.trace_context)
    asker.received([("run", 1, head, 0, b""), ("run", 2, head, 0, b""), ("book", 3, 0, 7)])
    asker.lost()
    assert len(running.calls) == 1
    assert ledger.sum() == 7
