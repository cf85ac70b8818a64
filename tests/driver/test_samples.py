from array import array

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from services.driver.samples import HIGHEST_NS, summarize

LATENCIES = st.lists(st.integers(1_000, HIGHEST_NS), min_size=1, max_size=200)


@given(LATENCIES)
def test_folding_at_the_end_gives_the_histogram_that_recording_each_value_gives(values: list[int]) -> None:
    recorded = HdrHistogram(1_000, HIGHEST_NS, 3)
    for value in values:
        assert recorded.record_value(value)
    folded = HdrHistogram.decode(summarize(array("Q", values))["histogram"])
    assert list(folded.counts) == list(recorded.counts)


@given(LATENCIES)
def test_percentiles_are_within_a_thousandth_or_the_unit_and_never_beyond_the_extremes(values: list[int]) -> None:
    summary = summarize(array("Q", values))
    median = sorted(values)[max(int(len(values) * 0.5 + 0.5), 1) - 1]
    assert summary["p50"] == pytest.approx(median, rel=0.001, abs=512)
    assert summary["min"] <= summary["p50"] <= summary["p90"] <= summary["p99"] <= summary["p999"] <= summary["max"]


def test_extremes_and_mean_are_exact() -> None:
    summary = summarize(array("Q", [1_234_567, 7_654_321, 3]))
    assert (summary["min"], summary["mean"], summary["max"]) == (3, 8_888_891 / 3, 7_654_321)


@pytest.mark.parametrize(
    ("sentence", "value_ns", "clamped"),
    [
        ("a value below a microsecond is counted", 0, 0),
        ("the highest value is counted as it is", HIGHEST_NS, 0),
        ("a value above the range is counted as the highest, and said to be", HIGHEST_NS + 10_000, 1),
        ("a value far above the range is not lost", 1 << 62, 1),
    ],
)
def test_no_value_is_dropped(sentence: str, value_ns: int, clamped: int) -> None:
    summary = summarize(array("Q", [value_ns]))
    assert (summary["count"], summary["clamped"]) == (1, clamped), sentence
    assert HdrHistogram.decode(summary["histogram"]).get_total_count() == 1, sentence


def test_no_values_have_no_statistics_but_an_empty_histogram() -> None:
    summary = summarize(array("Q"))
    assert (summary["count"], summary["p99"], summary["mean"]) == (0, None, None)
    assert HdrHistogram.decode(summary["histogram"]).get_total_count() == 0
