"""The report as a reader finds it, whatever the results folder holds."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sweetspot.v1.control_pb2 import SnapshotReply

from tests.tools import sample
from tools import report
from tools.families import FAMILIES
from tools.headline import answer
from tools.report.table import rows
from tools.results import BadResultsError, Trial, TrialId, read_trials, trial_path, write_trial, write_void
from tools.standings import standings


class Text(HTMLParser):
    """The page's words without its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.silent = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.silent = False

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words.append(data)


def read(folder: Path) -> str:
    page = report.write(folder).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", "".join(Text(page).words))


def folder_of(path: Path, *trials: Trial) -> Path:
    for trial in trials:
        write_trial(path, trial)
    return path


def figures(folder: Path) -> dict[str, list[str]]:
    """Name of each figure -> the plot of each of its views."""
    page = report.write(folder).read_text(encoding="utf-8")
    found = re.findall(r'<figure id="(\w+)">(.*?)</figure>', page, flags=re.DOTALL)
    plot = re.compile(r'<svg class="curves".*?</svg>\n</div>', flags=re.DOTALL)
    return {name: plot.findall(content) for name, content in found}


def failing(**calls: Any) -> Trial:
    none = {"planned": 40, "ok": 30, "by_status": {}, "timed_out": 0, "not_sent": 0, "unfinished": 0}
    calls = {**none, **calls}
    got = {} if calls["ok"] else {"answered": 0, "rate_rps": 0.0}
    return sample.trial("reactor", 10, calls=calls, got=got)


def test_the_first_thing_one_reads_is_the_answer(tmp_path: Path) -> None:
    folder = sample.make(tmp_path)
    page = report.write(folder).read_text(encoding="utf-8")
    headline = re.search(r"<h1[^>]*>(.*?)</h1>", page)
    assert headline
    assert headline[1].replace("\u00a0", " ") == answer(read_trials(folder).trials)
    assert next(word for word in Text(page.partition("<body>")[2]).words if word.strip()) == headline[1]
    order = [page.index(part) for part in ("<h1", 'class="dots"', "<table", 'class="curves"', 'class="waterfall"')]
    assert order == sorted(order)


def test_the_page_asks_the_network_for_nothing(tmp_path: Path) -> None:
    page = report.write(sample.make(tmp_path)).read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert not re.findall(r"https?://|<link(?! rel=\"icon\" href=\"data:,\")|<script src|@import|url\(", page)


def test_a_page_of_every_model_is_smaller_than_500_kb(tmp_path: Path) -> None:
    models = [model for family in FAMILIES.values() for model in family]
    page = report.write(sample.make(tmp_path, models=models))
    assert page.stat().st_size < 500_000


def test_every_plot_has_a_labelled_line_for_every_model_and_says_what_is_better(tmp_path: Path) -> None:
    drawn = figures(sample.make(tmp_path))
    assert {name: len(views) for name, views in drawn.items()} == {
        "throughput": 2, "latency": 4, "distribution": 4, "memory": 2, "switches": 2, "cpu": 3,
    }  # fmt: skip
    for plot in (plot for views in drawn.values() for plot in views):
        assert set(re.findall(r'data-arm="(\w+)"', plot)) == set(sample.MODELS)
        assert set(re.findall(r'<text x="20" y="[^"]*">(\w+)</text>', plot)) == set(sample.MODELS)
        assert re.search(r'aria-label="[^"]*\((higher|lower) is better\)"', plot)


def test_a_missing_trial_is_named_and_leaves_a_gap_not_a_zero(tmp_path: Path) -> None:
    folder = sample.make(tmp_path)
    trial_path(folder, TrialId("reactor", "100")).unlink()
    assert "reactor at 100 connections: no trial." in read(folder)
    (line,) = re.findall(r'data-arm="reactor">(.*?)</g>', figures(folder)["throughput"][0], flags=re.DOTALL)
    assert re.search(r'class="line" d="M[^M]*L[^M]*M[^ML]*"', line)
    assert line.count("<circle") == 3


def test_every_number_in_a_plot_over_connections_is_in_a_table(tmp_path: Path) -> None:
    folder = sample.make(tmp_path)
    drawn = figures(folder)
    del drawn["distribution"]
    plots = "".join(plot for views in drawn.values() for plot in views)
    plotted = set(re.findall(r'class="number[^>]*>(.*?)<', plots))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", report.write(folder).read_text(encoding="utf-8"))
    assert len(plotted) > 100
    assert plotted - {cell.replace("\u00a0", " ") for cell in cells} == set()


def test_a_void_trial_is_no_figure_and_its_reason_is_listed(tmp_path: Path) -> None:
    folder = sample.make(tmp_path, counts=[10])
    why = "other processes took 30 % of the CPU"
    write_void(folder, TrialId("reactor", "10"), why)
    words = read(folder)
    assert f"What could not be measured reactor at 10 connections, round 1: void: {why}." in words
    assert "1 trial has no result" in words
    assert f"reactor void: {why} " in words


def test_a_long_list_of_void_trials_is_whole_and_folded(tmp_path: Path) -> None:
    folder = sample.make(tmp_path, counts=[10])
    for number in range(2, 14):
        write_void(folder, TrialId("reactor", "10", number), "the driver was busy")
    words = read(folder)
    assert words.count("the driver was busy") == 12
    assert "4 more reactor at 10 connections, round 10" in words


def test_where_every_model_serves_the_rate_asked_the_picture_compares_p99(tmp_path: Path) -> None:
    asked = {"loop": "open", "streams": None, "rate_rps": 300.0}
    got = {"rate_rps": 300.0}
    trials = [sample.trial(model, 10, asked=asked, got=got) for model in ("thread_pool", "reactor")]
    page = report.write(folder_of(tmp_path, *trials)).read_text(encoding="utf-8")
    picture = page[page.index('class="dots"') : page.index("</figure>")]
    assert "p99 latency at 10 connections" in picture
    assert "lower is better" in picture


def test_a_model_that_was_asked_for_and_never_ran_is_named(tmp_path: Path) -> None:
    folder = sample.make(tmp_path, models=["reactor"], counts=[10])
    (folder / "experiment.yaml").write_text("arms: {reactor: {}, thread_pool: {}}\nload: {connections: [10]}\n")
    assert "thread_pool at 10 connections: no trial." in read(folder)


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        (failing(by_status={"UNAVAILABLE": 6}, timed_out=4), "25 % of 40 calls failed: UNAVAILABLE 6, timed out 4."),
        (failing(not_sent=10), "25 % of 40 calls failed: not sent 10."),
        (failing(ok=0, timed_out=38, unfinished=2), "no call was answered OK while measuring: 38 timed out, 2 unf"),
        (failing(ok=0, planned=0), "no call was answered OK while measuring: none was sent."),
        (
            sample.trial("reactor", 10, got={"connections": 7, "duration_s": 1, "answered": 1, "rate_rps": 1}),
            "only 7 of 10 conn",
        ),
        (
            sample.trial("reactor", 10, latency_ns={**sample.distribution([10**7] * 9), "clamped": 3}),
            "3 calls took longer than the histogram can hold",
        ),
        (sample.trial("reactor", 10, traces=[]), "No call was traced at 10 connections."),
        (sample.trial("reactor", 10), "traces/ has no span of them"),
        (
            sample.trial("reactor", 10, spans={"made": 9, "exported": 4, "dropped": 5, "lost": {"wrong protocol": 5}}),
            "5 of 9 spans of driver were lost: 5 wrong protocol.",
        ),
        (
            dataclasses.replace(
                sample.trial("reactor", 10),
                after=SnapshotReply(spans={"made": 4, "dropped": 3, "lost": {"timeout": 1, "unauthorised": 2}}),
            ),
            "3 of 4 spans of reactor were lost: 2 unauthorised, 1 timeout.",
        ),
        (sample.trial("reactor", 10), "no other arm is ranked there"),
        (sample.trial("reactor", 10, latency_ns=sample.distribution([10**7] * 999)), "n<1,000"),
        (
            sample.trial("reactor", 10, latency_ns={**sample.distribution([1000]), "histogram": "HISTFnonsense"}),
            "reactor at 10 connections: latency histogram: not a histogram",
        ),
    ],
    ids=[
        "statuses and timeouts", "not sent", "all failed", "none sent", "too few connections",
        "histogram too short", "no traces", "no spans", "spans lost", "spans of a service lost",
        "one model", "too few calls for p99.9", "no histogram",
    ],
)  # fmt: skip
def test_what_went_wrong_is_said(tmp_path: Path, trial: Trial, words: str) -> None:
    assert words in read(folder_of(tmp_path, trial))


def test_pods_are_told_with_their_shares_and_what_new_ones_waited_for(tmp_path: Path) -> None:
    shares = [("a", 60, 10**6), ("b", 20, 5 * 10**9)]
    answered = [{"host": host, "answered": number, "first_answer_ns": first} for host, number, first in shares]
    times = {"a": (None, 10**6), "b": (2 * 10**9, 5 * 10**9), "c": (3 * 10**9, None)}
    there = [
        {"name": name, "node": "n1", "answered": 0, "ready_ns": ready, "first_answer_ns": first, "went": False}
        for name, (ready, first) in times.items()
    ]
    trial = dataclasses.replace(sample.trial("reactor", 10, pods=answered), pods=there)
    page = re.sub(r"\s+", " ", read(folder_of(tmp_path, trial)))
    assert "reactor at 10 connections, cluster-ip: variation 0.935" in page
    for row in ("a n1 75 %", "b n1 25 % 3 s", "c n1 0 % got none"):
        assert row in page
    assert "pods started or ended (b, c): the counters include only the pods that remained." in page


def test_one_pod_that_answers_for_all_is_said(tmp_path: Path) -> None:
    there = [
        {"name": name, "node": "n1", "answered": 0, "ready_ns": None, "first_answer_ns": None, "went": False}
        for name in ("host", "other")
    ]
    trial = dataclasses.replace(sample.trial("reactor", 10), pods=there)
    assert "one of 2 pods answered every call (balance: cluster-ip)." in read(folder_of(tmp_path, trial))


def test_a_rate_that_follows_a_schedule_is_shown_as_the_schedule(tmp_path: Path) -> None:
    asked = {"loop": "open", "streams": None, "rate_rps": None, "schedule": "steps:100@2s,200@2s"}
    assert "10, steps:100@2s,200@2s" in read(folder_of(tmp_path, sample.trial("reactor", 10, asked=asked)))


def test_unfinished_calls_are_shown_and_are_no_errors() -> None:
    trial = failing(unfinished=10)
    (at,) = standings([trial])
    (row,) = rows(at.standings, [trial])
    assert (row.cells["errors"], row.cells["unfinished"]) == ("0", "10")


def test_a_throttled_service_is_said_to_be(tmp_path: Path) -> None:
    trial = sample.trial("reactor", 10)
    trial.after.throttling.throttled_ns = 1_500_000_000
    assert "the CPU quota throttled the service for 1.5 s." in read(folder_of(tmp_path, trial))


def test_lost_updates_are_told(tmp_path: Path) -> None:
    trial = sample.trial("reactor", 10)
    trial.before.lost_updates, trial.after.lost_updates = 5, 1017
    assert "at least 1,012 updates of accounts were lost." in read(folder_of(tmp_path, trial))


def test_a_folder_without_a_trial_still_makes_a_page(tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    assert "Nothing has been measured yet" in read(tmp_path)


@pytest.mark.parametrize(
    "name", ["environment.json", "experiment.yaml", "traces/driver.jsonl", "trials/reactor-10-1.json"]
)
def test_a_file_that_is_half_written_costs_only_itself(tmp_path: Path, name: str) -> None:
    folder = sample.make(tmp_path, counts=[10])
    content = (folder / name).read_text()
    (folder / name).write_text(content[: len(content) // 2] + '{"cut')
    words = read(folder)
    assert name in words
    assert "coroutines" in words


def test_what_a_folder_says_is_text_and_never_markup(tmp_path: Path) -> None:
    folder = sample.make(tmp_path, models=["reactor"], counts=[10])
    attack = "</script><script>alert(1)</script>"
    (folder / "environment.json").write_text(json.dumps({"kernel": attack}))
    (folder / "experiment.yaml").write_text(f"arms: {{'{attack}': {{}}}}\nload: {{connections: [10]}}\n")
    assert attack not in report.write(folder).read_text(encoding="utf-8")


def test_a_folder_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadResultsError, match="not a results folder"):
        report.write(tmp_path / "nowhere")


def test_the_picture_gives_no_place_to_a_model_that_turns_clients_away(tmp_path: Path) -> None:
    away = sample.trial("reactor", 10, got={"rate_rps": 9e4}, clients=sample.clients(10, 1, 1000))
    page = read(folder_of(tmp_path, away, sample.trial("thread_pool", 10)))
    assert "served 1 of 10 clients" in page
    assert "thread_pool serves" in page
    assert "no other arm is ranked there" in page
