"""What the chart makes of its values: errors that name what is wrong, and objects that are as documented."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from services.models import MODELS
from tests.chart import generated
from tests.chart.bad_values import BAD_VALUES
from tests.chart.cases import CASES, GOLDENS
from tests.chart.rendering import CHART, helm, needs_helm, objects, of_kind, pod_specs, render

pytestmark = needs_helm

EVERYTHING = render() if not needs_helm.args[0] else ""
KUBERNETES = ("1.30", "1.37")
"""The first that the chart is for, and the newest."""


def test_the_chart_is_without_a_warning() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize(("setting", "names"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_value_that_makes_no_sense_is_refused_by_name(setting: str, names: str) -> None:
    done = helm("template", "sweetspot", str(CHART), "--set-json", setting)
    assert done.returncode != 0
    assert names in done.stderr


def test_a_release_whose_name_is_too_long_is_refused() -> None:
    done = helm("template", "a" * 53, str(CHART))
    assert "the name " in done.stderr
    assert "too long" in done.stderr


@pytest.mark.parametrize("case", CASES)
def test_manifests_are_as_committed(case: str) -> None:
    assert CASES[case]() == (GOLDENS / f"{case}.yaml").read_text(encoding="utf-8"), "changed: see `make manifests`"


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("case", CASES)
def test_manifests_are_valid(case: str, version: str) -> None:
    for document in objects((GOLDENS / f"{case}.yaml").read_text(encoding="utf-8")):
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES)
def test_what_brings_profiles_to_nodes_is_valid(version: str) -> None:
    for document in objects((generated.K8S / "seccomp" / "nodes.yaml").read_text(encoding="utf-8")):
        kubernetes_validate.validate(document, version, strict=True)


def test_k8s_holds_what_the_chart_makes() -> None:
    assert generated.manifests() == {
        path.relative_to(generated.K8S): path.read_text(encoding="utf-8")
        for path in generated.K8S.rglob("*.yaml")
        if path.relative_to(generated.K8S).parts[0] not in generated.BY_HAND
    }, "stale: run `make manifests`"


@pytest.mark.parametrize("name", pod_specs(EVERYTHING))
def test_a_pod_may_do_nothing_that_it_does_not_need(name: str) -> None:
    pod = pod_specs(EVERYTHING)[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_load_jobs_may_touch_neither_secrets_nor_other_pods() -> None:
    rules = [rule for role in of_kind(EVERYTHING, "Role").values() for rule in role["rules"]]
    assert not of_kind(EVERYTHING, "ClusterRole")
    assert not of_kind(EVERYTHING, "ClusterRoleBinding")
    granted = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert granted == {("configmaps", "create"), ("pods", "list"), ("pods", "watch")}


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_what_a_service_needs(model: str) -> None:
    name = "sweetspot-" + model.replace("_", "-")
    for kind in ("ServiceAccount", "Deployment", "Service", "NetworkPolicy"):
        assert name in of_kind(EVERYTHING, kind)
    assert of_kind(EVERYTHING, "Service")[f"{name}-headless"]["spec"]["clusterIP"] == "None"
    pod = of_kind(EVERYTHING, "Deployment")[name]["spec"]["template"]
    assert pod["metadata"]["labels"]["sweetspot.dev/model"] == model
    selected = of_kind(EVERYTHING, "Service")[name]["spec"]["selector"]
    assert selected.items() <= pod["metadata"]["labels"].items()


def test_a_pod_gets_the_time_that_its_drain_may_take() -> None:
    text = render('models.reactor.options={"drain_timeout_s": 40.5}', "models.reactor.preStopSeconds=7")
    pod = pod_specs(text)["Deployment/sweetspot-reactor"]
    assert pod["terminationGracePeriodSeconds"] >= 7 + 40.5 + 6


REPLICAS = [("models.reactor.replicas=1", False), ("models.reactor.replicas=2", True)]


@pytest.mark.parametrize(("setting", "guarded"), REPLICAS)
def test_only_where_one_pod_can_go_and_another_stays_is_there_a_budget(setting: str, guarded: bool) -> None:
    budgets = of_kind(render(setting), "PodDisruptionBudget")
    assert ("sweetspot-reactor" in budgets) is guarded
    # With a budget of a single pod its node could never be drained.
    assert "sweetspot-coroutines" not in budgets


def test_an_autoscaler_decides_alone_how_many_pods_there_are() -> None:
    text = render('experiments={"enabled": false}', 'models.reactor.autoscaling={"enabled": true}')
    assert list(of_kind(text, "HorizontalPodAutoscaler")) == ["sweetspot-reactor"]
    assert "replicas" not in of_kind(text, "Deployment")["sweetspot-reactor"]["spec"]
    assert "replicas" in of_kind(text, "Deployment")["sweetspot-coroutines"]["spec"]


def test_a_model_that_is_not_deployed_leaves_nothing_behind() -> None:
    names = {found["metadata"]["name"] for found in objects(render("models.reactor.enabled=false"))}
    assert not names & {"sweetspot-reactor", "sweetspot-reactor-headless"}
    assert "sweetspot-coroutines" in names


def test_a_changed_model_leaves_the_others_as_they_were() -> None:
    before, after = (
        {(found["kind"], found["metadata"]["name"]): found for found in objects(render(setting))}
        for setting in ("models.reactor.replicas=1", "models.reactor.replicas=3")
    )
    changed = {name for key, found in after.items() if found != before.get(key) for name in [key[1]]}
    assert changed == {"sweetspot-reactor"}


def edges(text: str) -> set[tuple[str, str, Any]]:
    """Which component may connect to which other one at which port, by the policies: (from, to, port)."""

    def who(peer: dict[str, Any]) -> str:
        labels = peer.get("podSelector", peer.get("namespaceSelector", {})).get("matchLabels", {})
        return str(labels.get("app.kubernetes.io/component", labels.get("kubernetes.io/metadata.name", "anybody")))

    return {
        (who(peer), policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"], port["port"])
        for policy in of_kind(text, "NetworkPolicy").values()
        for rule in policy["spec"].get("ingress", ())
        for peer in rule.get("from", [{}])
        for port in rule["ports"]
    }


def test_each_is_asked_by_whom_it_is_for_and_only_for_traces_may_anybody_ask() -> None:
    assert edges(EVERYTHING) == {
        ("driver", "model", "grpc"),
        ("driver", "model", "control"),
        ("driver", "backend", "grpc"),
        ("driver", "backend", "control"),
        ("model", "backend", "grpc"),
        ("model", "backend", "control"),
        *((who, "jaeger", port) for who in ("driver", "model", "backend") for port in ("otlp-grpc", "otlp-http")),
        ("anybody", "jaeger", "query"),
        ("driver", "driver", 50060),
    }


def test_kind_config_names_the_cluster_that_deploy_loads_images_into() -> None:
    config = yaml.safe_load((generated.K8S / "kind.yaml").read_text(encoding="utf-8"))
    assert config["name"] == "sweetspot"
    assert Path(generated.K8S / "kustomization.yaml").is_file()


def test_a_profile_is_in_the_same_place_whoever_brings_it() -> None:
    _namespace, daemons = objects((generated.K8S / "seccomp" / "nodes.yaml").read_text(encoding="utf-8"))
    pod = daemons["spec"]["template"]["spec"]
    (copy,) = pod["initContainers"]
    (folder,) = [Path(volume["hostPath"]["path"]) for volume in pod["volumes"] if "hostPath" in volume]
    brought = str(folder / Path(copy["command"][1]).name)
    config = yaml.safe_load((generated.K8S / "kind.yaml").read_text(encoding="utf-8"))
    mounts = [mount for node in config["nodes"] for mount in node.get("extraMounts", ())]
    assert {mount["containerPath"] for mount in mounts} == {brought}
    assert all((generated.K8S.parent / mount["hostPath"]).is_file() for mount in mounts)
    assert brought.removeprefix("/var/lib/kubelet/seccomp/") in generated.VALUES.read_text(encoding="utf-8")
