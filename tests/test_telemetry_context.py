"""W3C Trace Context: which callers' spans are taken over, and what is sent to the next process."""

import pytest

from services.telemetry import TraceContext, parse_traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "value",
    [
        f"00-{TRACE}-{SPAN}-01",
        pytest.param(f"00-{TRACE}-{SPAN}-ff", id="flags unknown today besides sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-03", id="sampled and random"),
        pytest.param(f"01-{TRACE}-{SPAN}-01", id="a later version"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be", id="a later version with more fields"),
    ],
)
def test_a_sampled_caller_becomes_the_parent(value: str) -> None:
    assert parse_traceparent(value) == TraceContext(int(TRACE, 16), int(SPAN, 16))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"00-{TRACE}-{SPAN}-00", id="not sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-02", id="random but not sampled"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", id="version ff"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", id="trace id of zeros"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", id="span id of zeros"),
        pytest.param(f"00-{TRACE.upper()}-{SPAN}-01", id="uppercase trace id"),
        pytest.param(f"00-{TRACE}-{SPAN.upper()}-01", id="uppercase span id"),
        pytest.param(f"0A-{TRACE}-{SPAN}-01", id="uppercase version"),
        pytest.param(f"00-{TRACE[1:]}-{SPAN}-01", id="short trace id"),
        pytest.param(f"00-{TRACE}0-{SPAN}-01", id="long trace id"),
        pytest.param(f"00-{TRACE}-{SPAN[1:]}-01", id="short span id"),
        pytest.param(f"00-{TRACE}-{SPAN}-1", id="short flags"),
        pytest.param(f"00-{TRACE}-{SPAN}-011", id="long flags"),
        pytest.param(f"00-{TRACE}-{SPAN}-01-more", id="version 00 with more fields"),
        pytest.param(f"01-{TRACE}-{SPAN}-01more", id="more fields without a dash"),
        pytest.param(f"00-{TRACE}-{SPAN}", id="no flags"),
        pytest.param(f"00-{TRACE}-{SPAN}-01\n", id="newline"),
        pytest.param(f"00-{TRACE[:-1]}g-{SPAN}-01", id="not hexadecimal"),
        pytest.param("", id="empty"),
        pytest.param("0" * 10_000, id="long garbage"),
    ],
)
def test_any_other_value_is_no_parent(value: str) -> None:
    assert parse_traceparent(value) is None


def test_what_is_sent_is_what_the_receiver_reads() -> None:
    # Small numbers: an id keeps its leading zeros.
    context = TraceContext(trace_id=1, span_id=2)
    assert context.traceparent == "00-00000000000000000000000000000001-0000000000000002-01"
    assert parse_traceparent(context.traceparent) == context


def test_a_child_is_another_span_of_the_same_trace() -> None:
    root = TraceContext.root()
    child = root.child()
    assert child.trace_id == root.trace_id
    assert child.span_id != root.span_id
    assert TraceContext.root().trace_id != root.trace_id
