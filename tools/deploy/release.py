"""The chart as a release in a namespace: installs it, finds out why it is not ready, and removes it.

Results of runs stay unless their removal is asked for. Must not know how images are built.
"""

import json
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import yaml

from tools.cluster.room import asked, lacking, left_on
from tools.deploy.images import ROOT
from tools.deploy.programs import DeployError, ProgramError, ask, last_line, need
from tools.deploy.release_commands import ReleaseCommands
from tools.deploy.trouble import ask_for_less, ready_pods, refusals, still_leaving, troubles

CHART = ROOT / "helm" / "sweetspot"
MADE_HERE = "sweetspot.dev/made-by"
"""Label of a namespace that `deploy` made, so that `undeploy` may remove it."""
RESULT_LABEL = "sweetspot.dev/kind"
"""Label of what runs store (tools/cluster/store.py)."""

REMOVE_TIMEOUT_S = 180.0
"""Pods finish their calls before they end."""
GONE_TIMEOUT_S = 10.0
"""Time until deleted objects no longer exist."""
_LOOK_AGAIN_S = 1.0
_CONFLICT = "conflict with "
"""Helm 4 prints it if another owns a field (kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts)."""

_OF_EVERY_NAMESPACE = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
_GO_WITH_OTHERS = {"events", "endpoints", "endpointslices", "replicasets", "controllerrevisions"}
"""Kinds whose objects are deleted with others, some seconds later."""
_LOAD = "jobs,pods,leases"
"""Kinds that load Jobs leave, beside results."""
KINDS = (
    "deployments,services,serviceaccounts,configmaps,roles,rolebindings,networkpolicies,poddisruptionbudgets,"
    f"horizontalpodautoscalers,{_LOAD}"
)
"""Kinds that the chart and load Jobs make."""


@dataclass(frozen=True, slots=True)
class Installation(ReleaseCommands):
    """One installation of the chart."""

    @property
    def selector(self) -> str:
        """The labels that its objects, and those of its load Jobs, have in common."""
        return f"app.kubernetes.io/name=sweetspot,app.kubernetes.io/instance={self.name}"

    @property
    def results(self) -> str:
        """The labels that the ConfigMaps of runs have in common (tools/cluster/store.py)."""
        return f"{self.selector},{RESULT_LABEL}"

    def check_values(self, settings: Sequence[str]) -> str:
        """The chart, rendered with those settings. Raises DeployError if the chart rejects them."""
        try:
            return self.helm("template", self.name, str(CHART), *settings)
        except ProgramError as error:
            raise DeployError(refusal(error.output, self) or last_line(error.output)) from None

    def nodes(self) -> list[Any]:
        """All nodes; none if this user may not read them."""
        return self._items("nodes")

    def lacking_room(self, chart: str) -> str:
        """A warning that nodes may have no room for the rendered chart, and what to set; empty if they have room."""
        nodes = self.nodes()
        if not nodes:
            return ""
        objects = [each for each in yaml.safe_load_all(chart) if each and each["kind"] == "Deployment"]
        pods = [each["spec"]["template"]["spec"] for each in objects for _ in range(each["spec"].get("replicas", 1))]
        # Those of the release make room for the new ones.
        others = [pod for pod in self._items("pods", "--all-namespaces") if not self._owns(pod["metadata"])]
        # Those of all its pods: a model may have its own, and a missing warning is better than a false one.
        tolerations = [each for pod in pods for each in pod.get("tolerations", ())]
        lack = lacking(left_on(nodes, others, tolerations), [asked(pod) for pod in pods])
        return f"warning: {lack}; continuing; next: {ask_for_less(self)}" if lack else ""

    def install(self, settings: Sequence[str], timeout_s: float, notify: Callable[[str], None]) -> None:
        """Installs the chart with those settings, and waits until it is ready. Raises DeployError."""
        self._make_namespace()
        notify(f"installing release {self.name} in namespace {self.namespace}")
        command = ("upgrade", "--install", self.name, str(CHART), *settings)
        command += ("--wait", "--timeout", f"{timeout_s:.0f}s")
        try:
            try:
                self._install(command, timeout_s, notify)
            except ProgramError as error:
                if _CONFLICT not in error.output:
                    raise
                notify("helm takes over fields that other programs changed")
                self._install((*command, "--force-conflicts"), timeout_s, notify)
        except ProgramError as error:
            raise DeployError(self._why(error.output)) from None

    def _install(self, command: Sequence[str], timeout_s: float, notify: Callable[[str], None]) -> None:
        """Runs helm, and reports how many pods are ready and why others have no node. Raises ProgramError."""
        output = {""}
        with ThreadPoolExecutor(1) as thread:
            helm = thread.submit(self.helm, *command, timeout_s=timeout_s + 30)
            while not wait([helm], timeout=_LOOK_AGAIN_S).done:
                deployments = self._items("deployments", "--selector", self.selector)
                for line in (
                    ready_pods(deployments),
                    *refusals(self._items("pods", "--selector", self.selector), deployments, self),
                ):
                    if line not in output:
                        output.add(line)
                        notify(line)
            helm.result()

    def _items(self, *what: str) -> list[Any]:
        """What kubectl lists; empty if this user may not read it."""
        try:
            items: list[Any] = json.loads(self.kubectl("get", *what, "--output", "json") or "{}").get("items", [])
        except ProgramError:
            return []
        return items

    def _owns(self, metadata: Mapping[str, Any]) -> bool:
        selected = (pair.split("=") for pair in self.selector.split(","))
        labels = metadata.get("labels", {})
        return bool(metadata["namespace"] == self.namespace and all(labels.get(key) == it for key, it in selected))

    def notes(self) -> str:
        """What to do next: the chart's notes, which are for kubectl's current context. Raises ProgramError."""
        notes = self.helm("get", "notes", self.name).removeprefix("NOTES:\n").rstrip()
        switch = f"  kubectl config use-context {shlex.quote(self.context)}\n"
        return notes if self.context == current_context() else f"{switch}{notes}"

    def remove(self, notify: Callable[[str], None], *, with_results: bool) -> None:
        """Uninstalls it and removes what its Jobs left, and the namespace if `install` made it and it is empty.

        Raises DeployError, also if an object of the release is left.
        """
        namespace = self._namespace()
        if not namespace:
            notify(f"there is no namespace {self.namespace} in {self.context}: nothing to remove")
            return
        try:
            self._remove(notify, with_results=with_results)
            if namespace["metadata"].get("labels", {}).get(MADE_HERE) == "deploy":
                self._remove_namespace(notify)
        except ProgramError as error:
            raise DeployError("\n".join(still_leaving(self._pods(), self) or [str(error)])) from None

    def _remove(self, notify: Callable[[str], None], *, with_results: bool) -> None:
        was_there = self._listed("secrets", f"owner=helm,name={self.name}") or self._listed(
            KINDS, f"{self.selector},!{RESULT_LABEL}"
        )
        self.helm("uninstall", self.name, "--ignore-not-found", "--wait", timeout_s=REMOVE_TIMEOUT_S)
        self._delete(_LOAD, self.selector)
        results = self._listed("configmaps", self.results)
        if with_results:
            self._delete("configmaps", self.results)
        left = self._left_after(GONE_TIMEOUT_S, set() if with_results else results)
        if left:
            names = " ".join(sorted(left))
            raise DeployError(
                f"objects of release {self.name} remain in namespace {self.namespace} of {self.context}: {names}; "
                f"next: {self.kubectl_command(f'delete {names}')}"
            )
        where = f"namespace {self.namespace} of {self.context}"
        notify(
            f"release {self.name} is removed from {where}"
            if was_there
            else f"there is no release {self.name} in {where}"
        )
        if results and with_results:
            notify(f"results are removed: {len(results)} ConfigMaps")
        elif results:
            notify(
                f"results remain: {len(results)} ConfigMaps, which sweetspot results list --namespace {self.namespace} "
                f"--release {self.name} shows; to delete them: {self.make('undeploy', 'ARGS=--with-results')}"
            )

    def _left_after(self, timeout_s: float, wanted: set[str]) -> set[str]:
        """The objects of the release that are left after that time or earlier, without the wanted ones."""
        deadline_s = time.monotonic() + timeout_s
        while (left := self._listed(KINDS, self.selector) - wanted) and time.monotonic() < deadline_s:
            time.sleep(_LOOK_AGAIN_S)
        return left

    def _delete(self, kinds: str, selector: str) -> None:
        self.kubectl("delete", kinds, "--selector", selector, "--ignore-not-found", timeout_s=REMOVE_TIMEOUT_S)

    def _listed(self, kinds: str, selector: str) -> set[str]:
        """KIND/NAME of each."""
        return set(self.kubectl("get", kinds, "--selector", selector, "--output", "name").split())

    def _remove_namespace(self, notify: Callable[[str], None]) -> None:
        others = self._others()
        results = self._listed("configmaps", self.results)
        if others:
            named = sorted(others - results) + [f"results ({len(results)} ConfigMaps)"] * bool(results)
            notify(f"namespace {self.namespace} stays, for it holds {', '.join(named)}")
            return
        self.kubectl("delete", "namespace", self.namespace, "--wait", timeout_s=REMOVE_TIMEOUT_S)
        notify(f"namespace {self.namespace} is removed")

    def _others(self) -> set[str]:
        """The objects in the namespace, of all kinds that the cluster has."""
        kinds = self.kubectl("api-resources", "--namespaced", "--verbs=list,delete", "--output", "name").split()
        kinds = [kind for kind in kinds if kind.partition(".")[0] not in _GO_WITH_OTHERS]
        found = self.kubectl("get", ",".join(kinds), "--output", "name", timeout_s=REMOVE_TIMEOUT_S)
        return set(found.split()) - _OF_EVERY_NAMESPACE

    def _namespace(self) -> dict[str, Any]:
        """The namespace's object; empty if there is none."""
        text = self.kubectl("get", "namespace", self.namespace, "--ignore-not-found", "--output", "json")
        found: dict[str, Any] = json.loads(text) if text.strip() else {}
        return found

    def _make_namespace(self) -> None:
        if self._namespace():
            return
        self.kubectl("create", "namespace", self.namespace)
        restricted = "pod-security.kubernetes.io/enforce=restricted"
        self.kubectl("label", "namespace", self.namespace, f"{MADE_HERE}=deploy", restricted)

    def _why(self, output: str) -> str:
        """Helm's error, in words that name the object and the next step."""
        return refusal(output, self) or self._why_not_ready(output)

    def _why_not_ready(self, output: str) -> str:
        pods = self._pods()
        lines = refusals([], self._items("deployments", "--selector", self.selector), self)
        lines += troubles(pods, {pod["metadata"]["name"]: self._last_words(pod) for pod in pods}, self)
        left = f"release {self.name} is only partly installed; to remove it: {self.make('undeploy')}"
        return "\n".join([f"helm: {_error(output)}", *lines, left])

    def _pods(self) -> list[dict[str, Any]]:
        listed = self.kubectl("get", "pods", "--selector", self.selector, "--output", "json")
        pods: list[dict[str, Any]] = json.loads(listed)["items"]
        return pods

    def _last_words(self, pod: dict[str, Any]) -> str:
        """The last line of the pod's log; if it was restarted, of the log before that."""
        name = pod["metadata"]["name"]
        restarted = any(container["restartCount"] for container in pod["status"].get("containerStatuses", ()))
        try:
            output = self.kubectl("logs", name, "--tail=1", *(["--previous"] if restarted else []))
        except ProgramError:
            return ""
        return output.strip()


def _error(output: str) -> str:
    """Helm's error with all its lines, without what helm wrote before it."""
    return output[max(output.find("Error: "), 0) :].removeprefix("Error: ").strip() or "it printed nothing"


def refusal(output: str, release: ReleaseCommands) -> str | None:
    """A message for what helm rejected before it made anything; None if it did make something.

    `output` is helm's standard error.
    """
    if "values don't meet the specifications" in output:
        wrong = re.findall(r"^- (.*)$", output, re.MULTILINE)
        return "\n".join([*dict.fromkeys(f"values: {line}" for line in wrong), f"next: {_explain_values()}"])
    failed = re.search(r"execution error at \([^)]*\): (.*)", output)
    if failed:
        return f"values: {failed[1]}; next: {_explain_values()}"
    foreign = re.search(r"(\w+) \"([^\"]+)\" in namespace \"[^\"]*\" exists and cannot be imported", output)
    if foreign:
        return (
            f"{foreign[1]} {foreign[2]} in namespace {release.namespace} belongs to another release; next: "
            f"{release.make('deploy', namespace='another')}, or {release.make('deploy', name='another')}"
        )
    if "is forbidden" in output:
        what = re.search(r"(\S+) is forbidden: User \"([^\"]+)\" cannot (\w+)", output)
        who = f"user {what[2]} may not {what[3]} {what[1].strip(':')}" if what else last_line(output)
        return f"{who} in namespace {release.namespace}; next: {release.kubectl_command('auth can-i --list')}"
    if "another operation" in output:
        return (
            f"release {release.name} in namespace {release.namespace} is locked by a running or interrupted change; "
            f"next: wait, or {release.helm_command(f'rollback {release.name}')}"
        )
    return None


def reachable_context(asked: str) -> str:
    """That context, or the current one if it is empty; its cluster answers. Raises DeployError."""
    need("kubectl", "next: https://kubernetes.io/docs/tasks/tools")
    need("helm", "next: https://helm.sh/docs/intro/install")
    context = asked or current_context()
    if not context:
        raise DeployError("kubectl has no current context; next: make cluster, or kubectl config use-context NAME")
    try:
        ask("kubectl", "--context", context, "get", "--raw", "/version", "--request-timeout", "10s")
    except ProgramError as error:
        raise DeployError(
            f"context {context}: no cluster answers ({last_line(error.output)}); "
            "next: start it, make cluster, or kubectl config use-context NAME"
        ) from None
    return context


def current_context() -> str:
    """Of kubectl; empty if there is none."""
    try:
        return ask("kubectl", "config", "current-context").strip()
    except ProgramError:
        return ""


def check_permission(release: ReleaseCommands) -> None:
    """Raises DeployError if the user has no permission for what an installation needs."""
    for verb, kind in (("create", "deployments.apps"), ("create", "services"), ("create", "secrets")):
        try:
            release.kubectl("auth", "can-i", verb, kind)
        except ProgramError:
            raise DeployError(
                f"context {release.context}: its user may not {verb} {kind} in namespace {release.namespace}; "
                f"next: {release.kubectl_command('auth can-i --list')}, "
                f"or {release.make('deploy', namespace='another')}"
            ) from None


def _explain_values() -> str:
    return f"helm show values {CHART.relative_to(ROOT)}"
