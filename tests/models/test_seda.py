"""Stages: each has a queue that is visible, bounded and controlled, and a process whose death is reported."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from sweetspot.interop import testing_pb2
from sweetspot.v1 import control_pb2, workload_pb2

from services.wire import Code
from tests.attackers import LARGE_STREAM, STREAM, STREAMS, WIDE_OPENING, calls, connect
from tests.conformance.conftest import Workload
from tests.serving import Serving, serving
from tests.wire_client import WireClient
from tools import cli
from tools.claims.counting import toggles
from tools.local import Programs

TIMEOUT_S = 20
CPUS = len(os.sched_getaffinity(0))
STAGES = ["read", "admit", "compute", "call", "reply"]
ECHO = workload_pb2.RunRequest(payload=b"echo")


def plan(**kinds: Any) -> workload_pb2.RunRequest:
    return workload_pb2.RunRequest(steps=[workload_pb2.Step(**{kind: step}) for kind, step in kinds.items()])


BLOCKS_LONG = plan(block=workload_pb2.Block(duration_us=60_000_000))
BLOCKS = plan(block=workload_pb2.Block(duration_us=1_000_000))
SLEEPS_LONG = plan(sleep=workload_pb2.Sleep(duration_us=60_000_000))
SLEEPS_A_WHILE = plan(sleep=workload_pb2.Sleep(duration_us=700_000))
SLEEPS = plan(sleep=workload_pb2.Sleep(duration_us=1000))


FORMS = ("processes", "threads")
in_both_forms = pytest.mark.parametrize("form", FORMS)


@contextmanager
def seda(form: str, *options: str) -> Iterator[tuple[Serving, Workload]]:
    """With as many threads in `compute` as there are CPUs."""
    with (
        serving("seda", "--stages-in", form, "--threads-per-cpu", "1", *options) as service,
        grpc.insecure_channel(service.address, options=[("grpc.enable_retries", 0)]) as channel,
    ):
        yield service, Workload(channel)


def stage(reply: control_pb2.SnapshotReply, name: str) -> control_pb2.Stage:
    return next(found for found in reply.stages if found.name == name)


def process_of(service: Serving, name: str) -> int:
    """The stage's, by the name that ps shows."""
    number = ["front", "admit", "compute", "call"].index(name)
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text(encoding="ascii")
    return next(
        int(pid)
        for pid in children.split()
        if Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() == f"worker-{number}"
    )


@in_both_forms
def test_a_call_goes_through_every_stage_and_returns_to_compute_after_each_wait(form: str) -> None:
    with seda(form) as (service, client):
        for _ in range(3):
            client.run(SLEEPS, timeout=TIMEOUT_S)
        seen = service.wait_until(lambda reply: reply.queue_depth == 0, "something still waits")
        assert {found.name: found.served for found in seen.stages} == dict(zip(STAGES, (3, 3, 6, 3, 3), strict=True))
        assert all(found.queue_wait_ns > 0 for found in seen.stages)


@in_both_forms
def test_where_compute_is_full_admit_sheds_and_says_when_to_come_again(form: str) -> None:
    with seda(form, "--queue-bound", "5") as (service, client):
        running = [client.run.future(BLOCKS, timeout=TIMEOUT_S) for _ in range(CPUS)]
        wait_until_taken(service, "compute", CPUS)
        waiting = [client.run.future(ECHO, timeout=TIMEOUT_S) for _ in range(5)]
        service.wait_until(lambda reply: stage(reply, "compute").queue_depth == 5, "they do not wait there")
        refused = [client.run.future(ECHO, timeout=TIMEOUT_S) for _ in range(5)]
        assert {(call.code(), call.details()) for call in refused} == {
            (grpc.StatusCode.RESOURCE_EXHAUSTED, "queue of compute is full")
        }
        assert all(int(dict(call.trailing_metadata())["grpc-retry-pushback-ms"]) > 0 for call in refused)
        seen = service.wait_until(lambda reply: reply.queue_depth == 0, "something still waits")
        assert {call.code() for call in running + waiting} == {grpc.StatusCode.OK}
        assert {found.name: found.shed for found in seen.stages if found.shed} == {"admit": 5}


def wait_until_taken(service: Serving, name: str, calls: int) -> None:
    """That stage answers for so many."""
    service.wait_until(
        lambda reply: stage(reply, name).served == calls and not stage(reply, name).queue_depth, "it has not taken them"
    )


@pytest.mark.parametrize(("dies", "held"), [("compute", BLOCKS_LONG), ("call", SLEEPS_LONG)])
def test_what_a_dead_stage_had_taken_is_unavailable_and_its_successor_serves(
    dies: str, held: workload_pb2.RunRequest
) -> None:
    with seda("processes") as (service, client):
        taken = [client.run.future(held, timeout=TIMEOUT_S) for _ in range(CPUS)]
        wait_until_taken(service, dies, CPUS)
        os.kill(process_of(service, dies), signal.SIGKILL)
        assert {(call.code(), call.details()) for call in taken} == {(grpc.StatusCode.UNAVAILABLE, f"{dies} has died")}
        assert client.run(SLEEPS, timeout=TIMEOUT_S).steps == 1


def test_a_stage_that_dies_while_the_service_drains_holds_up_neither_calls_nor_the_drain() -> None:
    with seda("processes", "--drain-timeout-s", "15") as (service, client):
        calls = [client.run.future(SLEEPS_A_WHILE, timeout=TIMEOUT_S) for _ in range(3)]
        wait_until_taken(service, "call", 3)
        dies = process_of(service, "compute")
        service.process.send_signal(signal.SIGTERM)
        service.wait_until_ready(ready=False)
        os.kill(dies, signal.SIGKILL)
        died = {(grpc.StatusCode.UNAVAILABLE, "compute has died")}
        assert {(call.code(), call.details()) for call in calls} == died, "they come back to it after their sleep"
        assert service.process.wait(5) == 0


def test_what_waited_in_the_queue_of_a_dead_stage_is_served_by_its_successor() -> None:
    with seda("processes") as (service, client):
        taken = [client.run.future(BLOCKS_LONG, timeout=TIMEOUT_S) for _ in range(CPUS)]
        wait_until_taken(service, "compute", CPUS)
        waiting = [client.run.future(ECHO, timeout=TIMEOUT_S) for _ in range(50)]
        service.wait_until(lambda reply: stage(reply, "compute").queue_depth == 50, "they do not wait there")
        os.kill(process_of(service, "compute"), signal.SIGKILL)
        assert {call.code() for call in waiting} == {grpc.StatusCode.OK}
        assert {call.code() for call in taken} == {grpc.StatusCode.UNAVAILABLE}
        service.wait_until(lambda reply: reply.calls_in_flight == reply.queue_depth == 0, "something is left over")


@in_both_forms
def test_every_answer_of_a_stream_comes_in_its_place_whichever_stage_it_comes_from(form: str) -> None:
    steps = [workload_pb2.Step(compute=workload_pb2.Compute(rounds=1)), *SLEEPS.steps] * 32
    with seda(form) as (_, client):
        streams = [client.run_stream(workload_pb2.RunRequest(steps=steps), timeout=TIMEOUT_S) for _ in range(8)]
        assert [[reply.steps for reply in stream] for stream in streams] == [list(range(1, 65))] * 8


def told(service: Serving, name: str, *pairs: str) -> int:
    return cli.main(["stages", "set", service.control, name, *pairs])


@in_both_forms
def test_a_stream_that_finds_no_memory_for_what_is_not_read_goes_through_no_further_stage(form: str) -> None:
    with (
        seda(form, "--interop") as (service, _),
        connect(service.address) as deaf,
        WireClient(service.address) as other,
    ):
        deaf.sendall(WIDE_OPENING + calls(STREAM, LARGE_STREAM))
        service.wait_until(lambda reply: 0 < reply.calls_in_flight < STREAMS, "no call found that there is no memory")
        small = testing_pb2.StreamingOutputCallRequest(
            response_parameters=[testing_pb2.ResponseParameters(size=1)] * 64
        ).SerializeToString()
        # Each step of theirs is a turn of all calls that still go through the stages.
        for _ in range(5):
            assert other.call(STREAM.decode(), small, streaming=True).code is Code.OK
        after = service.wait_until_in_flight(1)
        assert stage(after, "compute").served < STREAMS * 64 / 4  # each has 64 messages


@in_both_forms
def test_a_stream_waits_for_its_reader_whichever_stages_are_bypassed(form: str) -> None:
    with seda(form, "--interop") as (service, _), WireClient(service.address) as client:
        for name in STAGES:
            assert told(service, name, "bypass=1") == 0
        calls = [client.session.start(STREAM.decode(), LARGE_STREAM, streaming=True) for _ in range(3)]
        client.wait_for(lambda: all(call.code is not None for call in calls))
        assert {call.code for call in calls} == {Code.OK}
        assert len(client.received) == 3 * 64


@in_both_forms
def test_a_stage_is_told_while_it_runs_and_only_that_stage_slows_down(form: str) -> None:
    with seda(form, "--queue-bound", "100") as (service, client):
        assert told(service, "call", "rate_per_s=50", "queue_bound=40") == 0
        calls = [client.run.future(SLEEPS, timeout=TIMEOUT_S) for _ in range(30)]
        seen = service.wait_until(
            lambda reply: reply.queue_depth == stage(reply, "call").queue_depth >= 5, "they wait elsewhere, or nowhere"
        )
        assert (stage(seen, "call").settings.rate_per_s, stage(seen, "call").settings.queue_bound) == (50, 40)
        assert told(service, "call", "rate_per_s=0") == 0
        assert {call.code() for call in calls} == {grpc.StatusCode.OK}


@in_both_forms
def test_a_rate_of_admit_is_a_refusal_and_not_a_queue(form: str) -> None:
    with seda(form) as (service, client):
        assert told(service, "admit", "rate_per_s=1") == 0
        calls = [client.run.future(ECHO, timeout=TIMEOUT_S) for _ in range(20)]
        refused = [call for call in calls if call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED]
        assert len(refused) >= 15
        assert {call.details() for call in refused} == {"the rate limit of 1 calls/s is reached"}
        assert all(0 < int(dict(call.trailing_metadata())["grpc-retry-pushback-ms"]) <= 1000 for call in refused)


@in_both_forms
def test_a_stage_has_as_many_workers_as_it_is_told(form: str) -> None:
    with seda(form) as (service, client):
        assert told(service, "compute", f"workers={CPUS + 3}") == 0
        calls = [client.run.future(BLOCKS, timeout=TIMEOUT_S) for _ in range(CPUS + 10)]
        service.wait_until(
            lambda reply: (stage(reply, "compute").served, stage(reply, "compute").queue_depth) == (CPUS + 3, 7),
            "more or fewer are run at once",
        )
        assert {call.code() for call in calls} == {grpc.StatusCode.OK}


@in_both_forms
def test_what_a_stage_cannot_be_told_is_refused_in_one_line_and_changes_nothing(
    form: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    bad = [
        ("compute", ["batch=2", "workers=0"], "compute: workers is 0, not within 1 to 65536"),
        ("compute", ["batch=2", "queue_bound=9999999"], "queue_bound is 9999999, not within 1 to 1000000"),
        ("read", ["batch=2", "workers=2"], "read: this stage has no setting `workers`"),
        ("call", ["batch=2", "most_batch=10001"], "call: most_batch is 10001, not within 0 to 10000"),
        ("walk", ["batch=2"], "no stage 'walk'; the stages are read, admit, compute, call, reply"),
        ("compute", ["colour=2"], "'colour=2' is not key=value"),
        ("compute", ["batch=many"], "batch is 'many', which is not a whole number"),
    ]
    with seda(form) as (service, _):
        before = service.wait_until(lambda _: True, "")
        for name, pairs, why in bad:
            assert told(service, name, *pairs) == 2
            said = capfd.readouterr().err
            assert why in said
            assert said.count("\n") == 1
        after = service.wait_until(lambda _: True, "")
        assert [found.settings for found in before.stages] == [found.settings for found in after.stages]


def test_a_model_without_stages_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with serving("reactor") as service:
        assert told(service, "compute", "batch=2") == 2
        assert "this model has no stages" in capfd.readouterr().err
        assert cli.main(["stages", "show", service.control]) == 2
        assert "has no stages" in capfd.readouterr().err


def bypass(service: Serving, *names: str) -> None:
    """From now on these, and no others, are bypassed."""
    with grpc.insecure_channel(service.control) as control:
        configure = control.unary_unary(
            "/sweetspot.v1.Control/Configure", request_serializer=control_pb2.ConfigureRequest.SerializeToString
        )
        for name in STAGES:
            settings = control_pb2.StageSettings(bypass=int(name in names))
            configure(control_pb2.ConfigureRequest(stage=name, settings=settings), timeout=TIMEOUT_S)


IN_TWO_WAITS = workload_pb2.RunRequest(
    steps=[
        workload_pb2.Step(compute=workload_pb2.Compute(rounds=50)),
        workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=1)),
        workload_pb2.Step(compute=workload_pb2.Compute(rounds=50)),
    ],
    payload=b"back",
)


@in_both_forms
@pytest.mark.parametrize("bypassed", [[name] for name in STAGES] + [["admit", "compute"], ["compute", "call"], STAGES])
def test_a_stage_that_is_bypassed_takes_nothing_and_the_work_is_the_same(form: str, bypassed: list[str]) -> None:
    with seda(form) as (service, client):
        checksum = client.run(IN_TWO_WAITS, timeout=TIMEOUT_S).checksum
        bypass(service, *bypassed)
        before = service.wait_until(lambda reply: reply.queue_depth == 0, "something still waits")
        replies = [client.run(IN_TWO_WAITS, timeout=TIMEOUT_S) for _ in range(3)]
        after = service.wait_until(lambda reply: reply.queue_depth == 0, "something still waits")
        assert {(reply.checksum, reply.steps, reply.payload) for reply in replies} == {(checksum, 3, b"back")}
        took = {name: stage(after, name).served - stage(before, name).served for name in STAGES}
        assert {name for name, served in took.items() if not served} == set(bypassed)
        assert client.run(SLEEPS, timeout=TIMEOUT_S).worker


WHO_ENDS = {"processes": ["front", "admit", "compute", "call"], "threads": ["compute", "call"]}
"""Who takes the last step of a call, where stages are bypassed by turns."""


@in_both_forms
def test_switching_stages_on_and_off_under_load_loses_doubles_and_reorders_nothing(form: str) -> None:
    # Each route is used: as many calls end between two switches as may be in flight, so one of them has the new route.
    calls = 50 * toggles.WINDOW
    switched = toggles.switch_under_load(Programs(), form, calls=calls, switches=49)
    assert (switched.lost, switched.doubled, switched.reordered) == (0, 0, 0)
    assert switched.asked == calls
    assert switched.workers == set(WHO_ENDS[form])


def test_a_process_that_dies_takes_what_it_did_of_a_bypassed_stage_with_it() -> None:
    with seda("processes") as (service, client):
        bypass(service, "call")
        sleeping = client.run.future(SLEEPS_LONG, timeout=TIMEOUT_S)
        wait_until_taken(service, "compute", 1)
        os.kill(process_of(service, "compute"), signal.SIGKILL)
        assert (sleeping.code(), sleeping.details()) == (grpc.StatusCode.UNAVAILABLE, "compute has died")
        assert client.run(SLEEPS, timeout=TIMEOUT_S).steps == 1


@in_both_forms
def test_workers_follow_the_queue_once_they_are_told_to(form: str) -> None:
    with seda(form) as (service, client):
        assert told(service, "compute", "workers=1", "most_workers=4") == 0
        calls = [client.run.future(BLOCKS, timeout=TIMEOUT_S) for _ in range(12)]
        service.wait_until(lambda reply: stage(reply, "compute").settings.workers == 4, "no worker was added")
        assert {call.code() for call in calls} == {grpc.StatusCode.OK}
        service.wait_until(lambda reply: stage(reply, "compute").settings.workers == 1, "no worker was removed")


@in_both_forms
def test_calls_are_shed_as_long_as_they_take_longer_than_the_target(form: str) -> None:
    blocks = plan(block=workload_pb2.Block(duration_us=20_000))
    with seda(form) as (service, client):
        assert told(service, "compute", "workers=1") == told(service, "admit", "target_p90_ms=50") == 0
        with service.snapshots() as snapshot:
            for _ in range(30):  # 100 at once take 2 s, but for those that are shed
                codes = [call.code() for call in [client.run.future(blocks, timeout=TIMEOUT_S) for _ in range(100)]]
                assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
                if stage(snapshot(), "admit").shed:
                    break
            assert stage(snapshot(), "admit").shed
        assert told(service, "admit", "target_p90_ms=0") == 0
        service.wait_until(lambda reply: stage(reply, "admit").settings.rate_per_s == 0, "the limit is left over")
        calls = [client.run.future(ECHO, timeout=TIMEOUT_S) for _ in range(100)]
        assert {call.code() for call in calls} == {grpc.StatusCode.OK}


@in_both_forms
def test_a_target_for_the_p90_may_be_set_at_the_start(form: str) -> None:
    with seda(form, "--target-p90-ms", "50") as (service, _):
        service.wait_until(lambda reply: stage(reply, "admit").settings.target_p90_ms == 50, "it is not set")


@in_both_forms
def test_a_batch_is_as_small_as_it_may_be_once_it_is_told_to(form: str) -> None:
    with seda(form) as (service, client):
        assert told(service, "compute", "most_batch=32") == 0
        service.wait_until(lambda reply: stage(reply, "compute").settings.batch == 32, "it does not begin there")
        with service.snapshots() as snapshot:
            until_s = time.monotonic() + TIMEOUT_S
            while stage(snapshot(), "compute").settings.batch == 32:
                assert client.run(ECHO, timeout=TIMEOUT_S).payload == b"echo"
                assert time.monotonic() < until_s, "it stays there"


def traced(spans_file: Path) -> list[dict[str, Any]]:
    return [
        span
        for line in spans_file.read_text(encoding="utf-8").splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


TRACEPARENT = [("traceparent", f"00-{'1' * 32}-{'2' * 16}-01")]


@in_both_forms
@pytest.mark.parametrize("bypassed", [[], ["admit"], ["call"], ["reply"]], ids=" ".join)
def test_steps_and_waits_in_several_places_are_told_in_one_trace(
    form: str, bypassed: list[str], tmp_path: Path
) -> None:
    spans_file = tmp_path / "spans.jsonl"
    with seda(form, "--trace-file", str(spans_file)) as (service, client):
        bypass(service, *bypassed)
        client.run(IN_TWO_WAITS, timeout=TIMEOUT_S, metadata=TRACEPARENT)
        assert service.stop() == 0
    spans = traced(spans_file)
    (whole,) = (span for span in spans if span["name"] == "sweetspot.v1.Workload/Run")
    waits = [span for span in spans if span["name"].startswith("queue ")]
    steps = [span["name"] for span in spans if span not in waits]
    assert sorted(steps) == ["compute", "compute", "queue", "run", "sleep", "sweetspot.v1.Workload/Run"]
    passed = [name for name in ("read", "admit", "compute", "call", "compute", "reply") if name not in bypassed]
    assert [span["name"] for span in waits] == [f"queue {name}" for name in passed]
    assert {span["parentSpanId"] for span in waits} == {whole["spanId"]}
    times = [int(span[f"{end}TimeUnixNano"]) for span in waits for end in ("start", "end")]
    assert times == sorted(times)
    assert int(whole["startTimeUnixNano"]) <= times[0] <= times[-1] <= int(whole["endTimeUnixNano"])


@in_both_forms
def test_a_call_that_expires_in_a_queue_is_told_with_the_queue_that_it_was_in(form: str, tmp_path: Path) -> None:
    spans_file = tmp_path / "spans.jsonl"
    with (
        seda(form, "--trace-file", str(spans_file)) as (service, client),
        WireClient(service.address) as patient,
    ):
        running = [client.run.future(BLOCKS, timeout=TIMEOUT_S) for _ in range(CPUS)]
        wait_until_taken(service, "compute", CPUS)
        # A caller that does not end the call itself when its time is up: the stage finds out when it takes it.
        path, request = "/sweetspot.v1.Workload/Run", ECHO.SerializeToString()
        late = patient.call(path, request, timeout_ns=300_000_000, metadata=TRACEPARENT)
        assert late.code is Code.DEADLINE_EXCEEDED
        assert {call.code() for call in running} == {grpc.StatusCode.OK}
        assert service.stop() == 0
    names = [span["name"] for span in traced(spans_file)]
    assert sorted(names) == [
        "queue",
        *(f"queue {name}" for name in ("admit", "compute", "read", "reply")),
        "sweetspot.v1.Workload/Run",
    ]
