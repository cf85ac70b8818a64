"""The load Job of one trial: one pod for each shard, each started once. A pure function of what is asked for.

Fields of the Job give these guarantees. A shard is never started again (`backoffLimitPerIndex`, `restartPolicy`). A
shard that fails ends the others (`maxFailedIndexes`). No shard runs for ever (`activeDeadlineSeconds`). Kubernetes
removes a Job that has ended (`ttlSecondsAfterFinished`), and the results stay. Must not talk to a cluster.
"""

import re
from dataclasses import dataclass

from tools.cluster.api import Object
from tools.cluster.release import BARRIER_PORT, dns
from tools.experiment import Experiment
from tools.results import TrialId
from tools.trial_specs import TrialSpec

FINISHED_TTL_S = 3600
"""How long a Job and its logs stay after its end."""
STARTING_S = 240
"""Time for the pods to be placed, for new pods of the service to be ready, and for the drivers to meet."""
ENDING_S = 60
"""Time for last calls, spans and the result."""
_MAX_NAME = 57
"""A pod's host name is the Job's name with an index, and has 63 characters at most (RFC 1123)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSettings:
    """How the load is made, the same for all trials."""

    release: str
    first: str
    """What the names of the release's objects begin with."""
    run: str
    pod: Object
    """The template of a driver's pod from the chart. It includes what the cluster's owner sets for all pods."""
    shards: int = 1
    balance: str = "cluster-ip"
    cpu: str = "500m"
    memory: str = "512Mi"
    otlp_endpoint: str | None = None

    @property
    def image(self) -> str:
        """The driver's."""
        return str(self.pod["spec"]["containers"][0]["image"])


def job_name(run: str, trial: TrialId) -> str:
    """The name of the trial's Job. A long name loses its beginning. It has no dot, since pods have it as host name."""
    return f"{run}-{label_of(trial)}".replace(".", "-")[-_MAX_NAME:].lstrip("-")


def label_of(trial: TrialId) -> str:
    """The trial as a label's value."""
    return f"{dns(trial.arm)}-{trial.point}-{trial.round}"


def named_by(label: str) -> str:
    """The trial of such a label, as `str` of it. An arm's name has no dash."""
    arm, point, number = re.fullmatch(r"(.*?)-(\d.*)-(\d+)", label).groups()  # type: ignore[union-attr]  # our own
    return str(TrialId(arm.replace("-", "_"), point, int(number)))


def labels(load: LoadSettings, trial: TrialId) -> dict[str, str]:
    """The labels of the Job, its pods and its results. The Job and its pods also have those of the chart's owner."""
    return {
        "app.kubernetes.io/name": "sweetspot",
        "app.kubernetes.io/instance": load.release,
        "app.kubernetes.io/component": "driver",
        "sweetspot.dev/run": load.run,
        "sweetspot.dev/trial": label_of(trial),
    }


def manifest(load: LoadSettings, asked: Experiment, wanted: TrialSpec) -> Object:
    """The Job, as it is in YAML."""
    name = job_name(load.run, wanted.id)
    marks = {**load.pod["metadata"]["labels"], **labels(load, wanted.id)}
    # A shard without a connection would have nothing to do.
    shards = min(load.shards, wanted.point.connections)
    asked = asked.at(wanted.point)
    loads = 1 if wanted.point.rate_of_capacity is None else 2
    planned_s = loads * (asked.warmup_s + asked.duration_s + asked.load.timeout_s)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": marks},
        "spec": {
            "completionMode": "Indexed",
            "completions": shards,
            "parallelism": shards,
            "backoffLimitPerIndex": 0,
            "maxFailedIndexes": 0,
            "activeDeadlineSeconds": round(STARTING_S + planned_s + ENDING_S),
            "ttlSecondsAfterFinished": FINISHED_TTL_S,
            "template": {
                "metadata": {**load.pod["metadata"], "labels": marks},
                "spec": _pod(load, asked, wanted, shards),
            },
        },
    }


def _pod(load: LoadSettings, asked: Experiment, wanted: TrialSpec, shards: int) -> Object:
    driver, spec = f"{load.first}-driver", load.pod["spec"]
    (container,) = spec["containers"]
    resources = {"cpu": load.cpu, "memory": load.memory}
    return {
        **spec,
        "restartPolicy": "Never",
        "serviceAccountName": driver,
        "automountServiceAccountToken": True,
        # The Job's name, its index and this headless Service give the first pod a name where the others meet it.
        "subdomain": driver,
        "terminationGracePeriodSeconds": 10,
        "affinity": _affinity(spec.get("affinity", {}), load, wanted.arm.model),
        "containers": [
            {
                **container,
                "command": ["python", "-m", "tools.cluster.shard"],
                "args": [
                    f"--release={load.release}",
                    f"--first={load.first}",
                    f"--trial={wanted.id}",
                    f"--shards={shards}",
                    f"--balance={load.balance}",
                ],
                "env": [*_environment(load, asked.of([wanted.id.arm])), *container.get("env", ())],
                "resources": {"requests": resources, "limits": resources},
                "ports": [{"name": "barrier", "containerPort": BARRIER_PORT}],
                # The pod's status then has the reason of a failure, for users who may not read logs.
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *container.get("volumeMounts", ())],
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}, *spec.get("volumes", ())],
    }


def _affinity(of_owner: Object, load: LoadSettings, model: str) -> Object:
    """The owner's affinity; and a driver is on the node of the service that it measures only if there is no other."""
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    apart = of_owner.get("podAntiAffinity", {})
    return {**of_owner, "podAntiAffinity": {**apart, preferred: [*apart.get(preferred, ()), _beside(load, model)]}}


def _beside(load: LoadSettings, model: str) -> Object:
    service = {
        "app.kubernetes.io/instance": load.release,
        "app.kubernetes.io/component": "model",
        "sweetspot.dev/model": model,
    }
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": service}}
    return {"weight": 100, "podAffinityTerm": term}


def _environment(load: LoadSettings, asked: Experiment) -> list[Object]:
    def of_pod(name: str, path: str) -> Object:
        return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}

    variables = [
        {"name": "EXPERIMENT", "value": asked.to_yaml()},
        of_pod("JOB", "metadata.labels['batch.kubernetes.io/job-name']"),
        of_pod("RUN", "metadata.labels['sweetspot.dev/run']"),
        of_pod("TRIAL", "metadata.labels['sweetspot.dev/trial']"),
        of_pod("POD", "metadata.name"),
        of_pod("POD_UID", "metadata.uid"),
        of_pod("NODE", "spec.nodeName"),
        of_pod("NAMESPACE", "metadata.namespace"),
        {"name": "CPU_MILLIS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
    ]
    if load.otlp_endpoint is not None:
        variables += [
            {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": _resource(load)},
            {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": load.otlp_endpoint},
        ]
    return variables


def _resource(load: LoadSettings) -> str:
    """OpenTelemetry's resource attributes, as the chart has them for services (helm/sweetspot/templates/_names.tpl)."""
    version = load.image.rpartition("/")[2].partition("@" if "@" in load.image else ":")[2]
    attributes = {
        "service.namespace": load.release,
        "service.version": version,
        "k8s.job.name": "$(JOB)",
        "k8s.namespace.name": "$(NAMESPACE)",
        "k8s.pod.name": "$(POD)",
        "k8s.node.name": "$(NODE)",
    }
    return ",".join(f"{name}={value}" for name, value in attributes.items() if value)
