"""A comparison with a baseline as JUnit XML, which CI systems show: a testcase for each arm, point and measure."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from tools.compare.runs import Compared
from tools.results import write_whole


def write(path: Path, name: str, compared: Sequence[Compared], tolerance: float) -> None:
    """A failure is what got worse; what cannot be compared is skipped, with the reason. Raises BadResultsError."""
    failed = [one for one in compared if one.worse_by(tolerance)]
    skipped = [one for one in compared if one.ratio is None]
    counts = {"tests": len(compared), "failures": len(failed), "errors": 0, "skipped": len(skipped)}
    suite = ElementTree.Element("testsuite", {"name": name} | {key: str(value) for key, value in counts.items()})
    for one in compared:
        figure = one.figure
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"{figure.arm}.{figure.point}", name=figure.measure, time="0"
        )
        if one in failed:
            ElementTree.SubElement(case, "failure", message=str(one))
        elif one in skipped:
            ElementTree.SubElement(case, "skipped", message=one.why)
        else:
            ElementTree.SubElement(case, "system-out").text = str(one)
    ElementTree.indent(suite)
    write_whole(path, ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n")
