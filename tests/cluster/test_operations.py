"""Callers notice nothing while pods come and go."""

import json
import time
from collections.abc import Sequence

import pytest

from services.models import MODELS
from tests.cluster.conftest import Release

pytestmark = pytest.mark.timeout(1500)

CALLS, RATE_RPS = 10_000, 100
AGE = "SWEETSPOT_MAX_CONNECTION_AGE_S"
"""grpcio's server cancels calls that reach it after `stop`, from a client that has not read the GOAWAY yet. If no
connection gets older than the time before the stop (preStopSeconds), every client has reconnected elsewhere by then."""
AT_ONCE = 5
"""Models loaded at the same time. Each has two pods during this time, and a third one while it is rolled."""
BATCHES = [tuple(MODELS)[first : first + AT_ONCE] for first in range(0, len(MODELS), AT_ONCE)]


def deployment(made: Release, model: str) -> str:
    return f"deployment/{made.name}-{model.replace('_', '-')}"


def loader(made: Release, models: Sequence[str]) -> dict[str, object]:
    """A pod that puts a steady load on these models."""
    services = [f"{model}={made.name}-{model.replace('_', '-')}:50051" for model in models]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "steady",
            "labels": {
                "app.kubernetes.io/name": "sweetspot",
                "app.kubernetes.io/instance": made.name,
                "app.kubernetes.io/component": "driver",
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "steady",
                    "image": f"sweetspot/conformance:{made.tag}",
                    "command": ["python", "-m", "tests.conformance.steady"],
                    "args": [*services, f"--calls={CALLS}", f"--rate={RATE_RPS}"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def a_pod(made: Release, model: str) -> str:
    """A pod that serves. Pods that are being deleted are listed too, and are left out."""
    listed = json.loads(made.kubectl("get", "pods", "--selector", f"sweetspot.dev/model={model}", "--output", "json"))
    names = [pod["metadata"]["name"] for pod in listed["items"] if "deletionTimestamp" not in pod["metadata"]]
    assert names, f"{model} has no pod"
    return str(names[0])


def logs_once(made: Release, said: str, timeout_s: float) -> str:
    """The pod's log, as soon as it has that in it."""
    until_s = time.monotonic() + timeout_s
    while said not in (log := made.log("steady")):
        assert time.monotonic() < until_s, log
        time.sleep(1)  # between two questions
    return log


@pytest.mark.parametrize("models", BATCHES, ids="+".join)
def test_no_call_fails_while_pods_are_rolled_and_deleted(everything: Release, models: Sequence[str]) -> None:
    made = everything
    deployments = [deployment(made, model) for model in models]
    baselines = [deployment(made, model) for model in models if not MODELS[model].own_wire]
    for each in baselines:
        made.kubectl("set", "env", each, f"{AGE}=2")
    made.kubectl("scale", *deployments, "--replicas=2")
    for each in deployments:
        made.kubectl("rollout", "status", each, "--timeout=120s", timeout_s=150)
    made.cluster.apply(made.namespace, loader(made, models))
    try:
        made.kubectl("wait", "pod/steady", "--for=condition=Ready", "--timeout=60s", timeout_s=90)
        logs_once(made, "steady", 60)
        for each in deployments:
            made.kubectl("rollout", "restart", each)
        for each in deployments:
            made.kubectl("rollout", "status", each, "--timeout=120s", timeout_s=150)
        for model in models:
            made.kubectl("delete", "pod", a_pod(made, model), "--wait=false")
        log = logs_once(made, "{", CALLS / RATE_RPS + 60)
    finally:
        made.kubectl("delete", "pod", "steady", "--now", "--ignore-not-found")
        made.kubectl("scale", *deployments, "--replicas=1")
        for each in baselines:
            made.kubectl("set", "env", each, f"{AGE}-")
            made.kubectl("rollout", "status", each, "--timeout=120s", timeout_s=150)  # or the next test meets its pods
    ended = json.loads(log.splitlines()[-1])
    assert ended == {model: {"OK": CALLS} for model in models}


TOO_MUCH = """
import grpc
from sweetspot.v1 import workload_pb2 as w
with grpc.insecure_channel("127.0.0.1:50051") as channel:
    run = channel.unary_unary("/sweetspot.v1.Workload/Run", w.RunRequest.SerializeToString)
    for key in range(8):
        run(w.RunRequest(key=key, steps=[w.Step(touch=w.Touch(working_set_kib=65536))]), timeout=20)
"""


def test_a_service_that_took_more_than_its_memory_comes_back(everything: Release) -> None:
    made = everything
    name = a_pod(made, "grpcio_asyncio")
    made.cluster.run("kubectl", "--namespace", made.namespace, "exec", name, "--", "python", "-c", TOO_MUCH)
    restarted = "jsonpath={.status.containerStatuses[0].restartCount}=1"
    made.kubectl("wait", f"pod/{name}", f"--for={restarted}", "--timeout=60s", timeout_s=90)
    made.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=90s", timeout_s=120)
    why = made.kubectl("get", "pod", name, "--output", "jsonpath={..lastState.terminated.reason}")
    assert why == "OOMKilled"
