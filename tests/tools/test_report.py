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
from tools.answer import answer
from tools.report.look import looks
from tools.report.table import rows
from tools.results import BadResultsError, Trial, TrialId, read_trials, trial_path, write_trial


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


def drawing(folder: Path) -> dict[str, Any]:
    page = report.write(folder).read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="drawing">(.*?)</script>', page)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


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
    assert page.index("<h1") < page.index("<table") < page.index('class="plot"') < page.index('class="waterfall"')


def test_the_page_asks_the_network_for_nothing(tmp_path: Path) -> None:
    page = report.write(sample.make(tmp_path)).read_text(encoding="utf-8")
    ours = re.sub(r"<script>/\*\*\n\* plotly\.js.*?</script>", "", page, flags=re.DOTALL)
    assert len(page) - len(ours) > 1_000_000
    assert "default-src 'none'" in ours
    assert not re.findall(r"https?://|<link(?! rel=\"icon\" href=\"data:,\")|<script src|@import|url\(", ours)


def test_every_plot_has_a_line_for_every_model(tmp_path: Path) -> None:
    plots = drawing(sample.make(tmp_path))["plots"]
    assert [plot["name"] for plot in plots] == [
        "throughput", "latency", "distribution", "memory", "switches", "cpu",
    ]  # fmt: skip
    for plot in plots:
        for view in plot["views"]:
            assert {line["model"] for line in view["lines"]} == set(sample.MODELS)


def test_a_missing_trial_is_named_and_leaves_a_gap_not_a_zero(tmp_path: Path) -> None:
    folder = sample.make(tmp_path)
    trial_path(folder, TrialId("reactor", "1000")).unlink()
    assert "reactor at 1,000 connections: no trial." in read(folder)
    throughput = drawing(folder)["plots"][0]["views"][0]
    (line,) = (line for line in throughput["lines"] if line["model"] == "reactor")
    assert line["y"][-1] is None
    assert all(line["y"][:-1])


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
        (
            sample.trial("reactor", 10, got={"connections": 7, "duration_s": 1, "answered": 1, "rate_rps": 1}),
            "only 7 of 10 conn",
        ),
        (
            sample.trial("reactor", 10, shards=[{"cpu_ns": 3_900_000_000}]),
            "the driver used 0.975 CPUs and may be what was measured",
        ),
        (
            sample.trial("reactor", 10, latency_ns={**sample.distribution([10**7] * 9), "clamped": 3}),
            "3 calls took longer than the histogram can hold",
        ),
        (sample.trial("reactor", 10, traces=[]), "No call was traced at 10 connections."),
        (sample.trial("reactor", 10), "traces/ holds no span of them"),
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
        (sample.trial("reactor", 10), "no other model was measured there"),
        (sample.trial("reactor", 10, latency_ns=sample.distribution([10**7] * 999)), "n<1,000"),
        (
            sample.trial("reactor", 10, latency_ns={**sample.distribution([1000]), "histogram": "HISTFnonsense"}),
            "reactor at 10 connections: latency histogram: not a histogram",
        ),
    ],
    ids=[
        "statuses and timeouts", "not sent", "all failed", "too few connections", "driver is the bound",
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
    assert "pods came or went (b, c): its counters are of those that stayed." in page


def test_one_pod_that_answers_for_all_is_said(tmp_path: Path) -> None:
    there = [
        {"name": name, "node": "n1", "answered": 0, "ready_ns": None, "first_answer_ns": None, "went": False}
        for name in ("host", "other")
    ]
    trial = dataclasses.replace(sample.trial("reactor", 10), pods=there)
    assert "one of 2 pods answered every call (balance: cluster-ip)." in read(folder_of(tmp_path, trial))


def test_unfinished_calls_are_shown_and_are_no_errors() -> None:
    trial = failing(unfinished=10)
    (row,) = rows([trial], [trial], looks(["reactor"]))
    assert (row.cells["errors"], row.cells["unfinished"]) == ("0", "10")


def test_models_that_did_different_work_are_not_compared_in_silence(tmp_path: Path) -> None:
    other = sample.trial("thread_pool", 10, checksums={"17": 1})
    assert "Not every model did the same work" in read(folder_of(tmp_path, sample.trial("reactor", 10), other))


def test_a_throttled_service_is_said_to_be(tmp_path: Path) -> None:
    trial = sample.trial("reactor", 10)
    trial.after.throttling.throttled_ns = 1_500_000_000
    assert "the CPU quota kept the service from running for 1.5 s." in read(folder_of(tmp_path, trial))


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
