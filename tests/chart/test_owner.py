"""What a cluster's owner sets is in every pod: those of the chart, those of `helm test` and those of load Jobs."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from tests.chart.rendering import needs_helm, objects, of_kind, render_values
from tools.cluster import job
from tools.cluster.examples import EXAMPLES
from tools.trial_specs import only

pytestmark = needs_helm

POD: Mapping[str, Any] = {
    "nodeSelector": {"pool": "measured"},
    "tolerations": [{"operator": "Exists"}],
    "priorityClassName": "high",
    "runtimeClassName": "gvisor",
}
ANYWHERE_ELSE: Mapping[str, Any] = {
    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": []}]}
}
SPREAD: Mapping[str, Any] = {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
VALUES: Mapping[str, Any] = {
    "global": {"imageRegistry": "mirror.example", "imagePullSecrets": ["of-all"], "of": {"another": "chart"}},
    "imagePullSecrets": [{"name": "of-this"}],
    "commonLabels": {"team": "lab"},
    "fullnameOverride": "bench",
    "defaults": {
        **POD,
        "affinity": {"nodeAffinity": ANYWHERE_ELSE},
        "topologySpreadConstraints": [SPREAD],
        "podLabels": {"billing": "1e3"},
        "podAnnotations": {"note": "true"},
        "podSecurityContext": {"runAsUser": None, "runAsGroup": 1_000_650_000},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    },
    "models": {"reactor": {"options": {"backlog": 7}}},
}


def load_job(text: str) -> Mapping[str, Any]:
    """The one that is made of the release's ConfigMap."""
    pod = yaml.safe_load(of_kind(text, "ConfigMap")["bench-driver"]["data"]["pod.yaml"])
    load = job.LoadSettings(release="sweetspot", first="bench", run="r", pod=pod)
    asked = EXAMPLES["closed-loop"].asked
    return job.manifest(load, asked, only(asked))


def pods(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for made in [*objects(text), load_job(text)]:
        if made["kind"] == "Pod":
            yield made["metadata"]["name"], made
        elif made["kind"] in {"Deployment", "Job"}:
            yield made["metadata"]["name"], made["spec"]["template"]


def test_what_the_owner_sets_is_in_every_pod() -> None:
    found = dict(pods(render_values(VALUES, "sweetspot")))
    assert {"bench-reactor", "bench-backend", "bench-jaeger", "bench-conformance", "r-reactor-4-1"} <= found.keys()
    for name, pod in found.items():
        spec, metadata = pod["spec"], pod["metadata"]
        assert POD.items() <= spec.items(), name
        assert spec["imagePullSecrets"] == [{"name": "of-this"}, {"name": "of-all"}]
        assert spec["affinity"]["nodeAffinity"] == ANYWHERE_ELSE
        (spread,) = spec["topologySpreadConstraints"]
        assert spread.items() > SPREAD.items()
        assert spread["labelSelector"]["matchLabels"].items() <= metadata["labels"].items()
        assert {"team": "lab", "billing": "1e3"}.items() <= metadata["labels"].items()
        assert metadata["annotations"]["note"] == "true"
        assert "runAsUser" not in spec["securityContext"]
        assert spec["securityContext"]["runAsGroup"] == 1_000_650_000
        (container,) = spec["containers"]
        assert container["image"].startswith("mirror.example/"), name
        if name != "bench-jaeger":
            assert {"name": "HTTPS_PROXY", "value": "http://proxy:3128"} in container["env"], name
            assert {"name": "more", "emptyDir": {}} in spec["volumes"]
            assert {"name": "more", "mountPath": "/more"} in container["volumeMounts"]


def test_a_load_job_has_the_owners_labels_itself() -> None:
    made = load_job(render_values(VALUES, "sweetspot"))
    assert made["metadata"]["labels"]["team"] == "lab"


def test_what_ends_runs_without_a_proxy_beside_it_that_does_not() -> None:
    for name, pod in pods(render_values({"fullnameOverride": "bench"}, "sweetspot")):
        out = (
            pod["metadata"]["labels"].get("sidecar.istio.io/inject") == "false",
            pod["metadata"].get("annotations", {}).get("linkerd.io/inject") == "disabled",
        )
        assert set(out) == {pod["spec"].get("restartPolicy") == "Never"}, name


def test_a_load_job_finds_the_services_under_the_names_that_the_chart_gives_them() -> None:
    text = render_values({"fullnameOverride": "bench"}, "1234")
    spec = load_job(text)["spec"]["template"]["spec"]
    assert "--first=bench" in spec["containers"][0]["args"]
    assert spec["serviceAccountName"] in of_kind(text, "ServiceAccount")
    assert spec["subdomain"] in of_kind(text, "Service")


def test_an_owners_affinity_stays_beside_that_of_a_load_job() -> None:
    own = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}}
    text = render_values({"fullnameOverride": "bench", "defaults": {"affinity": own}}, "sweetspot")
    affinity = load_job(text)["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    first, second = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert first == {"weight": 1}
    assert second["podAffinityTerm"]["labelSelector"]["matchLabels"]["sweetspot.dev/model"] == "reactor"


def test_spans_go_to_a_collector_that_asks_for_headers_and_has_a_certificate() -> None:
    otlp = {"endpoint": "https://c:4318", "headers": {"secret": "token"}, "ca": {"configMap": "ca", "key": "own.pem"}}
    for name, pod in pods(render_values({"fullnameOverride": "bench", "otlp": otlp}, "sweetspot")):
        if "conformance" in name or "jaeger" in name:
            continue
        (container,) = pod["spec"]["containers"]
        variables = {each["name"]: each for each in container["env"]}
        key = {"name": "token", "key": "headers"}
        assert variables["OTEL_EXPORTER_OTLP_HEADERS"]["valueFrom"]["secretKeyRef"] == key, name
        assert variables["OTEL_EXPORTER_OTLP_CERTIFICATE"]["value"] == "/etc/otlp/ca.crt"
        volume = {"name": "otlp-ca", "configMap": {"name": "ca", "items": [{"key": "own.pem", "path": "ca.crt"}]}}
        assert volume in pod["spec"]["volumes"]


def test_a_models_profile_takes_nothing_of_that_of_the_defaults() -> None:
    profiles = {"type": "Localhost", "localhostProfile": "of/all.json"}
    values = {
        "defaults": {"seccompProfile": profiles},
        "models": {"reactor": {"seccompProfile": {"type": "RuntimeDefault"}}},
    }
    deployments = of_kind(render_values(values, "sweetspot"), "Deployment")
    spec = deployments["sweetspot-reactor"]["spec"]["template"]["spec"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
