"""Each address of a name is tried in turn, and none takes the time of those after it."""

import socket

import pytest

from services.network.address import Address
from services.network.attempts import Attempts
from services.network.names import Endpoint

NAMED, LITERAL = Address("mixed", 80), Address("::1", 80)
SIX = Endpoint(socket.AF_INET6, ("::1", 80, 0, 0))
FOUR = Endpoint(socket.AF_INET, ("127.0.0.1", 80))


def attempts(at: Address, *endpoints: Endpoint, until_ns: int = 900) -> Attempts:
    found = Attempts(at, until_ns)
    found.found(endpoints)
    return found


def test_the_time_that_is_left_is_shared_by_the_addresses_that_are_left() -> None:
    left = attempts(NAMED, SIX, FOUR, SIX)
    assert (left.next(0), left.until_ns) == (SIX, 300)
    assert (left.next(100), left.until_ns) == (FOUR, 500)
    assert (left.next(500), left.until_ns) == (SIX, 900)
    assert left.next(900) is None


def test_an_address_whose_turn_comes_too_late_has_no_time() -> None:
    left = attempts(NAMED, SIX)
    assert (left.next(1000), left.until_ns) == (SIX, 1000)


@pytest.mark.parametrize(
    ("at", "failures", "why"),
    [
        (NAMED, [(SIX, "no route"), (FOUR, "refused")], "[::1]:80: no route; 127.0.0.1:80: refused"),
        (LITERAL, [(SIX, "refused")], "refused"),
        (NAMED, [], "the name has no address"),
        (NAMED, [(FOUR, "refused")] * 5, "; ".join(["127.0.0.1:80: refused"] * 3) + "; and 2 more"),
    ],
)
def test_an_error_names_the_addresses_that_were_tried(
    at: Address, failures: list[tuple[Endpoint, str]], why: str
) -> None:
    left = attempts(at, *(endpoint for endpoint, _ in failures))
    for _, reason in failures:
        left.next(0)
        left.failed(reason)
    assert left.why == why
