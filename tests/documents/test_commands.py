"""Every command of README and docs/ is one that its program accepts, and is executed or listed with a reason."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.models import MODELS
from tests.documents import commands, markdown, parsers
from tests.documents.commands import Command
from tests.documents.executed import ROWS, Short, pattern_of
from tests.documents.places import ROOT, documents, guides, read
from tests.documents.spelling import fault
from tests.serving import Serving, serving
from tests.tools import driven
from tools import cli

EVERY = commands.every()
TO_EXECUTE = {
    short.words(command.words): (command, short)
    for command in reversed(EVERY)
    if isinstance(short := ROWS.get(pattern_of(command.text) or ""), Short)
}
"""Words to execute -> the first command that they stand for."""
TIMEOUT_S = 60

EXPERIMENT = """
title: Which is faster?
models: [reactor, coroutines]
connections: [2]
plan: {}
warmup_s: 0
duration_s: 0.1
rounds: 1
"""
PLAN = "steps: [{compute: {rounds: 10}}]\n"
MIX = "mix: {light: {share: 9}, heavy: {share: 1, steps: [{compute: {rounds: 10}}]}}\n"


@pytest.mark.parametrize("command", EVERY, ids=lambda command: command.text)
def test_a_command_is_one_that_its_program_accepts(command: Command) -> None:
    assert not fault(command.words), command.place


@pytest.mark.parametrize("command", EVERY, ids=lambda command: command.text)
def test_a_command_is_executed_or_listed_with_a_reason(command: Command) -> None:
    assert pattern_of(command.text), (
        f"{command.place}: no test knows `{command.text}`: add it to EXECUTED in tests/documents/executed.py, or to "
        "LISTED there, with the reason why no test executes it"
    )


def test_no_row_is_left_of_a_command_that_is_gone() -> None:
    needed = {pattern_of(command.text) for command in EVERY}
    assert [pattern for pattern in ROWS if pattern not in needed] == []


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder, and a baseline of it."""
    folder = tmp_path_factory.mktemp("results")
    made = driven.closed(folder / "run")
    assert cli.main(["compare", str(made), "--save", str(folder / "baseline.json")]) == 0
    return folder


@pytest.fixture(scope="module")
def service() -> Iterator[Callable[[str], Serving]]:
    """A service of that model, the same for each command."""
    running: dict[str, Serving] = {}
    with ExitStack() as stack:

        def of(model: str) -> Serving:
            if model not in running:
                running[model] = stack.enter_context(serving(model))
            return running[model]

        yield of


@pytest.mark.parametrize("words", TO_EXECUTE, ids=[command.text for command, _ in TO_EXECUTE.values()])
def test_a_command_does_what_it_is_for(
    words: tuple[str, ...], results: Path, service: Callable[[str], Serving], tmp_path: Path
) -> None:
    command, short = TO_EXECUTE[words]
    prepare(tmp_path, words, results)
    if short.serves:
        running = service(short.serves)
        words = tuple(word.format(address=running.address, control=running.control) for word in words)
    ended = subprocess.run(program(words), cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert ended.returncode in short.ends, f"{command.place}\n{ended.stdout}{ended.stderr}"
    assert ended.stdout


def program(words: tuple[str, ...]) -> list[str]:
    """The command line, with the interpreter of this test."""
    if words[0] == "sweetspot":
        return [sys.executable, "-m", "tools.cli", *words[1:]]
    return [sys.executable, *words[1:]] if words[0] == "python" else list(words)


def prepare(folder: Path, words: Iterable[str], results: Path) -> None:
    """Puts what the command names into the folder: results, plans, the code."""
    for word in words:
        if word.startswith("results/"):
            shutil.copytree(results / "run", folder / word)
    shutil.copy(results / "baseline.json", folder)
    (folder / "services").symlink_to(ROOT / "services")
    (folder / "short.yaml").write_text(EXPERIMENT)
    (folder / "plan.yaml").write_text(PLAN)
    (folder / "mix.yaml").write_text(MIX)


def all_flags() -> set[str]:
    """Of every program."""
    found = {flag for parser in parsers.programs().values() for flag in parsers.flags(parser)}
    of_services = {option.flag for model in MODELS.values() for option in model.all_options}
    return found | of_services | parsers.flags(parsers.sweetspot()) | {"--check", "--list"}


@pytest.mark.parametrize("document", guides())
def test_every_flag_that_is_named_is_one_of_a_program(document: str) -> None:
    known = all_flags()
    own = [
        (span.line, re.sub(r"\b(helm|kind|kubectl) .*", "", span.text)) for span in markdown.code_spans(read(document))
    ]
    named = {(line, flag) for line, text in own for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)}
    assert sorted((line, flag) for line, flag in named if flag not in known) == []


@pytest.mark.parametrize("document", documents())
def test_every_target_of_make_that_is_named_is_there(document: str) -> None:
    targets = re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)
    spans = [(span.line, span.text) for span in markdown.code_spans(read(document))]
    lines = [(command.place, command.text) for command in commands.commands(document)]
    named = [(place, match[1]) for place, text in [*spans, *lines] if (match := re.match(r"make ([a-z-]+)", text))]
    assert [(place, target) for place, target in named if target not in targets] == []
