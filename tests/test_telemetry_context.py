"""W3C Trace Context: which callers' spans are taken over, and what is sent to the next process."""

import tracemalloc
from collections.abc import Callable

import pytest

from services.telemetry import TraceContext
from services.telemetry.context import parse_baggage, parse_traceparent, parse_tracestate, read_headers
from services.telemetry.labels import MAX_VALUE, Labels, from_baggage, to_baggage

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
    # Small numbers: an id has leading zeros.
    context = TraceContext(trace_id=1, span_id=2)
    assert context.traceparent == "00-00000000000000000000000000000001-0000000000000002-01"
    assert parse_traceparent(context.traceparent) == context


def test_a_child_is_another_span_of_the_same_trace() -> None:
    root = TraceContext.root()
    child = root.child()
    assert child.trace_id == root.trace_id
    assert child.span_id != root.span_id
    assert TraceContext.root().trace_id != root.trace_id


PARENT = ("traceparent", f"00-{TRACE}-{SPAN}-01")
LONG, SHORT = f"long={'v' * 200}", f"short={'v' * 100}"


@pytest.mark.parametrize(
    ("value", "passed_on"),
    [
        ("", ""),
        ("congo=t61rcWkgMzE", "congo=t61rcWkgMzE"),
        pytest.param("a=1 ,\t b=2,,", "a=1,b=2", id="blanks and empty entries"),
        pytest.param("fw529a3039@dt=x y;z", "fw529a3039@dt=x y;z", id="a tenant's key, and what a value may have"),
        pytest.param(",".join(f"k{n}=v" for n in range(32)), ",".join(f"k{n}=v" for n in range(32)), id="32 entries"),
        pytest.param(",".join(f"k{n}=v" for n in range(33)), "", id="33 entries"),
        pytest.param("a=1,a=2", "", id="a key twice"),
        pytest.param("A=1", "", id="uppercase key"),
        pytest.param("a=1=2", "", id="= in a value"),
        pytest.param("a", "", id="no value"),
        pytest.param("a=\x00", "", id="control character"),
        pytest.param("a=\u00e9", "", id="not ASCII"),
        pytest.param("a=" + "v" * 257, "", id="long value"),
        pytest.param(f"a=1,{LONG},b=2,{LONG[1:]},{LONG[2:]}", f"a=1,{LONG},b=2,{LONG[1:]}", id="long ones go first"),
        pytest.param(
            ",".join(f"{at}{SHORT}" for at in range(6)), ",".join(f"{at}{SHORT}" for at in range(4)), id="the last go"
        ),
    ],
)
def test_a_tracestate_is_passed_on_within_its_limits_and_not_where_it_is_malformed(value: str, passed_on: str) -> None:
    assert parse_tracestate(value) == passed_on
    assert len(passed_on) <= 512


@pytest.mark.parametrize(
    ("value", "passed_on"),
    [
        ("", ""),
        ("user=alice,n=1;ttl=5;secret", "user=alice,n=1;ttl=5;secret"),
        pytest.param("a = 1 , b=2", "a = 1,b=2", id="blanks"),
        pytest.param("a=1,b,c=\x01,d=a b,e=2", "a=1,e=2", id="malformed members are left out"),
        pytest.param(",".join(f"k{n}=v" for n in range(70)), ",".join(f"k{n}=v" for n in range(64)), id="64 members"),
        pytest.param("a=" + "v" * 8191, "", id="too long"),
    ],
)
def test_of_a_baggage_the_well_formed_members_are_passed_on(value: str, passed_on: str) -> None:
    assert parse_baggage(value) == passed_on


def test_header_fields_of_one_name_are_one_list() -> None:
    context = read_headers(
        (("tracestate", "a=1"), PARENT, ("tracestate", "b=2"), ("baggage", "x=1"), ("baggage", "y=2"))
    )
    assert context is not None
    assert (context.tracestate, context.baggage) == ("a=1,b=2", "x=1,y=2")
    assert read_headers((PARENT, PARENT)) is None, "there is one parent"


def test_a_malformed_tracestate_costs_the_state_and_not_the_trace() -> None:
    context = read_headers((PARENT, ("tracestate", "A=1"), ("baggage", "=")))
    assert context == TraceContext(int(TRACE, 16), int(SPAN, 16))


def test_a_child_carries_on_what_its_trace_carries() -> None:
    context = TraceContext(1, 2, "a=1", "b=2").child()
    assert context.headers == (("traceparent", context.traceparent), ("tracestate", "a=1"), ("baggage", "b=2"))
    assert TraceContext(1, 2).headers == (("traceparent", TraceContext(1, 2).traceparent),)


def test_labels_arrive_as_they_were_sent() -> None:
    labels: Labels = {"sweetspot.run": "a b,c;d=\u00e9%", "sweetspot.connections": 1000, "sweetspot.shard": 0}
    assert parse_baggage(to_baggage(labels)) == to_baggage(labels)
    assert from_baggage(to_baggage(labels)) == labels


@pytest.mark.parametrize(
    "member",
    [
        "user=alice",
        "sweetspot.worker=w",
        "sweetspot.run=",
        "sweetspot.run=%00",
        "sweetspot.run=" + "r" * (MAX_VALUE + 1),
        "sweetspot.connections=many",
        "sweetspot.connections=-1",
        "sweetspot.connections=" + "9" * 10,
        "sweetspot.run",
    ],
)
def test_a_member_that_is_no_label_becomes_no_attribute(member: str) -> None:
    assert from_baggage(f"{member},sweetspot.trial=t;ttl=1") == {"sweetspot.trial": "t"}


@pytest.mark.parametrize("read", [parse_tracestate, parse_baggage, from_baggage])
def test_little_of_what_callers_send_is_remembered(read: Callable[[str], object]) -> None:
    tracemalloc.start()
    for number in range(256):
        read(f"name={number:03}{'x' * 8000}")
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_bytes < 1024 * 1024
