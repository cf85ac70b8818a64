"""What the documents say is so. `python -m tests.test_readme` writes the README's and the chart's models again."""

import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from services.models import MODELS, Model
from services.workload.costs import STYLES, chain, edits, source
from tests.chart import generated as chart
from tools import experiment
from tools.claims import markdown, published, reading
from tools.claims.page import forest

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
PICTURE = ROOT / "docs" / "claims.svg"
START, END = "<!-- models:start -->\n", "<!-- models:end -->"
# Where a file lies; that of a command, a result or a metadata key is none.
PATHS = re.compile(r"(?:services|tools|tests|protos|\.ci)/[\w./*-]*")


def tables(models: Iterable[Model]) -> str:
    """MODELS as two tables of Markdown: to choose by, and the rest of the taxonomy."""
    choice = [("name", "what it is", "tasks", "stack", "I/O", "choose it when")]
    rest = [("name", "conflicts", "partitioning", "who accepts", "queue", "hand-off", "variants")]
    for model in models:
        link = f"[{model.name}](services/models/{model.name}.py)"
        kind = model.taxonomy
        choice.append((link, model.caption, kind.tasks, kind.stack, kind.io, model.choose_when))
        variants = ", ".join(f"`{' '.join(options)}`" for options in model.variants)
        told = kind.conflicts, kind.partitioning, kind.accepts, kind.queue, kind.hand_off
        rest.append((model.name, *told, variants))
    return f"{_markdown(choice)}\n{_markdown(rest)}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *others = (f"| {' | '.join(row)} |\n" for row in rows)
    return "".join((head, f"| {' | '.join(['---'] * len(rows[0]))} |\n", *others))


def with_tables(text: str) -> str:
    """The document with the tables of today between its markers."""
    before, rest = text.split(START)
    _, after = rest.split(END)
    return before + START + tables(MODELS.values()) + END + after


CODE = (".ci", "services", "tools", "tests", "protos", "helm", "Dockerfile", "Makefile", "pyproject.toml")
OF_OTHERS = {"SSLSocket", "SSLObject", "WANT_READ", "liburing", "pyuring"}
"""Names of other libraries that a document gives as the reason why they are not used."""


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def test_the_verdicts_are_those_of_the_committed_run() -> None:
    text, (run, claims) = read("README.md"), published.read()
    assert markdown.with_part(text, markdown.part(run, claims)) == text, "stale: run `python -m tests.test_readme`"
    assert PICTURE.read_text(encoding="utf-8") == forest.svg(claims), "stale: run `python -m tests.test_readme`"


def test_every_finding_rests_on_a_claim_that_the_committed_run_decides() -> None:
    _, claims = published.read()
    assert list(markdown.unfounded(read("README.md"), claims)) == []


def test_the_committed_run_is_of_the_claims_as_they_are() -> None:
    _, claims = published.read()
    every = reading.claims()
    decided_by = ("experiment", "kind", "statistic", "holds_if", "also")
    stale = [
        each.claim.claim
        for each in claims.judged
        if any(getattr(each.claim, key) != getattr(every[each.claim.claim], key) for key in decided_by)
    ]
    assert stale == [], "run `sweetspot claims` again, and export its verdicts to docs/claims.json"


def commands() -> list[list[str]]:
    """The README's commands, as a shell splits them."""
    blocks = re.findall(r"^```sh\n(.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]


def test_the_tables_of_models_are_those_of_the_code() -> None:
    text = read("README.md")
    assert with_tables(text) == text, "stale: run `python -m tests.test_readme`"


def test_the_figures_of_styles_that_follow_from_code_are_those_of_the_code() -> None:
    for style, handlers in STYLES.items():
        found = source.read(style, handlers)
        more = edits.lines_to_change(inspect.getsource(handlers), edits.edited(style, handlers))
        deep = edits.lines_to_change(chain.PLAIN, chain.AFTER[style])
        figures = (style, found.functions_of_a_call, found.saved_by_hand, found.captured, more, deep)
        assert f"| {' | '.join(map(str, figures))} |" in read("README.md")


def test_a_caption_needs_no_escape() -> None:
    assert not [model.name for model in MODELS.values() if set("|\n<") & set(model.caption + model.choose_when)]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_is_named_is_there(document: str) -> None:
    text = read(document)
    linked = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    code = re.findall(r"`([^`\n]+)`", text)
    named = [word for words in code for word in words.split() if PATHS.fullmatch(word)]
    assert not [path for path in linked + named if not any(ROOT.glob(path.rstrip("/")))]


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_name_in_backticks_is_in_the_code(document: str) -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in CODE
        for path in [ROOT / folder, *(ROOT / folder).rglob("*")]
        if path.is_file() and "__pycache__" not in path.parts
    )
    files = {path.stem for path in ROOT.glob("tests/**/*.py")}
    named = {
        name for words in re.findall(r"`([^`\n]+)`", read(document)) for name in re.findall(r"[A-Za-z_]\w{2,}", words)
    }
    assert sorted(name for name in named - OF_OTHERS - files if name not in code) == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_target_of_make_that_is_named_is_there(document: str) -> None:
    targets = re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)
    named = re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", read(document), re.MULTILINE)
    assert {first or second for first, second in named} <= set(targets)


def test_the_example_of_an_experiment_is_one() -> None:
    examples = re.findall(r"^```yaml\n(title:.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)
    assert [list(experiment.parse(text, "README.md").arms) for text in examples] == [
        ["reactor", "pool_4", "pool_16", "stages"]
    ]


def test_the_table_of_commands_has_each() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tools.cli", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    there = re.findall(r"^    ([a-z]+)(?:\s|$)", told, re.MULTILINE)
    assert sorted(re.findall(r"^\| `sweetspot ([a-z]+)", read("README.md"), re.MULTILINE)) == sorted(there)


PROGRAMS = {
    "services": ("-m", "services", "reactor"),
    "services.driver": ("-m", "services.driver"),
    "run": ("-m", "tools.cli", "run"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_flag_in_a_command_is_one_of_the_program(program: str) -> None:
    used = {
        word
        for command in commands()
        if program in command[1:3] and "--list" not in command
        for word in command
        if word.startswith("--")
    }
    told = subprocess.run(
        [sys.executable, *PROGRAMS[program], "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert used
    assert used <= set(re.findall(r"--[a-z-]+", told))


if __name__ == "__main__":
    readme = ROOT / "README.md"
    text, (run, claims) = with_tables(read("README.md")), published.read()
    readme.write_text(markdown.with_part(text, markdown.part(run, claims)), encoding="utf-8")
    PICTURE.write_text(forest.svg(claims), encoding="utf-8")
    chart.write()
