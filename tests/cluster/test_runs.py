"""Runs on a real cluster: two drivers against three models, results that outlive them, their traces, and failures."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cluster.conftest import Release
from tests.cluster.runs import OPEN_LOOP, RUN_TIMEOUT_S, of_trial, only, run, sweetspot, trials, until, until_measured
from tools.traces import Jaeger, median_first, traced

START_SPREAD_NS = 250_000_000
"""Pods start some seconds apart, and drivers that meet a few milliseconds, where the machine has time for them."""


@pytest.fixture(scope="module")
def made(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a run of two drivers against three models."""
    folder = tmp_path_factory.mktemp("run")
    done = run(release, folder, "--shards", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return only(folder)


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_two_drivers_are_one_load_to_each_of_three_models(made: Path) -> None:
    found = trials(made)
    assert len(found) == 3
    assert len({checksum for trial in found for checksum in trial.result["checksums"]}) == 1
    for trial in found:
        assert [shard["connections"] for shard in trial.result["shards"]] == [2, 2]
        assert (
            trial.result["calls"]["planned"]
            == trial.result["calls"]["ok"]
            == trial.result["latency_ns"]["count"]
            == 300
        )
        assert trial.result["got"]["start_spread_ns"] <= START_SPREAD_NS
        assert trial.after.cpu_user_ns > trial.before.cpu_user_ns
        assert [pod["answered"] for pod in trial.pods] == [300]


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_every_span_is_found_in_jaeger(release: Release, made: Path) -> None:
    done = sweetspot(release, "traces", str(made))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "missing" not in done.stdout
    for trial in trials(made):
        assert set(trial.spans) == {"driver", trial.model.replace("_", "-"), "backend"}
        assert all(counts["made"] == counts["exported"] > 0 for counts in trial.spans.values())


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_one_search_of_jaeger_finds_the_slowest_traced_call_of_a_trial(release: Release, made: Path) -> None:
    for trial in trials(made):
        found = Jaeger("", made.name).slowest(trial)
        assert found is not None
        # What the page of that address asks.
        asked = found.replace("/search?", f"/services/{release.name}-jaeger:16686/proxy/api/traces?")
        answer = json.loads(release.kubectl("get", "--raw", f"/api/v1/namespaces/{release.namespace}{asked}"))
        assert [trace["traceID"] for trace in answer["data"]] == [traced(trial)[-1].trace_id]
        tags = {tag["key"]: tag["value"] for span in answer["data"][0]["spans"] for tag in span["tags"]}
        assert (tags["sweetspot.run"], tags["sweetspot.trial"]) == (made.name, str(trial.id))


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_the_report_shows_waterfalls_of_spans_that_jaeger_had(made: Path) -> None:
    for trial in trials(made):
        kept = (made / "traces" / f"{trial.id}.jsonl").read_text(encoding="utf-8")
        for call in (median_first(traced(trial))[0], traced(trial)[-1]):
            assert call.trace_id in kept
        assert "k8s.deployment.name" in kept
        assert "service.version" in kept
    page = (made / "report.html").read_text(encoding="utf-8")
    assert "but traces/ has no span" not in page
    assert "The slowest traced call in Jaeger" in page


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_another_machine_finds_the_same_results(release: Release, made: Path, tmp_path: Path) -> None:
    assert made.name in sweetspot(release, "results", "list", *release.flags).stdout
    done = sweetspot(
        release, "results", "pull", made.name, *release.flags, "--results", str(tmp_path), "--despite-noise"
    )
    assert done.returncode == 0, done.stderr
    for path in (made / "trials").iterdir():
        assert json.loads((tmp_path / made.name / "trials" / path.name).read_text()) == json.loads(path.read_text())


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_a_shard_that_was_measured_twice_makes_its_trial_void_for_whoever_reads_it(
    release: Release, made: Path, tmp_path: Path
) -> None:
    own = f"sweetspot.dev/run={made.name},{of_trial('reactor')}"
    parts = json.loads(release.kubectl("get", "configmaps", "--selector", own, "--output=json"))["items"]
    assert len(parts) == 2
    twice = parts[0]["metadata"]["name"][:-1] + "x"  # as with another pod's uid
    metadata = {"name": twice, "labels": parts[0]["metadata"]["labels"]}
    path = tmp_path / "twice.json"
    path.write_text(json.dumps({**parts[0], "metadata": metadata}))
    release.kubectl("create", "--filename", str(path))
    try:
        done = sweetspot(release, "results", "pull", made.name, *release.flags, "--results", str(tmp_path))
    finally:
        release.kubectl("delete", "configmap", twice)
    assert done.returncode == 0, done.stderr
    (why,) = (tmp_path / made.name / "trials").glob("*.void")
    assert why.read_text() == "void: shard 0 of 2 wrote 2 results: it was started more than once\n"


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_a_job_shows_a_table_in_its_log(release: Release, made: Path) -> None:
    log = release.kubectl("logs", "-l", "app.kubernetes.io/component=driver", "--tail", "30")
    assert "shard 0 of 2: 2 connections and its part of the calls" in log
    assert "150 calls planned: 150 ok" in log


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_each_round_loads_pods_of_its_own_at_all_points(release: Release, tmp_path: Path) -> None:
    text = (
        OPEN_LOOP.replace("[4]", "[2, 4]").replace("rounds: 1", "rounds: 2").replace("duration_s: 3", "duration_s: 1")
    )
    done = run(release, tmp_path, "--models", "reactor", text=text)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = {str(trial.id): {pod["name"] for pod in trial.pods} for trial in trials(only(tmp_path))}
    assert loaded["reactor-2-1"] == loaded["reactor-4-1"]
    assert loaded["reactor-2-2"] == loaded["reactor-4-2"]
    assert not loaded["reactor-2-1"] & loaded["reactor-2-2"]


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_two_drivers_send_half_of_what_they_find_that_the_model_answers(release: Release, tmp_path: Path) -> None:
    text = OPEN_LOOP.replace("rate_rps: 100", "rate_of_capacity: 0.5")
    done = run(release, tmp_path, "--models", "reactor", "--shards", "2", text=text)
    assert done.returncode == 0, done.stdout + done.stderr
    (trial,) = trials(only(tmp_path))
    assert trial.capacity_rps
    assert trial.result["asked"]["rate_rps"] == 0.5 * trial.capacity_rps
    assert [shard["connections"] for shard in trial.result["shards"]] == [2, 2]


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_calls_that_are_dealt_are_spread_evenly_and_one_connection_leads_to_one_pod(
    release: Release, tmp_path: Path
) -> None:
    deployment = f"deployment/{release.name}-reactor"
    release.kubectl("scale", deployment, "--replicas", "2")
    try:
        release.kubectl("rollout", "status", deployment, "--timeout", "90s", timeout_s=100)
        shares: dict[str, list[int]] = {}
        for balance, connections in (("headless", 4), ("cluster-ip", 1)):
            text = OPEN_LOOP.replace("[4]", f"[{connections}]")
            folder = tmp_path / balance
            folder.mkdir()
            done = run(release, folder, "--balance", balance, "--models", "reactor", "--keep-pods", text=text)
            assert done.returncode == 0, done.stdout + done.stderr
            (trial,) = trials(only(folder))
            shares[balance] = sorted(pod["answered"] for pod in trial.pods)
    finally:
        release.kubectl("scale", deployment, "--replicas", "1")
        release.kubectl("rollout", "status", deployment, "--timeout", "90s", timeout_s=100)
    assert shares == {"headless": [150, 150], "cluster-ip": [0, 300]}


@pytest.mark.parametrize("who", ["reactor", "backend"])
@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_a_service_or_backend_that_ends_unasked_while_it_is_measured_makes_the_trial_void_which_is_repeated(
    who: str, release: Release, tmp_path: Path
) -> None:
    text = OPEN_LOOP.replace("duration_s: 3", "duration_s: 15")
    with ThreadPoolExecutor() as threads:
        running = threads.submit(run, release, tmp_path, "--models", "reactor", text=text)
        until_measured(release, "reactor")
        # The first process of a container cannot be killed from within, but asked to stop.
        kill = "import os, signal; os.kill(1, signal.SIGTERM)"
        release.kubectl("exec", f"deployment/{release.name}-{who}", "--", "python", "-c", kill)
        done = running.result()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f" is void: pod {release.name}-{who}-" in done.stdout
    assert "ended with status 0; repeating it once" in done.stdout
    assert len(trials(only(tmp_path))) == 1


TOO_MUCH = """
title: What if it takes more memory than it has?
connections: [4]
rounds: 1
rate_rps: 2
warmup_s: 0
duration_s: 15
plan:
  steps: [{touch: {working_set_kib: 65536}}]
  keys: 8
"""


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_a_service_that_is_killed_for_its_memory_makes_the_trial_void_and_comes_back(
    release: Release, tmp_path: Path
) -> None:
    done = run(release, tmp_path, "--models", "reactor", text=TOO_MUCH)
    assert done.returncode == 0, done.stdout + done.stderr
    (why,) = (only(tmp_path) / "trials").glob("*.void")
    assert why.read_text().startswith(f"void: pod {release.name}-reactor-")
    assert why.read_text().endswith(" was OOMKilled\n")
    assert "1 of 1 trials is void; to run the 1 missing: " in done.stderr
    pull = ("results", "pull", only(tmp_path).name, *release.flags, "--results", str(tmp_path))
    assert [sweetspot(release, *pull, *flags).returncode for flags in ((), ("--strict",))] == [0, 42]
    deployment = f"deployment/{release.name}-reactor"
    release.kubectl("wait", deployment, "--for=condition=Available", "--timeout=60s", timeout_s=90)
    restarts = ("get", "pod", "--selector", "sweetspot.dev/model=reactor", "--output=jsonpath={..restartCount}")
    until(lambda: int(release.kubectl(*restarts)) > 0)


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_without_a_collector_a_run_measures_all_the_same_and_where_its_traces_are_not_is_said(
    release: Release, tmp_path: Path
) -> None:
    """Nor does it end more than 6 s later."""
    jaeger = f"deployment/{release.name}-jaeger"
    release.kubectl("scale", jaeger, "--replicas=0")
    down = ("pod", "--selector=app.kubernetes.io/component=jaeger", "--for=delete", "--timeout=60s")
    release.kubectl("wait", *down, timeout_s=90)
    try:
        done = run(release, tmp_path, "--models", "reactor")
        assert done.returncode == 0, done.stdout + done.stderr
        own = f"sweetspot.dev/run={only(tmp_path).name}"
        said = release.kubectl("logs", "--selector", own, "--timestamps", "--tail=-1").splitlines()
        measured, kept = (
            next(line for line in said if what in line) for what in (" measured", " stored as ConfigMap ")
        )
        ended, gone = (datetime.fromisoformat(line.partition(" ")[0]) for line in (measured, kept))
        assert gone - ended <= timedelta(seconds=6)
        (trial,) = trials(only(tmp_path))
        assert all(counts["exported"] == 0 < counts["made"] for counts in trial.spans.values())
        told = sweetspot(release, "traces", str(only(tmp_path)))
        assert told.returncode == 2
        assert f"Jaeger ({release.name}-jaeger) does not answer: " in told.stderr
        assert f"try: kubectl get pods -n {release.namespace} -l app.kubernetes.io/component=jaeger" in told.stderr
    finally:
        release.kubectl("scale", jaeger, "--replicas=1")
        release.kubectl("rollout", "status", jaeger, "--timeout=90s", timeout_s=100)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--driver-cpu", "500"], ["is Pending: ", "Insufficient cpu", "kubectl describe pod"]),
        (["--models", "seda"], ["unknown model 'seda'; the models are "]),
        (["--release", "other"], ["no models of release other"]),
    ],
)
@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_what_cannot_run_is_told_in_one_message_and_leaves_no_job(
    flags: list[str], words: list[str], release: Release, tmp_path: Path
) -> None:
    more = [] if "--models" in flags else ["--models", "reactor"]
    done = run(release, tmp_path, "--keep-pods", *more, *flags)
    assert done.returncode in (1, 2)
    assert [word for word in words if word not in done.stdout + done.stderr] == []
    assert "pending" not in release.kubectl("get", "pods").lower()


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_a_load_that_a_quota_goes_on_refusing_fails_with_its_reason(release: Release, tmp_path: Path) -> None:
    used = release.kubectl("get", "pods", "--field-selector=status.phase=Running", "--output=name").split()
    release.kubectl("create", "quota", "small", f"--hard=count/pods={len(used) + 1}")
    release.kubectl("wait", "quota/small", "--for=jsonpath={.status.used}", "--timeout=30s")
    try:
        done = run(release, tmp_path, "--shards", "3", "--models", "reactor", "--keep-pods")
    finally:
        release.kubectl("delete", "quota", "small")
    assert done.returncode == 1
    assert "exceeded quota: small" in done.stdout
    assert "kubectl describe resourcequota,limitrange" in done.stdout
    assert not release.kubectl("get", "jobs", "--output=name", "--selector", f"sweetspot.dev/run={only(tmp_path).name}")
