"""The page of claims as a reader finds it."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.tools.claims.page import run
from tools.claims import judged_run, notes, page, publication
from tools.claims.page import forest


class Text(HTMLParser):
    """Id of an element -> its words; the whole page has the id ``."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: dict[str, str] = {"": ""}
        self.open: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("section", "article", "li"):
            self.open.append((tag, dict(attrs).get("id") or ""))

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1][0] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        for name in {"", *(name for _, name in self.open)}:
            self.words[name] = f"{self.words.get(name, '')} {' '.join(data.split())}".strip()


def read(folder: Path) -> dict[str, str]:
    return Text(page.write(folder).read_text(encoding="utf-8")).words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.make(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def words(folder: Path) -> dict[str, str]:
    return read(folder)


def test_each_claim_has_a_card_with_its_verdict(words: dict[str, str]) -> None:
    shown = {name: word for name, word in run.VERDICTS.items() if words[name].startswith(f"{name} {word} ")}
    assert shown == run.VERDICTS


def test_the_page_begins_with_the_tally(words: dict[str, str]) -> None:
    tally = "Of 10 claims 5 hold, 2 do not hold, 1 is not distinguishable, 1 is void, 1 cannot be decided here."
    assert tally in words[""]


def test_swapped_arms_flip_the_word(tmp_path: Path) -> None:
    card = read(run.make(tmp_path / "run", swapped=True))["C12"]
    assert card.startswith("C12 does not hold ")
    assert "The prediction was wrong." in card


def test_a_page_depends_on_what_is_in_its_folder_alone(folder: Path, tmp_path: Path) -> None:
    first = page.write(folder).read_bytes()
    copy = shutil.copytree(folder, tmp_path / "copied")
    assert page.write(copy).read_bytes() == first
    assert str(folder) not in first.decode()


def test_every_line_of_the_notes_has_verdicts_or_says_that_none_was_asked(words: dict[str, str]) -> None:
    about = {line for claim in run.CLAIMS for line in claim.get("lines", ())}
    assert {name for name in notes.read() if "no claim in this run" not in words[name]} == about
    assert "C17 does not hold" in words["L49"]
    assert "C17b holds" in words["L49"]


CARDS = [
    ("C12", "34.2x (30.1 to 38.8) asked: at least 5x · 3 rounds"),
    ("C12", "p99 latency of innocent calls: loop divided by threads"),
    ("C12", "holds, about 30x : A loop is blocked for 30 % of the time. The prediction was right."),
    ("C12", "Committed 2026-11-27 09:53 as 4315dd8ef849, before the run began. 5dd1e4c726ebdaca"),
    ("C12", "threads: thread_pool with threads per cpu 16"),
    ("C12", "400 calls/s over 20 connections"),
    ("C12", "services/models/reactor.py"),
    ("C12", "sweetspot claims C12"),
    ("C12", "L37 在单进程时"),
    ("C17", "as the notes have it"),
    ("C17b", "as the thesis has it"),
    ("C17b", "The prediction was wrong."),
    ("C36", "edited since: nothing shows that this text was written before the run."),
    ("C36", "Changed 2026-11-28: The first threshold could not be reached."),
    ("C36", "not distinguishable ("),
    ("C15", "void: too few rounds have a figure: other processes took 30 % of the CPU"),
    ("C15", "loop at point 10, round 1: other processes took 30 % of the CPU"),
    ("C5t", "not here: an interpreter without the lock"),
    ("C4", "counted once"),
    ("C4", "functions of a call (closures code) 9 at least 3 holds"),
    ("T9", "Of the thesis, section 4.3; the notes have no line of it."),
    ("C6", "0 idle: 37.2 MiB; 100 idle: 45.7 MiB; 200 idle: 54.3 MiB"),
]


@pytest.mark.parametrize(("claim", "said"), CARDS)
def test_a_card_has_what_decides_its_claim(words: dict[str, str], claim: str, said: str) -> None:
    assert said in words[claim].replace("\u00a0", " ")


def test_claims_that_were_not_committed_first_are_named_before_any_figure(words: dict[str, str]) -> None:
    assert "Not committed before the run: C36." in words[""]


def test_a_card_leads_to_the_page_of_its_experiment_where_there_is_one(folder: Path) -> None:
    links = set(re.findall(r'href="(runs/[^"]+)"', page.write(folder).read_text(encoding="utf-8")))
    assert links == {"runs/block/report.html"}


def test_what_the_run_cannot_show_has_its_own_numbers(words: dict[str, str]) -> None:
    limits = words[""].split("What this cannot show")[1]
    assert "The machine had 2 CPUs" in limits
    assert "10 claims, of which 5 are measured and decided" in limits
    assert "less than one wrong word" in limits
    assert "One model, measured against itself, differs by at most" in limits


def test_the_page_and_the_plot_load_nothing(folder: Path) -> None:
    for text in (page.write(folder).read_text(encoding="utf-8"), forest.svg(judged_run.read(folder))):
        assert not re.search(r"(src|href|url\()=?\"?https?://", text)


def test_the_plot_of_a_run_that_was_exported_is_that_of_the_run(folder: Path, tmp_path: Path) -> None:
    claims = judged_run.read(folder)
    publication.write(tmp_path / "claims.json", claims)
    _, again = publication.read(tmp_path / "claims.json")
    assert forest.svg(again) == forest.svg(claims)


def test_the_plot_alone_has_every_claim_with_its_word(folder: Path) -> None:
    svg = ElementTree.fromstring(forest.svg(judged_run.read(folder)))
    rows = [group for group in svg.iter("{http://www.w3.org/2000/svg}g") if group.get("class") != "key"]
    texts = [[text.text or "" for text in row.iter("{http://www.w3.org/2000/svg}text")] for row in rows]
    assert {row[0]: next(word for word in run.VERDICTS.values() if word in row) for row in texts} == run.VERDICTS
    assert svg.get("width") == "820"
