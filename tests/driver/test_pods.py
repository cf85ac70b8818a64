"""Several pods behind one name: who gets the calls, and what happens when pods come and go."""

import re
import socket
from contextlib import ExitStack
from typing import Any, get_args

import pytest

from services.driver.balance import Balance
from services.driver.fleet import AddressRefused, destinations
from services.driver.outcome import Outcome
from services.network.address import Address
from services.network.names import Endpoint
from services.wire import Code
from tests.driver.fake_service import Act, FakeService
from tests.driver.runs import nobody, options, run

NAME = Address("pods", 1)


class Names:
    """What the one name stands for: the addresses of services that run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: list[Address] = []
        monkeypatch.setattr("services.driver.fleet.look_up", self.look_up)

    def look_up(self, _address: Address) -> list[Endpoint]:
        found = [socket.getaddrinfo(each.host, each.port, type=socket.SOCK_STREAM)[0] for each in self.addresses]
        return [Endpoint(family, sockaddr) for family, _, _, _, sockaddr in found]


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
        names.addresses = [one, other]
        outcome = run(options(NAME, balance=balance, connections=4, duration_s=0.6, timeout_s=5.0, **kind))
    served = answered(outcome)
    assert sum(served.values()) == outcome.accounts.ok == outcome.accounts.planned
    assert (abs(served["quick"] - served["slow"]) <= 4) == even


def test_one_address_gets_all_of_it(names: Names) -> None:
    pods = [FakeService(lambda _: Act.REPLY, host=host) for host in "ab"]
    with pods[0].running() as one, pods[1].running() as other:
        names.addresses = [one, other]
        outcome = run(options(NAME, balance="cluster-ip", connections=4))
    assert list(answered(outcome)) == ["a"]


@pytest.mark.parametrize("balance", get_args(Balance))
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("order", [("127.0.0.1", "::1"), ("::1", "127.0.0.1")], ids="then".join)
def test_a_name_of_two_addresses_is_served_at_whichever_listens(
    balance: str, host: str, order: tuple[str, str], names: Names
) -> None:
    with FakeService(lambda _: Act.REPLY).running(host) as address:
        names.addresses = [Address(each, address.port) for each in order]
        outcome = run(options(NAME, balance=balance, connections=3, duration_s=0.05))
    assert outcome.connections == 3
    assert outcome.accounts.ok == outcome.accounts.planned > 0


@pytest.mark.parametrize("balance", get_args(Balance))
def test_an_address_that_drops_what_comes_leaves_time_for_the_next(
    balance: str, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.driver.connection.CONNECT_TIMEOUT_NS", 200_000_000)
    with (
        socket.create_server(("127.0.0.2", 0), backlog=0) as deaf,
        socket.create_connection(deaf.getsockname()),
        FakeService(lambda _: Act.REPLY).running() as address,
    ):
        names.addresses = [Address(*deaf.getsockname()), address]
        outcome = run(options(NAME, balance=balance, connections=2, duration_s=0.05))
    assert outcome.connections == 2
    assert outcome.accounts.ok == outcome.accounts.planned > 0


def test_an_address_of_which_no_address_listens_is_refused_with_the_reason_of_each(names: Names) -> None:
    port = nobody().port
    names.addresses = [Address("::1", port), Address("127.0.0.1", port)]
    tried = re.escape(f"pods:1: [::1]:{port}: Connection refused; 127.0.0.1:{port}: Connection refused")
    with pytest.raises(AddressRefused, match=f"^{tried}$"):
        run(options(NAME))


@pytest.mark.parametrize(
    ("found", "dealt"),
    [
        (["10.0.0.2", "10.0.0.1"], ["10.0.0.1:1", "10.0.0.2:1"]),
        (["fd00::2", "fd00::1", "10.0.0.2", "10.0.0.1"], ["[fd00::1]:1", "[fd00::2]:1"]),
    ],
    ids=["one family", "two families"],
)
def test_a_pod_with_an_address_of_each_family_is_one_pod(found: list[str], dealt: list[str]) -> None:
    endpoints = [Endpoint(*socket.getaddrinfo(each, 1)[0][::4]) for each in found]
    assert [str(destination) for destination in destinations(NAME, endpoints, as_one=False)] == dealt
    assert [str(destination) for destination in destinations(NAME, endpoints, as_one=True)] == ["pods:1"]


def test_a_new_pod_gets_its_share_of_calls_that_are_dealt_and_none_is_lost(names: Names) -> None:
    def come(number: int) -> Act:
        if number == 50:
            names.addresses = [old_address, new_address]
        return Act.REPLY

    old, new = FakeService(come, host="old"), FakeService(lambda _: Act.REPLY, host="new")
    with old.running() as old_address, new.running() as new_address:
        names.addresses = [old_address]
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
        names.addresses = [stack.enter_context(each.running()) for each in (stays, goes)]
        asked = options(NAME, balance="per-connection", connections=4, streams=None, rate_rps=400.0, duration_s=1.0)
        outcome = run(asked)
    # Whenever it drops a connection, that one is opened to the pod that has fewer.
    assert outcome.accounts.ok >= 390
    assert outcome.accounts.planned == 400


@pytest.mark.parametrize("kind", [{"streams": 3}, {"streams": None, "rate_rps": 400.0}])
def test_a_call_for_which_nothing_was_done_is_sent_again(kind: dict[str, Any]) -> None:
    service = FakeService(lambda number: Act.TURN_AWAY if number in (5, 100) else Act.REPLY)
    with service.running() as address:
        outcome = run(options(address, **kind))
    assert outcome.accounts.ok == outcome.accounts.planned
    assert outcome.sent_again == 2


def test_it_is_sent_again_only_once() -> None:
    service = FakeService(lambda _: Act.TURN_AWAY)
    with service.running() as address:
        outcome = run(options(address, streams=None, rate_rps=200.0))
    assert outcome.accounts.by_status == {Code.UNAVAILABLE: 60}
    assert (outcome.sent_again, service.calls) == (60, 120)
