"""A word of the glossary has one meaning in the code, and a type's name is defined once."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.documents.places import ROOT, read

FOLDERS = ("services", "tools")
OWNERS = {
    "Arm": "tools/experiment/experiment.py",
    "Axis": "tools/experiment/load.py",
    "Backend": "services/backend.py",
    "Call": "services/workload/run.py",
    "Claim": "tools/claims/claim.py",
    "Client": "services/driver/clients.py",
    "Connection": "services/driver/connection.py",
    "ControlPort": "services/runtime/control/control_port.py",
    "Drain": "services/runtime/drain.py",
    "Experiment": "tools/experiment/experiment.py",
    "Handler": "services/workload/awaiting.py",
    "Interval": "tools/claims/decision.py",
    "Latency": "tools/measures.py",
    "Ledger": "services/workload/ledger.py",
    "Model": "services/runtime/model.py",
    "Objective": "tools/experiment/experiment.py",
    "Plan": "services/driver/plan.py",
    "Point": "tools/experiment/load.py",
    "Result": "services/driver/merge.py",
    "Run": "services/workload/run.py",
    "Schedule": "services/driver/schedule.py",
    "Service": "services/runtime/service.py",
    "Stage": "services/runtime/stages/stage.py",
    "Target": "tools/target.py",
    "Trial": "tools/results.py",
    "Verdict": "tools/stats/verdict.py",
}
"""Type -> the file that defines it. Another type for the word states the difference in its name: `StageRow`."""
OF_THE_CODE = {"Ledger", "Run", "Session"}
"""Words that the pages for users do not need. Each session is a `ServerSession`, a `ClientSession` or another kind."""
TWICE = {
    "Address": "tools/ imports nothing of services/",
    "BadValueError": "tools/ imports nothing of services/",
    "DuplicateKeyError": "tools/ imports nothing of services/",
    "Loader": "tools/ imports nothing of services/",
    "Parser": "the services, the driver and the tools each end with their own message; none imports another",
    "Waits": "one for each style, always written with the style's module: `linear.Waits`",
}
"""Types that several files define -> why."""

PARTICIPLE = re.compile(r"_?(?:[A-Z][a-z]+ed|Asked|Done|Found|Given|Held|Kept|Left|Made|Said|Seen|Shown|Told|Taken)")
"""`Kept` names what was done to a thing, and not the thing. `StoredRun` names both."""
NOUNS = {"Need", "Speed"}
"""Names that only look like participles."""


def types() -> Iterator[tuple[str, str]]:
    """The name of each class and of each alias of a type without its underscore, and its file. No type parameters."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar" | "ParamSpec"))):
                        continue
                    case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                        if re.fullmatch(r"_?[A-Z][a-z]\w*", name):
                            yield name.removeprefix("_"), path.relative_to(ROOT).as_posix()


def words() -> set[str]:
    """The words of the glossary as types are written (`Closed loop` is ClosedLoop), and those of the code."""
    headings = re.findall(r"^## (.+)$", read("docs/glossary.md"), re.M)
    return {heading.title().replace(" ", "") for heading in headings} | OF_THE_CODE


def test_a_type_with_a_word_of_the_glossary_is_its_owners() -> None:
    named = {word: word for word in words()} | {f"{word}s": word for word in words()}
    assert [(name, path) for name, path in types() if name in named and OWNERS.get(named[name]) != path] == []


@pytest.mark.parametrize("word", OWNERS)
def test_every_owner_defines_its_word(word: str) -> None:
    assert word in words()
    assert OWNERS[word] in {path for name, path in types() if name in (word, f"{word}s")}


def test_a_type_is_defined_once() -> None:
    files = defaultdict(list)
    for name, path in types():
        files[name].append(path)
    assert {name: paths for name, paths in files.items() if len(paths) > 1 and name not in TWICE} == {}
    assert [name for name in TWICE if len(files[name]) < 2] == []


def test_no_type_is_named_with_a_verb() -> None:
    assert [(name, path) for name, path in types() if PARTICIPLE.fullmatch(name) and name not in NOUNS] == []


@pytest.mark.parametrize(("name", "is_verb"), [("Kept", True), ("_Made", True), ("Judged", True), ("StoredRun", False)])
def test_a_participle_alone_is_a_verb(name: str, is_verb: bool) -> None:
    assert (PARTICIPLE.fullmatch(name) is not None) is is_verb
