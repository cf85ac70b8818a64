"""Pods of services and drivers have OpenTelemetry's resource attributes: what they are, and where they run."""

import re
from typing import Any

import pytest
import yaml

from tests.chart.rendering import needs_helm, of_kind, render
from tools.cluster import job
from tools.cluster.examples import EXAMPLES, driver_pod
from tools.trial_specs import only

_VARIABLE = re.compile(r"\$\((\w+)\)")
OF_EVERY_POD = {
    "service.namespace",
    "service.version",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.node.name",
}


def resource(pod: Any) -> dict[str, str]:
    (container,) = pod["containers"]
    variables = {each["name"]: each for each in container["env"]}
    attributes = dict(pair.split("=") for pair in variables["OTEL_RESOURCE_ATTRIBUTES"]["value"].split(","))
    before = list(variables)[: list(variables).index("OTEL_RESOURCE_ATTRIBUTES")]
    for value in attributes.values():
        assert set(_VARIABLE.findall(value)) <= set(before), "$() names variables that come before"
    return attributes


@needs_helm
def test_services_name_their_release_image_and_deployment() -> None:
    rendered = render('image.tag="abc123"', only=["reactor"])
    for name in ("sweetspot-reactor", "sweetspot-backend"):
        has = resource(of_kind(rendered, "Deployment")[name]["spec"]["template"]["spec"])
        assert has.keys() >= OF_EVERY_POD
        assert (has["service.version"], has["k8s.deployment.name"]) == ("abc123", name)


@needs_helm
def test_a_service_whose_image_has_a_digest_names_that_as_its_version() -> None:
    digest = f"sha256:{64 * 'a'}"
    rendered = render('image.tag="abc123"', f'image.digests={{"thread-pool": "{digest}"}}', only=["thread_pool"])
    for name, version in (("sweetspot-thread-pool", digest), ("sweetspot-backend", "abc123")):
        pod = of_kind(rendered, "Deployment")[name]["spec"]["template"]["spec"]
        assert resource(pod)["service.version"] == version
        assert pod["containers"][0]["image"].endswith(version)


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("sweetspot/driver:0.1.0", "0.1.0"),
        ("registry:5000/driver:tag", "tag"),
        ("registry:5000/driver@sha256:abc", "sha256:abc"),
        ("driver", None),
    ],
)
def test_drivers_name_their_release_and_image(image: str, version: str | None) -> None:
    pod = driver_pod()
    pod["spec"]["containers"][0]["image"] = image
    load = job.LoadSettings(
        release="loads", first="loads", run="nightly", pod=pod, otlp_endpoint="http://collector:4318"
    )
    asked = EXAMPLES["closed-loop"].asked
    made = job.manifest(load, asked, only(asked))
    has = resource(yaml.safe_load(yaml.safe_dump(made))["spec"]["template"]["spec"])
    assert has.get("service.version") == version
    assert has["service.namespace"] == "loads"
    assert has.keys() | {"service.version"} >= OF_EVERY_POD
