"""The chart as a release in a namespace: installed, looked at when it does not come up, and removed without a rest.

Asks helm and kubectl, which know the cluster from the current context. Must not know how images come to be.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.deploy.images import ROOT
from tools.deploy.programs import DeployError, ProgramError, ask, last_line, need
from tools.deploy.trouble import still_leaving, troubles

CHART = ROOT / "helm" / "sweetspot"
MADE_HERE = "sweetspot.dev/made-by"
"""Label of a namespace that `deploy` made, so that `undeploy` may remove it."""

REMOVE_TIMEOUT_S = 180.0
"""Pods finish their calls before they go."""

_OF_EVERY_NAMESPACE = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
_GO_WITH_OTHERS = {"events", "endpoints", "endpointslices", "replicasets", "controllerrevisions"}
"""Kinds whose objects follow others, some seconds later."""


@dataclass(frozen=True, slots=True)
class Release:
    """One installation of the chart."""

    name: str
    namespace: str

    def kubectl(self, *arguments: str, timeout_s: float = 20.0) -> str:
        """Raises ProgramError."""
        return ask("kubectl", "--namespace", self.namespace, *arguments, timeout_s=timeout_s)

    @property
    def selector(self) -> str:
        """What its objects, and those of its load Jobs, have in common."""
        return f"app.kubernetes.io/name=sweetspot,app.kubernetes.io/instance={self.name}"

    def check_values(self, settings: Sequence[str]) -> None:
        """Raises DeployError where the chart refuses them."""
        try:
            ask("helm", "template", self.name, str(CHART), "--namespace", self.namespace, *settings)
        except ProgramError as error:
            raise DeployError(refusal(error.said, self.name, self.namespace) or last_line(error.said)) from None

    def install(self, settings: Sequence[str], timeout_s: float) -> None:
        """Makes the cluster as the chart and the settings say, and waits until it is. Raises DeployError."""
        self._make_namespace()
        command = ("helm", "upgrade", "--install", self.name, str(CHART), "--namespace", self.namespace)
        try:
            ask(*command, *settings, "--wait", "--timeout", f"{timeout_s:.0f}s", timeout_s=timeout_s + 30)
        except ProgramError as error:
            raise DeployError(self._why(error.said)) from None

    def remove(self, say: Callable[[str], None]) -> None:
        """Uninstalls it, removes what its Jobs left, and the namespace if `install` made it. Raises DeployError."""
        namespace = self._namespace()
        if not namespace:
            say(f"there is no namespace {self.namespace}: nothing to remove")
            return
        try:
            self._remove(namespace, say)
        except ProgramError as error:
            raise DeployError("\n".join(still_leaving(self._pods()) or [str(error)])) from None

    def _remove(self, namespace: Mapping[str, Any], say: Callable[[str], None]) -> None:
        here = ("--namespace", self.namespace)
        ask("helm", "uninstall", self.name, *here, "--ignore-not-found", "--wait", timeout_s=REMOVE_TIMEOUT_S)
        own = ("--selector", self.selector, "--ignore-not-found")
        self.kubectl("delete", "jobs,pods,configmaps,leases", *own, timeout_s=REMOVE_TIMEOUT_S)
        say(f"nothing is left of release {self.name} in namespace {self.namespace}")
        if namespace["metadata"].get("labels", {}).get(MADE_HERE) != "deploy":
            return
        others = self._others()
        if others:
            say(f"namespace {self.namespace} stays, for it holds {', '.join(sorted(others))}")
            return
        ask("kubectl", "delete", "namespace", self.namespace, "--wait", timeout_s=REMOVE_TIMEOUT_S)
        say(f"namespace {self.namespace} is removed")

    def _others(self) -> set[str]:
        """What is in the namespace, of every kind that the cluster knows."""
        kinds = ask("kubectl", "api-resources", "--namespaced", "--verbs=list,delete", "--output", "name").split()
        kinds = [kind for kind in kinds if kind.partition(".")[0] not in _GO_WITH_OTHERS]
        found = self.kubectl("get", ",".join(kinds), "--output", "name", timeout_s=REMOVE_TIMEOUT_S)
        return set(found.split()) - _OF_EVERY_NAMESPACE

    def _namespace(self) -> dict[str, Any]:
        """The namespace's object; empty where there is none."""
        text = ask("kubectl", "get", "namespace", self.namespace, "--ignore-not-found", "--output", "json")
        found: dict[str, Any] = json.loads(text) if text.strip() else {}
        return found

    def _make_namespace(self) -> None:
        if self._namespace():
            return
        ask("kubectl", "create", "namespace", self.namespace)
        restricted = "pod-security.kubernetes.io/enforce=restricted"
        ask("kubectl", "label", "namespace", self.namespace, f"{MADE_HERE}=deploy", restricted)

    def _why(self, said: str) -> str:
        """What helm says, in words that name the object and the next step."""
        return refusal(said, self.name, self.namespace) or self._why_not_ready(said)

    def _why_not_ready(self, said: str) -> str:
        pods = self._pods()
        lines = troubles(pods, {pod["metadata"]["name"]: self._last_words(pod) for pod in pods})
        left = f"release {self.name} is left in namespace {self.namespace} as far as it came: make undeploy removes it"
        return "\n".join([*(lines or [f"helm: {last_line(said)}"]), left])

    def _pods(self) -> list[dict[str, Any]]:
        listed = self.kubectl("get", "pods", "--selector", self.selector, "--output", "json")
        pods: list[dict[str, Any]] = json.loads(listed)["items"]
        return pods

    def _last_words(self, pod: dict[str, Any]) -> str:
        """The last line of the pod's log, of the run before where there was one."""
        name = pod["metadata"]["name"]
        restarted = any(container["restartCount"] for container in pod["status"].get("containerStatuses", ()))
        try:
            said = self.kubectl("logs", name, "--tail=1", *(["--previous"] if restarted else []))
        except ProgramError:
            return ""
        return said.strip()


def refusal(said: str, release: str, namespace: str) -> str | None:
    """A message for what helm refused before it made anything; None where it did make something.

    said: helm's standard error.
    """
    if "values don't meet the specifications" in said:
        wrong = re.findall(r"^- (.*)$", said, re.MULTILINE)
        return "\n".join([*dict.fromkeys(f"values: {line}" for line in wrong), f"next: {_explain_values()}"])
    failed = re.search(r"execution error at \([^)]*\): (.*)", said)
    if failed:
        return f"values: {failed[1]}; next: {_explain_values()}"
    foreign = re.search(r"(\w+) \"([^\"]+)\" in namespace \"[^\"]*\" exists and cannot be imported", said)
    if foreign:
        return (
            f"{foreign[1]} {foreign[2]} in namespace {namespace} is somebody else's; "
            "next: make deploy NAMESPACE=another, or RELEASE=another"
        )
    if "is forbidden" in said:
        what = re.search(r"(\S+) is forbidden: User \"([^\"]+)\" cannot (\w+)", said)
        who = f"user {what[2]} may not {what[3]} {what[1].strip(':')}" if what else last_line(said)
        return f"{who} in namespace {namespace}; next: kubectl auth can-i --list --namespace {namespace}"
    if "another operation" in said:
        return (
            f"release {release} in namespace {namespace} is being changed, or a change of it was cut short; "
            f"next: wait, or helm rollback {release} --namespace {namespace}"
        )
    return None


def current_context() -> str:
    """The context that kubectl and helm use, whose cluster answers. Raises DeployError."""
    need("kubectl", "next: https://kubernetes.io/docs/tasks/tools")
    need("helm", "next: https://helm.sh/docs/intro/install")
    try:
        context = ask("kubectl", "config", "current-context").strip()
    except ProgramError:
        raise DeployError(
            "kubectl has no current context: which cluster? next: make cluster, or kubectl config use-context NAME"
        ) from None
    try:
        ask("kubectl", "get", "--raw", "/version", "--request-timeout", "10s")
    except ProgramError as error:
        raise DeployError(
            f"context {context}: no cluster answers ({last_line(error.said)}); "
            "next: start it, make cluster, or kubectl config use-context NAME"
        ) from None
    return context


def check_permission(context: str, release: Release) -> None:
    """Raises DeployError where the person may not do what installing takes."""
    for verb, kind in (("create", "deployments.apps"), ("create", "services"), ("create", "secrets")):
        try:
            ask("kubectl", "auth", "can-i", verb, kind, "--namespace", release.namespace)
        except ProgramError:
            raise DeployError(
                f"context {context}: its user may not {verb} {kind} in namespace {release.namespace}; "
                f"next: kubectl auth can-i --list --namespace {release.namespace}, or make deploy NAMESPACE=another"
            ) from None


def _explain_values() -> str:
    return f"helm show values {CHART.relative_to(ROOT)}"
