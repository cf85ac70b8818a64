"""Prometheus finds each service, and the dashboard asks for what services measure."""

import json
import re
from pathlib import Path

import pytest

from services.runtime.control import metrics
from services.telemetry.tracing import server_attributes
from tests.chart.rendering import CHART, helm, needs_helm, of_kind, render_values

pytestmark = needs_helm


def test_the_dashboard_asks_for_what_services_measure() -> None:
    made = of_kind(render_values({"dashboard": {"enabled": True}}, "sweetspot"), "ConfigMap")["sweetspot-dashboard"]
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    panels = json.loads(made["data"]["sweetspot.json"])["panels"]
    asks = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {name for expression in asks for name in re.findall(r"(\w+_\w+)\{", expression)}
    source = Path(str(metrics.__file__)).read_text(encoding="utf-8")
    measured = {name.replace(".", "_") for name in re.findall(r'"((?:rpc|sweetspot)\.[\w.]+)"', source)}
    ours = {
        re.sub(r"(_seconds(_bucket|_count)|_total)$", "", name)
        for name in asked
        if name.startswith(("rpc", "sweetspot"))
    }
    assert ours == {"rpc_server_call_duration", "sweetspot_queue_depth", "sweetspot_loop_lag", "sweetspot_refusals"}
    assert ours <= measured
    labels = {attribute.replace(".", "_") for attribute in server_attributes("", 0)}
    assert {name for expression in asks for name in re.findall(r"rpc_\w+(?=[,!=)])", expression)} <= labels


def test_a_monitor_is_there_only_where_it_is_asked_for_and_names_a_port_that_pods_have() -> None:
    assert not of_kind(render_values({}, "sweetspot"), "PodMonitor")
    values = {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "metrics": {"namespaces": ["monitoring"]},
    }
    text = render_values(values, "sweetspot")
    monitor = of_kind(text, "PodMonitor")["sweetspot"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    template = of_kind(text, "Deployment")["sweetspot-reactor"]["spec"]["template"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in template["spec"]["containers"][0]["ports"]}


@pytest.mark.parametrize(
    ("setting", "needs"),
    [("metrics.enabled=false", "metrics.enabled: "), ("networkPolicy.enabled=true", "metrics.namespaces, as [")],
)
def test_a_monitor_that_would_reach_no_port_is_refused(setting: str, needs: str) -> None:
    settings = ("--set", "podMonitor.enabled=true", "--set", setting)
    assert f"podMonitor.enabled needs {needs}" in helm("template", "sweetspot", str(CHART), *settings).stderr


def test_who_may_scrape_may_not_call() -> None:
    values = {"metrics": {"namespaces": ["monitoring"]}, "networkPolicy": {"namespaces": ["load"]}}
    policy = of_kind(render_values(values, "sweetspot"), "NetworkPolicy")["sweetspot-reactor"]
    ports = {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]: [
            port["port"] for port in rule["ports"]
        ]
        for rule in policy["spec"]["ingress"]
        for peer in rule["from"]
        if "namespaceSelector" in peer
    }
    assert ports == {"monitoring": ["metrics"], "load": ["grpc", "control"]}


def test_each_release_has_a_dashboard_of_its_own() -> None:
    values = {"dashboard": {"enabled": True}}
    found = [
        json.loads(of_kind(render_values(values, name), "ConfigMap")[f"{name}-dashboard"]["data"][f"{name}.json"])
        for name in ("one", "two")
    ]
    assert len({dashboard["uid"] for dashboard in found}) == 2
