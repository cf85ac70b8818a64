"""Every number of a result that follows from others: a change of this number alone is detected and named."""

import copy
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.tools import driven
from tools import experiment
from tools.trial_specs import trials
from tools.verify import parts, sums

FREE = {
    "version", "asked", "addresses", "plan", "started_at", "interrupted", "traces", "spans", "served_by",
    "first_messages", "python", "marks", "start_spread_ns", "connections", "connections_lost", "sent_again", "traced",
    "served", "unserved_at_start", "calls_of_unserved", "answered_least", "answered_most", "longest_wait_ns",
    "first_answer_ns", "index", "of", "begin_monotonic_ns", "begun_late_ns", "clock_uncertainty_ns",
    "drained_monotonic_ns", "clients_served", "idle", "waited_ns",
}  # fmt: skip
"""Keys of numbers that follow from no other: only the hash of the file protects them."""


def problems(result: dict[str, Any]) -> list[str]:
    return [*sums.wrong(result), *parts.wrong(result)]


def numbers(part: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Paths of those that are not free."""
    if isinstance(part, dict | list):
        for key, value in part.items() if isinstance(part, dict) else enumerate(part):
            if key not in FREE:
                yield from numbers(value, *path, key)
    elif isinstance(part, int | float):
        yield path


def changed(result: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    """The same but for that number, which is 3 % larger and another one."""
    made = copy.deepcopy(result)
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    # A minimum is known to within a bucket, which has 512 ns at least.
    holder[path[-1]] += holder[path[-1]] // 32 + (512 if path[-1] == "min" else 1)
    return made


@pytest.mark.parametrize("text", [driven.EXPERIMENT, driven.STREAMED], ids=["closed loop", "streams of a mix"])
def test_a_result_of_the_driver_has_no_wrong_number_and_each_change_is_found(text: str) -> None:
    asked = experiment.parse(text, "experiment.yaml")
    result = driven.result(asked, trials(asked)[0], 1.0, random.Random(1))
    assert problems(result) == []
    paths = list(numbers(result))
    assert len(paths) > 100
    assert [path for path in paths if not problems(changed(result, path))] == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("got", "rate_rps"), r"got\.rate_rps is 10\d\d\.\d+, and answered / duration_s give 99"),
        (("latency_ns", "p99"), r"latency_ns\.p99 is \d+, and the histogram has \d+"),
        (("calls", "timed_out"), r"calls\.planned is 2000, and the sum of all ends give 2001"),
        (("slices", 2, "answered"), r"got\.answered is 1996, and its slices give 2012"),
    ],
    ids=str,
)
def test_the_line_names_the_number_and_what_it_should_be(path: tuple[str | int, ...], line: str) -> None:
    asked = experiment.parse(driven.EXPERIMENT, "experiment.yaml")
    result = driven.result(asked, trials(asked)[0], 1.0, random.Random(1), noise=0)
    assert any(re.match(line, found) for found in problems(changed(result, path)))


def test_a_bucket_of_a_histogram_that_lost_a_call_is_found() -> None:
    asked = experiment.parse(driven.EXPERIMENT, "experiment.yaml")
    result = driven.result(asked, trials(asked)[0], 1.0, random.Random(1))
    other = driven.result(asked, trials(asked)[0], 1.0, random.Random(2))
    result["latency_ns"]["histogram"] = other["latency_ns"]["histogram"]
    assert "latency_ns.histogram is not the sum of its parts" in problems(result)
