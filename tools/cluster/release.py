"""What the chart has deployed in a namespace: models, how they run, and where their pods are.

Names and labels are the chart's (helm/sweetspot/templates). Must not know experiments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from tools.cluster.api import Api, ClusterError, NotThereError, Object

GRPC_PORT, CONTROL_PORT, BARRIER_PORT = 50051, 50052, 50060


def dns(name: str) -> str:
    """As names of objects have it: `thread-pool`."""
    return name.replace("_", "-")


def deploy_command(release: str, namespace: str) -> str:
    """What deploys that release, with the chart's own values: a bare `make deploy` would deploy another."""
    return f"make deploy RELEASE={release} NAMESPACE={namespace}"


def upgrade_command(release: str, namespace: str, *settings: str) -> str:
    """The command that applies the chart to that release again and changes only those values, as KEY=VALUE.

    A plain --reuse-values would leave out values that are new in a newer chart.
    """
    sets = "".join(f" --set {each}" for each in settings)
    return f"helm upgrade {release} helm/sweetspot -n {namespace} --reset-then-reuse-values{sets}"


@dataclass(frozen=True)
class Release:
    """One release of the chart."""

    api: Api
    name: str

    def upgrade(self, *settings: str) -> str:
        """The command line for a person that changes those values of it."""
        return upgrade_command(self.name, self.api.namespace, *settings)

    def labels(self, component: str) -> dict[str, str]:
        """What all of that component have: model, backend, jaeger or driver."""
        return {
            "app.kubernetes.io/name": "sweetspot",
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/component": component,
        }

    def of_model(self, model: str) -> dict[str, str]:
        """The labels of one model's pods."""
        return {**self.labels("model"), "sweetspot.dev/model": model}

    @cached_property
    def models(self) -> Mapping[str, Object]:
        """Model -> Deployment. Raises ClusterError where there is none."""
        found = {
            deployment["metadata"]["labels"]["sweetspot.dev/model"]: deployment
            for deployment in self.api.select("deployments", self.labels("model"))
        }
        if not found:
            where = f"release {self.name} in namespace {self.api.namespace}"
            raise ClusterError(
                f"no models of {where}; try: {deploy_command(self.name, self.api.namespace)}, "
                "or helm list --all-namespaces"
            )
        return found

    def deployment(self, model: str) -> Object:
        """Raises ClusterError for a model that is not deployed."""
        if model not in self.models:
            there = ", ".join(sorted(self.models))
            raise ClusterError(
                f"model {model!r} is not in release {self.name}, whose models are {there}; "
                f"try: {self.upgrade(f'models.{model}.enabled=true')}"
            )
        return self.models[model]

    def container(self, model: str) -> Object:
        """The one container of that model's pods."""
        found: Object = self.deployment(model)["spec"]["template"]["spec"]["containers"][0]
        return found

    def variables(self, model: str) -> dict[str, str]:
        """The environment of its container, as far as values are written in it."""
        return {each["name"]: each["value"] for each in self.container(model).get("env", ()) if "value" in each}

    def options(self, model: str) -> dict[str, str]:
        """The variables that its service reads as options (helm/sweetspot/templates/_service.tpl)."""
        return {name: value for name, value in self.variables(model).items() if name.startswith("SWEETSPOT_")}

    def check_options(self, model: str, options: Mapping[str, str | float]) -> None:
        """Raises ClusterError where the model was not deployed with these options."""
        has = self.variables(model)
        for option, value in options.items():
            found = has.get(f"SWEETSPOT_{option.upper()}")
            if found is None or not _same(found, value):
                raise ClusterError(
                    f"{model} runs with {option} {found or 'at its default'}, not {value}; "
                    f"try: {self.upgrade(f'models.{model}.options.{option}={value}')}"
                )

    @cached_property
    def first(self) -> str:
        """What the names of its objects begin with: the release's, where the chart was given no other."""
        model, deployment = next(iter(self.models.items()))
        return str(deployment["metadata"]["name"]).removesuffix(f"-{dns(model)}")

    @cached_property
    def driver_pod(self) -> Object:
        """The template of a driver's pod (helm/sweetspot/templates/experiments.yaml). Raises ClusterError."""
        name = f"{self.first}-driver"
        try:
            found: Object = yaml.safe_load(self.api.get("configmaps", name)["data"]["pod.yaml"])
        except NotThereError:
            raise ClusterError(
                f"release {self.name} has no ConfigMap {name}, from which load Jobs are made; "
                f"try: {self.upgrade('experiments.enabled=true')}"
            ) from None
        return found

    def jaeger(self) -> str | None:
        """The Service of the release's own Jaeger, if it has one."""
        services: list[Any] = self.api.select("services", self.labels("jaeger"))
        return services[0]["metadata"]["name"] if services else None


def target(first: str, model: str, balance: str) -> str:
    """HOST:PORT for the driver, in a release whose names begin so."""
    headless = "" if balance == "cluster-ip" else "-headless"
    return f"{first}-{dns(model)}{headless}:{GRPC_PORT}"


def _same(found: str, value: str | float) -> bool:
    """The variable holds this value: 2 is 2.0."""
    if isinstance(value, str):
        return found == value
    try:
        return float(found) == value
    except ValueError:
        return False
