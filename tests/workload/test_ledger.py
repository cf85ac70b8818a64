"""What each conflict strategy prevents, with two transfers whose steps a test interleaves."""

from collections.abc import Callable, Iterator

import pytest

from services.wire import Code, RpcError
from services.workload.ledger import STRATEGIES, Ledger, Sharing, fitting_strategy

LOCK_TIMEOUT_S = 0.01
WITHOUT_LOCKS_OVER_A_YIELD = ("cooperative", "process-lock", "partitioned")


class Losses:
    """A ledger of three accounts that counts what it loses and gives up."""

    def __init__(self, strategy: str) -> None:
        self.lost = self.aborted = 0
        self.ledger = Ledger(
            3, strategy, stripes=3, lock_timeout_s=LOCK_TIMEOUT_S, on_lost=self._lost, on_aborted=self._aborted
        )

    def _lost(self, count: int) -> None:
        self.lost += count

    def _aborted(self, count: int) -> None:
        self.aborted += count


def finish(transfer: Iterator[None]) -> None:
    assert not list(transfer)


def test_without_a_strategy_a_yield_between_read_and_write_loses_money() -> None:
    losses = Losses("none")
    first, second = losses.ledger.transfer(0, 1, 5, yields=1), losses.ledger.transfer(1, 2, 5, yields=1)
    next(first), next(second)
    finish(first)
    finish(second)
    assert losses.ledger.sum() == -5, "what the first transfer put into account 1 is gone"
    assert losses.lost == 1


@pytest.mark.parametrize("strategy", WITHOUT_LOCKS_OVER_A_YIELD)
def test_to_read_only_after_the_last_yield_loses_nothing(strategy: str) -> None:
    losses = Losses(strategy)
    first, second = losses.ledger.transfer(0, 1, 5, yields=1), losses.ledger.transfer(1, 2, 5, yields=1)
    next(first), next(second)
    finish(first)
    finish(second)
    assert (losses.ledger.sum(), losses.lost) == (0, 0)


@pytest.mark.parametrize(
    ("strategy", "excluded"),
    [("lock", (1, 2)), ("striped", (0, 2)), ("striped", (2, 1)), ("striped-unordered", (2, 1))],
)
def test_a_lock_that_is_held_over_a_yield_excludes_others(strategy: str, excluded: tuple[int, int]) -> None:
    losses = Losses(strategy)
    first = losses.ledger.transfer(0, 1, 5, yields=1)
    next(first)
    with pytest.raises(RpcError) as refused:
        finish(losses.ledger.transfer(*excluded, 5, yields=0))
    assert refused.value.code is Code.ABORTED
    assert losses.aborted == 1
    finish(first)
    finish(losses.ledger.transfer(*excluded, 5, yields=0))
    assert (losses.ledger.sum(), losses.lost) == (0, 0)


def test_a_lock_is_given_back_when_a_transfer_is_given_up() -> None:
    losses = Losses("lock")
    given_up = losses.ledger.transfer(0, 1, 5, yields=1)
    next(given_up)
    given_up.close()
    finish(losses.ledger.transfer(0, 1, 5, yields=0))
    assert losses.aborted == 0


@pytest.mark.parametrize(("strategy", "order"), [("lock", [0]), ("striped", [1, 2]), ("striped-unordered", [2, 1])])
def test_only_locks_in_the_order_of_the_call_can_be_waited_for_in_a_circle(strategy: str, order: list[int]) -> None:
    taken: list[int] = []

    class Noted:
        def __init__(self, stripe: int) -> None:
            self._stripe = stripe

        def acquire(self, timeout: float) -> bool:
            taken.append(self._stripe)
            return True

        def release(self) -> None: ...

    ledger = Ledger(3, strategy, stripes=3)
    ledger._locks = [Noted(stripe) for stripe in range(len(ledger._locks))]  # type: ignore[misc]
    finish(ledger.transfer(2, 1, 5, yields=0))
    assert taken == order


class Elsewhere:
    """A partition that owns account 0 alone, and stores what it sends to other owners."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []
        self.booked = False

    def owns(self, account: int) -> bool:
        return account == 0

    def send_to_owner(self, account: int, amount: int) -> Callable[[], bool]:
        self.told.append((account, amount))
        return lambda: self.booked


@pytest.mark.parametrize(
    ("accounts", "told", "own"),
    [((0, 1), [(1, 5)], -5), ((1, 0), [(1, -5)], 5), ((1, 2), [(1, -5), (2, 5)], 0)],
)
def test_a_transfer_between_owners_ends_when_all_have_booked(
    accounts: tuple[int, int], told: list[tuple[int, int]], own: int
) -> None:
    ledger = Ledger(3, "partitioned")
    ledger.partition = elsewhere = Elsewhere()
    transfer = ledger.transfer(*accounts, 5, yields=0)
    next(transfer), next(transfer)
    assert elsewhere.told == told
    elsewhere.booked = True
    finish(transfer)
    assert ledger.sum() == own


def test_a_transfer_that_is_given_up_has_booked_its_own_half() -> None:
    ledger = Ledger(3, "partitioned")
    ledger.partition = Elsewhere()
    transfer = ledger.transfer(0, 1, 5, yields=0)
    next(transfer)
    transfer.close()
    assert ledger.sum() == -5, "the other has been told"


def test_every_model_has_a_strategy_to_begin_with() -> None:
    assert {sharing: fitting_strategy(None, sharing) for sharing in Sharing} == {
        Sharing.LOOP: "cooperative",
        Sharing.THREADS: "lock",
        Sharing.CALLBACKS: "short-lock",
        Sharing.LOOPS: "process-lock",
        Sharing.PROCESSES: "process-lock",
        Sharing.OWNERS: "partitioned",
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_fits_where_it_makes_sense_and_is_refused_elsewhere(strategy: str) -> None:
    for sharing in Sharing:
        if sharing in STRATEGIES[strategy]:
            assert fitting_strategy(strategy, sharing) == strategy
        else:
            with pytest.raises(ValueError, match=f"{strategy} does not fit {sharing.value}"):
                fitting_strategy(strategy, sharing)
