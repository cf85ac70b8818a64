"""Test reports as JUnit XML, which CI systems show. Must not know what is tested."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from tools.results import write_whole

CaseOutcome = Literal["passed", "failure", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class Case:
    """One testcase."""

    classname: str
    name: str
    outcome: CaseOutcome
    text: str
    """One line: the figures, or the reason."""
    time_s: float = 0.0


def write(path: Path, name: str, cases: Sequence[Case]) -> None:
    """Writes one suite. Raises BadResultsError."""
    outcomes = Counter(case.outcome for case in cases)
    counts = {"tests": len(cases), "failures": outcomes["failure"]}
    counts |= {"errors": outcomes["error"], "skipped": outcomes["skipped"]}
    suite = ElementTree.Element("testsuite", {"name": name} | {key: str(value) for key, value in counts.items()})
    for case in cases:
        made = ElementTree.SubElement(
            suite, "testcase", classname=case.classname, name=case.name, time=f"{case.time_s:.3f}"
        )
        if case.outcome == "passed":
            ElementTree.SubElement(made, "system-out").text = case.text
        else:
            ElementTree.SubElement(made, case.outcome, message=case.text)
    ElementTree.indent(suite)
    write_whole(path, ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n")
