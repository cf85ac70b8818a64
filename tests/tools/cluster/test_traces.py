"""The traces of a run in a cluster: linked, counted, and in the report."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tools.cluster.runs import only, parts, run
from tests.tools.fake_cluster import OURS, FakeCluster, Object
from tools import cli


def jaeger_says(cluster: FakeCluster, answer: Any, path: str = "") -> None:
    labels = {**OURS, "app.kubernetes.io/component": "jaeger"}
    cluster.put("services", {"metadata": {"name": "sweetspot-jaeger", "labels": labels}})
    cluster.put("services", {"metadata": {"name": f"sweetspot-jaeger:16686/proxy/api/v3/traces{path}"}, **answer})


def otlp(process: str, *spans: Object) -> Object:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": process}}]}
    whole = {"name": "Run", "startTimeUnixNano": "0", "endTimeUnixNano": "5000000"}
    return {"resource": resource, "scopeSpans": [{"spans": [{**whole, **span} for span in spans]}]}


def said_of(run_name: str, trial_name: str) -> list[Object]:
    labels = {"sweetspot.run": run_name, "sweetspot.trial": trial_name}
    return [{"key": key, "value": {"stringValue": value}} for key, value in labels.items()]


def traced(cluster: FakeCluster, made: Object) -> None:
    """A trial of which one call was traced."""
    part = parts(1, spans={"reactor": {"made": 2, "exported": 2, "dropped": 0}})[0]
    part["result"]["traces"] = [{"trace_id": "ab" * 16, "latency_ns": 5_000_000, "status": "OK"}]
    part["result"]["spans"] = {"made": 1, "exported": 1, "dropped": 0}
    cluster.keep_part(made, part, "0")
    cluster.end_job(made)


def test_traces_are_linked_and_counted(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.on_job = traced
    run(tmp_path)
    folder = only(tmp_path)
    root = {"traceId": "ab" * 16, "spanId": "d1", "attributes": said_of(folder.name, "reactor-3-1")}
    of_another = {"traceId": "cd" * 16, "spanId": "d2", "attributes": said_of(folder.name, "reactor-10")}
    found = [otlp("driver", root, of_another), otlp("reactor", *({"traceId": f"{two * 16}"} for two in ("ab", "cd")))]
    jaeger_says(cluster, {"result": {"resourceSpans": found}})
    capsys.readouterr()
    assert cli.main(["traces", str(folder), "--jaeger", "http://j/"]) == 1
    said = capsys.readouterr().out
    assert f"median       5 ms  http://j/trace/{'ab' * 16}  OK" in said
    assert "search for the slowest: http://j/search?service=driver&" in said
    assert "spans of driver: 1 made, 1 exported, 1 stored" in said
    assert "spans of reactor: 2 made, 2 exported, 1 stored" in said
    assert "missing: 1 exported spans are not stored though their traces are" in said


def test_the_report_of_a_cluster_run_has_its_waterfalls_and_needs_no_jaeger_for_them(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    root = {"traceId": "ab" * 16, "spanId": "d1", "kind": 3}
    served = {"traceId": "ab" * 16, "spanId": "s1", "parentSpanId": "d1", "kind": 2}
    found = [otlp("driver", root), otlp("reactor", served)]
    jaeger_says(cluster, {"result": {"resourceSpans": found}}, f"/{'ab' * 16}")
    cluster.on_job = traced
    run(tmp_path)
    kept = (only(tmp_path) / "traces" / "reactor-3-1.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in kept.splitlines()] == [{"resourceSpans": found}]
    page = (only(tmp_path) / "report.html").read_text(encoding="utf-8")
    assert "only traced" in page
    assert "http://localhost:16686/search?service=driver&amp;" in page
    assert "kubectl port-forward -n lab service/sweetspot-jaeger 16686" in page


def test_a_pulled_run_has_its_waterfalls_too(cluster: FakeCluster, tmp_path: Path) -> None:
    cluster.on_job = traced
    run(tmp_path)
    name = only(tmp_path).name
    jaeger_says(
        cluster,
        {"result": {"resourceSpans": [otlp("driver", {"traceId": "ab" * 16, "spanId": "d1"})]}},
        f"/{'ab' * 16}",
    )
    assert cli.main(["results", "pull", name, "--results", str(tmp_path / "elsewhere")]) == 0
    assert "only traced" in (tmp_path / "elsewhere" / name / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("has_jaeger", "why"),
    [
        (
            False,
            "Calls were traced at 3 connections, but release sweetspot has no Jaeger of its own; try: helm upgrade",
        ),
        (True, "Calls were traced at 3 connections, but Jaeger (sweetspot-jaeger) has none of these traces"),
    ],
)
def test_a_report_without_waterfalls_says_why(cluster: FakeCluster, tmp_path: Path, has_jaeger: bool, why: str) -> None:
    if has_jaeger:
        jaeger_says(cluster, {})
    cluster.on_job = traced
    run(tmp_path)
    assert why in (only(tmp_path) / "report.html").read_text(encoding="utf-8")


def test_without_a_jaeger_that_answers_it_says_where_to_look(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path)
    capsys.readouterr()
    assert cli.main(["traces", str(only(tmp_path))]) == 2
    out, err = capsys.readouterr()
    assert "release sweetspot has no Jaeger of its own; try: helm upgrade" in err
    assert out == ""
    jaeger_says(cluster, {})
    del cluster.objects["services"]["sweetspot-jaeger:16686/proxy/api/v3/traces"]
    assert cli.main(["traces", str(only(tmp_path))]) == 2
    said = capsys.readouterr().err
    assert "Jaeger (sweetspot-jaeger) does not answer: " in said
    assert "kubectl get pods -n lab -l app.kubernetes.io/component=jaeger" in said


def test_a_run_on_this_machine_has_its_spans_in_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trials").mkdir()
    assert cli.main(["traces", str(tmp_path)]) == 2
    assert "not a run in a cluster; its spans are in traces/" in capsys.readouterr().err
