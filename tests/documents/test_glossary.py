"""A word of the glossary has one meaning in the code: types of that name stand in the files that own the word."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.documents.places import ROOT, read

FOLDERS = ("services/driver", "tools")
OWNERS: dict[str, tuple[str, ...]] = {
    "Arm": ("tools/experiment/asked.py",),
    "Axis": ("tools/experiment/load.py",),
    "Claim": ("tools/claims/claim.py",),
    "Client": ("services/driver/clients.py",),
    "ClosedLoop": ("tools/bench/goals.py",),
    "Connection": ("services/driver/connection.py",),
    "Experiment": ("tools/experiment/asked.py",),
    "Interval": ("tools/claims/decision.py",),
    "Latency": ("tools/measures.py",),
    "Objective": ("tools/experiment/asked.py",),
    # The driver reads a plan; the bench of a counting has it as YAML.
    "Plan": ("services/driver/plan.py", "tools/claims/counting/at_work.py"),
    "Point": ("tools/experiment/load.py",),
    "Result": ("services/driver/merge.py",),
    "Schedule": ("services/driver/schedule.py",),
    "Service": ("tools/serving.py",),
    "Trial": ("tools/results.py",),
    # The glossary has both: the verdict of a claim, and that of two arms.
    "Verdict": ("tools/claims/decision.py", "tools/stats/verdict.py"),
}
"""Type -> the files that may define it. A type whose name is another word of the glossary has no owner yet: add it."""

PARTICIPLE = re.compile(r"_?(?:[A-Z][a-z]+ed|Asked|Done|Found|Given|Held|Kept|Left|Made|Said|Seen|Shown|Told|Taken)")
"""`Kept` names what was done to a thing, and not the thing. `StoredRun` names both."""
NOUNS = {"Need", "Speed"}
"""Names that only look like participles."""


def types() -> Iterator[tuple[str, str]]:
    """The name of each class and of each alias of a type, and its file."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
                        if re.fullmatch(r"_?[A-Z][a-z]\w*", name):
                            yield name, str(path.relative_to(ROOT))


def words() -> set[str]:
    """The words of the glossary as types are written: `Closed loop` is ClosedLoop."""
    return {heading.title().replace(" ", "") for heading in re.findall(r"^## (.+)$", read("docs/glossary.md"), re.M)}


def test_a_type_with_a_word_of_the_glossary_is_its_owners() -> None:
    named = {word: word for word in words()} | {f"{word}s": word for word in words()}
    found = [(name, path) for name, path in types() if name in named and path not in OWNERS.get(named[name], ())]
    assert found == []


@pytest.mark.parametrize("word", OWNERS)
def test_every_owner_defines_its_word(word: str) -> None:
    assert word in words()
    defined = {path for name, path in types() if name in (word, f"{word}s")}
    assert set(OWNERS[word]) <= defined


def test_no_type_is_named_with_a_verb() -> None:
    assert [(name, path) for name, path in types() if PARTICIPLE.fullmatch(name) and name not in NOUNS] == []


@pytest.mark.parametrize(("name", "is_verb"), [("Kept", True), ("_Made", True), ("Judged", True), ("StoredRun", False)])
def test_a_participle_alone_is_a_verb(name: str, is_verb: bool) -> None:
    assert (PARTICIPLE.fullmatch(name) is not None) is is_verb
