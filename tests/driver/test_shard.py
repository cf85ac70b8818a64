import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.driver.schedule import NS_PER_S, Arrival, intended_sends, steady
from services.driver.shard import Shard


@pytest.mark.parametrize(
    ("whole", "of", "parts"),
    [
        (1, 1, [1]),
        (10, 2, [5, 5]),
        (10, 3, [4, 3, 3]),
        (3, 3, [1, 1, 1]),
        (1000, 7, [143, 143, 143, 143, 143, 143, 142]),
    ],
)
def test_parts_differ_by_one_at_most_and_add_up(whole: int, of: int, parts: list[int]) -> None:
    assert [Shard(index, of).part(whole) for index in range(of)] == parts
    assert sum(parts) == whole


@given(
    of=st.integers(1, 9),
    clients=st.integers(9, 20),
    rate_rps=st.floats(0.1, 500),
    arrival=st.sampled_from(["constant", "poisson"]),
    seed=st.integers(0, 99),
)
def test_each_client_sends_what_it_would_send_with_one_driver(
    of: int, clients: int, rate_rps: float, arrival: Arrival, seed: int
) -> None:
    def sends() -> list[int]:
        return list(intended_sends(steady(rate_rps), arrival, seed, 7, 7 + NS_PER_S))

    shards = [Shard(index, of) for index in range(of)]
    of_client: dict[int, list[int]] = {}
    for shard in shards:
        mine = list(shard.deal(iter(sends()), clients))
        for place, client in enumerate(range(shard.index, clients, of)):
            of_client[client] = mine[place :: shard.part(clients)]
    assert of_client == {client: sends()[client::clients] for client in range(clients)}


@pytest.mark.parametrize("text", ["", "1", "1/1", "2/1", "-1/2", "a/b", "0/0", "0/2/3"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not INDEX/OF"):
        Shard.parse(text)


def test_a_shard_reads_as_it_is_written() -> None:
    assert Shard.parse("1/3") == Shard(1, 3)
    assert str(Shard(1, 3)) == "1/3"
