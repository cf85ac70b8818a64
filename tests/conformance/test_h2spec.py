"""The wire against h2spec, which tries HTTP/2 frame by frame. It asks for a page, which `--interop` has.

h2spec holds a server to RFC 7540; RFC 9113, which is in force, asks for less in some places. What we do not pass is
listed here with its reason, and a case that passes must leave the list.
"""

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conformance.conftest import OWN_WIRE
from tests.go_tools import H2SPEC, go_tool
from tests.serving import serving

CASE_TIMEOUT_S = 2
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
# All models have one wire: the first is asked in `make test`, the others in `make soak`.
MODELS_ASKED = [OWN_WIRE[0], *(pytest.param(name, marks=pytest.mark.soak) for name in OWN_WIRE[1:])]


@pytest.mark.parametrize("model", MODELS_ASKED)
def test_h2spec_fails_in_nothing_but_what_is_listed(model: str, tmp_path: Path) -> None:
    report = tmp_path / "h2spec.xml"
    tool = go_tool(H2SPEC)
    with serving(model, "--interop") as started:
        host, port = started.address.split(":")
        command = [tool, "-h", host, "-p", port, "-o", str(CASE_TIMEOUT_S), "-j", str(report)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = {(case.get("package"), case.get("classname")) for case in cases if case.find("error") is not None}
    assert len(cases) > 100, ended.stdout
    assert all(case.find("skipped") is None for case in cases), ended.stdout
    assert failed == set(EXCEPTIONS), ended.stdout
