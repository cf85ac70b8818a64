"""Shards that meet: here all on one machine, where they have one clock, so that what they agree on can be checked."""

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.driver.barrier import BarrierError, ShardStart, meet
from services.driver.shard import Shard
from tests.driver.runs import nobody


def meet_all(shards: Iterable[Shard], timeout_s: float = 20.0) -> list[ShardStart | str]:
    """What each of them gets: when to start, or why not."""
    at, shards = nobody(), list(shards)

    def told(shard: Shard) -> ShardStart | str:
        try:
            return meet(shard, at, timeout_s)
        except BarrierError as error:
            return str(error)

    with ThreadPoolExecutor(len(shards)) as threads:
        return list(threads.map(told, shards))


def test_all_are_told_one_instant_each_within_its_uncertainty() -> None:
    starts = meet_all(Shard(index, 4) for index in range(4))
    first = starts[0]
    assert isinstance(first, ShardStart)
    assert first.begin_ns is not None
    for start in starts:
        assert isinstance(start, ShardStart)
        assert start.begin_ns is not None
        assert abs(start.begin_ns - first.begin_ns) <= start.uncertainty_ns


def test_one_shard_alone_waits_for_nobody() -> None:
    (start,) = meet_all([Shard()])
    assert isinstance(start, ShardStart)


def test_a_shard_that_does_not_come_is_named_to_all_that_did() -> None:
    told = meet_all([Shard(0, 3), Shard(2, 3)], timeout_s=1.0)
    assert told[0] == "shard 1 of 3 did not connect within 1 s"
    assert told[1] == told[0] or "broke before the start" in str(told[1])


def test_without_the_first_shard_the_others_say_whom_they_waited_for() -> None:
    (told,) = meet_all([Shard(1, 2)], timeout_s=0.3)
    assert str(told).startswith("shard 0 at 127.0.0.1:")
    assert str(told).endswith("cannot be reached within 0.3 s: Connection refused")


@pytest.mark.parametrize(
    ("shards", "why"),
    [
        ([Shard(0, 3), Shard(1, 3), Shard(1, 3)], "shard 1 connected twice: start each shard once"),
        ([Shard(0, 2), Shard(1, 3)], "shard 1 was started for 3 shards, not 2"),
    ],
)
def test_shards_that_do_not_make_one_run_are_all_refused(shards: list[Shard], why: str) -> None:
    assert meet_all(shards) == [why] * len(shards)


def test_a_stranger_at_the_barrier_does_not_count() -> None:
    at = nobody()
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(meet, Shard(0, 2), at, 20.0)
        stranger = None
        while stranger is None:
            try:
                stranger = socket.create_connection((at.host, at.port))
            except ConnectionRefusedError:
                assert not waiting.done()
        with stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert threads.submit(meet, Shard(1, 2), at, 20.0).result().begin_ns
        assert waiting.result().begin_ns
