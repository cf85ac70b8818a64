"""The wire against h2spec, which tries HTTP/2 frame by frame. It asks for a page, which `--interop` has.

h2spec tests for RFC 7540. RFC 9113, which is in force, requires less in some places. EXCEPTIONS has each case that
fails, with the reason; a case that passes must leave the list.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from services.models import MODELS
from tests.conformance.conftest import OWN_WIRE, SPREAD
from tests.go_tools import H2SPEC, go_tool
from tests.serving import Serving, serving

CASE_TIMEOUT_S = 1
CLOSED = (
    "libnghttp2 passes over frames on a stream that is closed; to answer STREAM_CLOSED was a MUST in RFC 7540 and is a"
    " MAY in RFC 9113, section 5.1"
)
PRIORITY = "libnghttp2 reads no PRIORITY frame any more: RFC 9113, section 5.3.2, deprecates the whole scheme"
EXCEPTIONS = {
    ("http2/5.1", "closed: Sends a DATA frame after sending RST_STREAM frame"): CLOSED,
    ("http2/5.1", "closed: Sends a HEADERS frame after sending RST_STREAM frame"): CLOSED,
    ("http2/5.1", "closed: Sends a DATA frame"): CLOSED,
    ("http2/5.1", "closed: Sends a HEADERS frame"): CLOSED,
    ("http2/5.1.1", "Sends stream identifier that is numerically smaller than previous"): (
        "libnghttp2 takes a lower id for a late frame of a closed stream and passes over it, in nghttpd as well"
    ),
    ("http2/5.3.1", "Sends PRIORITY frame that depend on itself"): PRIORITY,
    ("http2/6.3", "Sends a PRIORITY frame with 0x0 stream identifier"): PRIORITY,
    (
        "http2/6.9.1",
        "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream",
    ): "libnghttp2 ends the connection with FLOW_CONTROL_ERROR, not the stream: RFC 9113, section 5.4.1, allows it",
}
TRIES = 5
"""For a case that fails and should not: some send a frame that is wrong only while the answer is not complete."""
# h2spec never closes the connection of a case that timed out. A model that serves one at a time serves no other then.
ASKED = [start for start in (*((name,) for name in OWN_WIRE), *SPREAD) if MODELS[start[0]].at_once != "one connection"]
# All models have one wire: the first is asked in `make test`, the others in `make soak`.
STARTS_ASKED = [ASKED[0], *(pytest.param(start, marks=pytest.mark.soak) for start in ASKED[1:])]


@dataclass(frozen=True, slots=True)
class Case:
    """One of h2spec's; `number` is how its command line calls it, as `http2/5.1/5`."""

    number: str
    name: tuple[str, str]
    skipped: bool
    failed: bool


def h2spec(service: Serving, report: Path, *numbers: str) -> list[Case]:
    """All cases, or the named ones."""
    host, port = service.address.split(":")
    command = [go_tool(H2SPEC), *numbers, "-h", host, "-p", port, "-o", str(CASE_TIMEOUT_S), "-j", str(report)]
    subprocess.run(command, capture_output=True, timeout=100, check=False)
    cases = []
    for suite in ElementTree.parse(report).iter("testsuite"):
        for number, case in enumerate(suite.iter("testcase"), 1):
            package, title = case.attrib["package"], case.attrib["classname"]
            skipped, failed = (case.find(kind) is not None for kind in ("skipped", "error"))
            cases.append(Case(f"{package}/{number}", (package, title), skipped, failed))
    return cases


@pytest.mark.parametrize("start", STARTS_ASKED, ids=" ".join)
def test_h2spec_fails_in_nothing_but_what_is_listed(start: tuple[str, ...], tmp_path: Path) -> None:
    report = tmp_path / "h2spec.xml"
    with serving(*start, "--interop") as service:
        cases = h2spec(service, report)
        failed = {case.name for case in cases if case.failed}
        unexpected = [case for case in cases if case.failed and case.name not in EXCEPTIONS]
        for case in unexpected:
            if any(not again.failed for _ in range(TRIES) for again in h2spec(service, report, case.number)):
                failed.discard(case.name)
    assert len(cases) > 100
    assert not any(case.skipped for case in cases)
    assert failed == set(EXCEPTIONS)
