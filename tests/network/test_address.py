"""HOST:PORT is read and written in one way, and any other text is rejected in one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.network.address import Address

EXAMPLE = "is not HOST:PORT, such as localhost:50051 or [::1]:50051"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost:80", "localhost", 80),
        ("127.0.0.1:65535", "127.0.0.1", 65_535),
        ("[::1]:80", "::1", 80),
        ("[fe80::1%eth0]:80", "fe80::1%eth0", 80),
        ("big-headless.my_space.svc:50051", "big-headless.my_space.svc", 50_051),
    ],
)
def test_what_is_read_is_written_the_same(text: str, host: str, port: int) -> None:
    assert Address.parse(text) == Address(host, port)
    assert str(Address(host, port)) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("localhost", EXAMPLE),
        (":80", EXAMPLE),
        ("", EXAMPLE),
        ("::1:80", EXAMPLE),
        ("::1", EXAMPLE),
        ("[::1]", EXAMPLE),
        ("[::1:80", EXAMPLE),
        ("::1]:80", EXAMPLE),
        ("[localhost]:80", EXAMPLE),
        ("[]:80", EXAMPLE),
        ("http://localhost:80", EXAMPLE),
        ("local host:80", EXAMPLE),
        ("localhost:80\n", EXAMPLE),
        ("localhost:eighty", EXAMPLE),
        ("localhost:-1", EXAMPLE),
        ("localhost:\u0668\u0660", EXAMPLE),
        ("localhost:0", "port 0 is not within 1 to 65535"),
        ("localhost:65536", "port 65536 is not within 1 to 65535"),
    ],
)
def test_a_mistake_is_one_line_with_an_example(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|not within") as refused:
        Address.parse(text)
    assert str(refused.value).endswith(why)
    assert "\n" not in str(refused.value)


@given(st.ip_addresses().map(str), st.integers(1, 65_535))
def test_any_ip_address_comes_back(host: str, port: int) -> None:
    assert Address.parse(str(Address(host, port))) == Address(host, port)


def test_tools_and_services_read_addresses_by_the_same_text() -> None:
    root = Path(__file__).parents[2]
    assert (root / "tools/address.py").read_text() == (root / "services/network/address.py").read_text()
