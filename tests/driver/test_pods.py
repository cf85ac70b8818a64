"""Several pods behind one name: who gets the calls, and what happens when pods come and go."""

import socket
from contextlib import ExitStack
from typing import Any

import pytest

from services.driver.connection import Address
from services.driver.options import Target
from services.driver.outcome import Outcome
from services.wire import Code
from tests.driver.fake_service import Act, FakeService
from tests.driver.runs import options, run

NAME = Target("pods", 1)


class Names:
    """What the one name stands for: the addresses of services that run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.targets: list[Target] = []
        monkeypatch.setattr("services.driver.connection.Address.all_of", self.look_up)

    def look_up(self, _target: Target) -> list[Address]:
        return [Address(NAME, socket.AF_INET, (each.host, each.port)) for each in self.targets]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def answered(outcome: Outcome) -> dict[str, int]:
    return {host: pod.answered for host, pod in sorted(outcome.pods.items())}


@pytest.mark.parametrize(
    ("balance", "kind", "even"),
    [
        ("headless", {"streams": 2}, True),
        ("headless", {"streams": None, "rate_rps": 400.0}, True),
        ("per-connection", {"streams": None, "rate_rps": 400.0}, True),
        ("per-connection", {"streams": 2}, False),
    ],
)
def test_only_where_calls_are_dealt_a_slow_pod_gets_as_many_as_a_quick_one(
    balance: str, kind: dict[str, Any], even: bool, names: Names
) -> None:
    quick = FakeService(lambda _: Act.REPLY, host="quick")
    slow = FakeService(lambda number: Act.STALL if number == 20 else Act.REPLY, host="slow")
    with quick.running() as one, slow.running() as other:
        names.targets = [one, other]
        outcome = run(options(NAME, balance=balance, connections=4, duration_s=0.6, timeout_s=5.0, **kind))
    served = answered(outcome)
    assert sum(served.values()) == outcome.accounts.ok == outcome.accounts.planned
    assert (abs(served["quick"] - served["slow"]) <= 4) == even


def test_one_address_gets_all_of_it(names: Names) -> None:
    pods = [FakeService(lambda _: Act.REPLY, host=host) for host in "ab"]
    with pods[0].running() as one, pods[1].running() as other:
        names.targets = [one, other]
        outcome = run(options(NAME, balance="cluster-ip", connections=4))
    assert list(answered(outcome)) == ["a"]


def test_a_new_pod_gets_its_share_of_calls_that_are_dealt_and_none_is_lost(names: Names) -> None:
    def come(number: int) -> Act:
        if number == 50:
            names.targets = [old_target, new_target]
        return Act.REPLY

    old, new = FakeService(come, host="old"), FakeService(lambda _: Act.REPLY, host="new")
    with old.running() as old_target, new.running() as new_target:
        names.targets = [old_target]
        asked = options(
            NAME, balance="headless", resolve_s=0.01, connections=4, streams=None, rate_rps=400.0, duration_s=1.0
        )
        outcome = run(asked)
    assert outcome.accounts.ok == outcome.accounts.planned == 400
    assert answered(outcome)["new"] > 50
    assert outcome.pods["new"].first_answer_ns > outcome.pods["old"].first_answer_ns


def test_connections_of_a_pod_that_is_gone_lead_to_the_others(names: Names) -> None:
    stays = FakeService(lambda _: Act.REPLY, host="stays")
    goes = FakeService(lambda number: Act.DROP if number >= 20 else Act.REPLY, host="goes")
    with ExitStack() as stack:
        names.targets = [stack.enter_context(each.running()) for each in (stays, goes)]
        asked = options(NAME, balance="per-connection", connections=4, streams=None, rate_rps=400.0, duration_s=1.0)
        outcome = run(asked)
    # Whenever it drops a connection, that one is opened to the pod that has fewer.
    assert outcome.accounts.ok >= 390
    assert outcome.accounts.planned == 400


@pytest.mark.parametrize("kind", [{"streams": 3}, {"streams": None, "rate_rps": 400.0}])
def test_a_call_for_which_nothing_was_done_is_sent_again(kind: dict[str, Any]) -> None:
    service = FakeService(lambda number: Act.TURN_AWAY if number in (5, 100) else Act.REPLY)
    with service.running() as target:
        outcome = run(options(target, **kind))
    assert outcome.accounts.ok == outcome.accounts.planned
    assert outcome.sent_again == 2


def test_it_is_sent_again_only_once() -> None:
    service = FakeService(lambda _: Act.TURN_AWAY)
    with service.running() as target:
        outcome = run(options(target, streams=None, rate_rps=200.0))
    assert outcome.accounts.by_status == {Code.UNAVAILABLE: 60}
    assert (outcome.sent_again, service.calls) == (60, 120)
