"""Numbers as a user reads them."""

import pytest

from tools import units


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (850, "850 ns"),
        (12_345, "12.3 µs"),
        (999_999, "1 ms"),
        (310e6, "310 ms"),
        (1.2e9, "1.2 s"),
        (-4e6, "-4 ms"),
    ],
)
def test_a_duration_has_three_digits_and_the_unit_that_suits_it(ns: float, text: str) -> None:
    assert units.duration(ns) == text


@pytest.mark.parametrize(
    ("number", "text"), [(512, "512 B"), (10_035, "9.8 KiB"), (50_541_363, "48.2 MiB"), (3 << 30, "3 GiB")]
)
def test_a_size_is_in_binary_units(number: float, text: str) -> None:
    assert units.size(number) == text


@pytest.mark.parametrize(("fraction", "text"), [(0, "0 %"), (0.00001, "<0.01 %"), (0.0321, "3.21 %"), (1, "100 %")])
def test_a_share_that_is_not_zero_never_reads_zero(fraction: float, text: str) -> None:
    assert units.share(fraction) == text


@pytest.mark.parametrize(("number", "text"), [(4210, "4,210"), (0.25, "0.25"), (4210.4, "4,210"), (0.0814, "0.0814")])
def test_a_count_has_separators(number: float, text: str) -> None:
    assert units.count(number) == text
