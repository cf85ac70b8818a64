"""Address families: the same chart for clusters of IPv4, of IPv6 and of both. The test cluster has IPv4 alone."""

import re

import pytest

from services.models import MODELS
from services.network.listen import EVERY
from tests.chart.rendering import CHART, needs_helm, objects, of_kind, pod_specs, render

pytestmark = needs_helm

COLLECTOR = "http://[fd00::4317]:4318"


@pytest.mark.parametrize("policy", [None, "SingleStack", "PreferDualStack", "RequireDualStack"])
def test_every_service_has_the_families_of_the_policy_in_the_order_of_the_cluster(policy: str | None) -> None:
    services = of_kind(render(*([f'ipFamilyPolicy="{policy}"'] if policy else []), only=["reactor"]), "Service")
    assert {
        "sweetspot-reactor",
        "sweetspot-reactor-headless",
        "sweetspot-backend",
        "sweetspot-driver",
    } < services.keys()
    assert "sweetspot-jaeger" in services
    for service in services.values():
        assert service["spec"]["ipFamilyPolicy"] == (policy or "PreferDualStack")
        assert "ipFamilies" not in service["spec"]
        assert service["spec"].get("clusterIP", "None") == "None"


def test_nothing_but_jaeger_names_an_address_and_for_a_program_in_go_that_one_means_both_families() -> None:
    text = render('metrics={"namespaces": ["monitoring"]}', only=MODELS)
    named = {
        (found["kind"], found["metadata"]["name"], address)
        for found in objects(text)
        for address in re.findall(r"(?<![\w.])\d+\.\d+\.\d+\.\d+(?![\w.])", str(found))
    }
    # net.Listen("tcp", "0.0.0.0:N") takes both families (Go, net/ipsock_posix.go, favoriteAddrFamily).
    assert named == {("ConfigMap", "sweetspot-jaeger", "0.0.0.0")}
    assert not re.search(r"ipBlock|hostIP|hostNetwork", text)


def test_a_container_listens_at_every_address_of_both_families() -> None:
    dockerfile = (CHART.parents[1] / "Dockerfile").read_text(encoding="utf-8")
    assert f"SWEETSPOT_HOST={EVERY} " in dockerfile
    variables = {
        variable["name"]
        for pod in pod_specs(render(only=["reactor"])).values()
        for container in pod["containers"]
        for variable in container.get("env", ())
    }
    assert "SWEETSPOT_BACKEND" in variables
    assert "SWEETSPOT_HOST" not in variables


def test_a_collector_of_ipv6_has_its_brackets_in_the_url_and_its_port_in_the_policy() -> None:
    text = render(f'otlp.endpoint="{COLLECTOR}"', 'jaeger={"enabled": false}', only=["reactor"])
    (container,) = pod_specs(text)["Deployment/sweetspot-reactor"]["containers"]
    values = {each["name"]: each.get("value") for each in container["env"]}
    assert values["OTEL_EXPORTER_OTLP_ENDPOINT"] == COLLECTOR
    egress = of_kind(text, "NetworkPolicy")["sweetspot-reactor"]["spec"]["egress"]
    assert {"ports": [{"port": 4318}]} in egress
