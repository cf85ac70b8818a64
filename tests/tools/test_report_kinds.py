"""Calls of several kinds: what each waits for is seen kind by kind."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from tests.tools import sample
from tools import report, terminal_result
from tools.results import Trial, read_trials, write_trial

FAST, BEHIND = [1.0] * 195 + [2.0] * 5, [1.0] * 195 + [60.0] * 5
LONG = [50.0] * 100


def mixed(model: str, short: Sequence[float], *, rounds: int = 3) -> list[Trial]:
    """Short and long calls; the long ones take 50 ms at least."""
    kinds = {"short": sample.kind(*short), "long": sample.kind(*LONG)}
    return [sample.trial(model, 10, number, kinds=kinds) for number in range(1, rounds + 1)]


def page_of(folder: Path, *trials: Trial) -> str:
    for trial in trials:
        write_trial(folder, trial)
    return report.write(folder).read_text(encoding="utf-8")


def section(page: str) -> str:
    return page[page.index('id="kinds"') :].partition("</section>")[0]


@pytest.mark.parametrize(
    ("short", "waits"),
    [(FAST, False), (BEHIND, True), ([45.0] * 195 + [60.0] * 5, False)],
    ids=["never", "one in forty", "as long by itself"],
)
def test_a_kind_that_takes_as_long_as_a_longer_one_waits_for_it(
    tmp_path: Path, short: Sequence[float], waits: bool
) -> None:
    found = section(page_of(tmp_path, *mixed("reactor", short)))
    assert ("short calls wait for long calls" in found) is waits
    assert "long calls wait for short calls" not in found


def test_each_kind_has_its_percentiles_in_a_table_and_in_a_picture(tmp_path: Path) -> None:
    found = section(page_of(tmp_path, *mixed("thread_pool", FAST), *mixed("reactor", BEHIND)))
    pictures = re.findall(r'<figure class="dots">.*?</figure>', found, flags=re.DOTALL)
    assert [re.findall(r"<b>(p99 .*?)</b>", each) for each in pictures] == [
        ["p99 latency of short calls at 10 connections"], ["p99 latency of long calls at 10 connections"],
    ]  # fmt: skip
    assert re.findall(r'data-arm="(.*?)"', pictures[0]) == ["thread_pool", "reactor"]
    cells = [re.findall(r"<td.*?>(.*?)</td>", row) for row in re.findall(r"<tr class.*?</tr>", found, flags=re.DOTALL)]
    assert ["600", "1\u00a0ms", "60\u00a0ms", "0", "300", "50\u00a0ms", "50\u00a0ms", "0"] in cells


def test_calls_of_a_kind_without_an_answer_are_slow_ones_of_that_kind(tmp_path: Path) -> None:
    kinds = {"short": sample.kind(*FAST), "long": sample.kind(*LONG)}
    kinds["long"]["calls"] |= {"planned": 110, "timed_out": 10}
    found = section(page_of(tmp_path, sample.trial("reactor", 10, kinds=kinds)))
    assert ">&gt; 4\u00a0s<" in found
    assert "9.09" in found


def test_calls_of_one_kind_have_no_section_of_kinds(tmp_path: Path) -> None:
    assert "Kinds of calls" not in page_of(tmp_path, sample.trial("reactor", 10))


def test_the_terminal_has_a_line_for_each_arm_and_kind(tmp_path: Path) -> None:
    page_of(tmp_path, *mixed("thread_pool", FAST), *mixed("reactor", BEHIND))
    console = Console(file=io.StringIO(), width=80)
    terminal_result.show(console, read_trials(tmp_path), tmp_path / "report.html")
    said = re.sub(" +", " ", console.file.getvalue())  # type: ignore[attr-defined]  # it is a StringIO
    for line in (
        "reactor short p50 1 ms p99 60 ms",
        "reactor long p50 50 ms p99 50 ms",
        "thread_pool short p50 1 ms p99 2 ms",
    ):
        assert line in said


def test_one_point_has_p99_and_cpu_time_as_dots(tmp_path: Path) -> None:
    page = page_of(tmp_path, *mixed("thread_pool", FAST), *mixed("reactor", BEHIND))
    more = page[page.index('id="over"') :]
    assert re.findall(r'<figure class="dots">\s*<figcaption><b>(.*?)</b>', more) == [
        "p99 latency at 10 connections", "CPU time for each call at 10 connections",
    ]  # fmt: skip
    assert more.count('class="interval"') == 4
