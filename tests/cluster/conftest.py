"""A real cluster, for tests that would prove nothing without one.

SWEETSPOT_TEST_KUBECONFIG names the cluster. It is never guessed, because the tests fill and empty it without asking.
The report of a failed test shows its namespaces as they were before their removal: pods, events and logs.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

VARIABLE, POWER = "SWEETSPOT_TEST_KUBECONFIG", "NODE_POWER"
DEPLOY_TIMEOUT_S = 900
"""For building the images of all models, one after the other, and for all pods to be ready."""
MODELS = ("thread_pool", "reactor", "grpcio_asyncio")
"""For tests that need some model: threads, a loop, and a baseline with a package of its own."""


SMALL = ("--set", "defaults.cpu=100m", "--set", "jaeger.cpu=100m")
"""So that every model fits beside the others into two nodes of two cores."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster, through the programs that a user has."""

    kubeconfig: str

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"KUBECONFIG": self.kubeconfig}

    def run(self, *command: str, timeout_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, capture_output=True, text=True, env=self.environment, timeout=timeout_s, check=False
        )

    def ask(self, *command: str, timeout_s: float = 60.0) -> str:
        """What it prints; it has to end well."""
        done = self.run(*command, timeout_s=timeout_s)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def kubectl(self, *arguments: str, timeout_s: float = 60.0) -> str:
        return self.ask("kubectl", *arguments, timeout_s=timeout_s)

    def apply(self, namespace: str, *objects: Mapping[str, Any]) -> None:
        """Applies these objects. Those that need a namespace are in `namespace`."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        command = ("kubectl", "--namespace", namespace, "apply", "--filename", "-")
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, env=self.environment, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr

    def tell(self, namespace: str) -> str:
        """The state of its pods, their events, and the last lines of their logs."""
        here = ("--namespace", namespace)
        told = [self.kubectl("get", "pods,jobs", *here, "--output=wide")]
        told += [self.kubectl("get", "events", *here, "--sort-by=.lastTimestamp", "--no-headers")]
        for pod in self.kubectl("get", "pods", *here, "--output=name").split():
            for which in ("--previous=false", "--previous"):
                done = self.run("kubectl", "logs", pod, *here, "--tail=25", which)
                told += [f"{pod} {which}\n{done.stdout}"] if done.stdout else []
        return "\n".join(told)

    def deploy(self, command: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What `make deploy` and its like run."""
        return self.run(sys.executable, "-m", "tools.deploy", command, *arguments, timeout_s=DEPLOY_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Release:
    """A release of the chart, in a namespace of its own."""

    cluster: Cluster
    name: str
    namespace: str
    said: str = ""
    """By the command that deployed it."""

    def kubectl(self, *arguments: str, timeout_s: float = 60.0) -> str:
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, timeout_s=timeout_s)

    def log(self, pod: str, *flags: str) -> str:
        """What the pod has printed. Empty while its container is being created, and after the pod has been deleted."""
        return self.cluster.run("kubectl", "--namespace", self.namespace, "logs", pod, *flags).stdout

    @property
    def tag(self) -> str:
        """Of its images, which are on the nodes."""
        image = self.kubectl("get", "deployment", f"{self.name}-backend", "--output", "jsonpath={..image}")
        return image.rpartition(":")[2]

    @property
    def flags(self) -> tuple[str, ...]:
        """What names it to our own commands."""
        return ("--release", self.name, "--namespace", self.namespace)


def namespace_of(what: str) -> str:
    """A namespace of this process, so that two can test on one cluster."""
    return f"sweetspot-{what}-{os.getpid()}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and VARIABLE in os.environ:
        cluster = Cluster(os.environ[VARIABLE])
        there = cluster.kubectl("get", "namespaces", "--output=name").replace("namespace/", "").split()
        others = {namespace_of(each) for each in ("release", "everything") if each not in item.fixturenames}
        for namespace in there:
            if namespace.endswith(f"-{os.getpid()}") and namespace not in others:
                report.sections.append((f"namespace {namespace}", cluster.tell(namespace)))
    return report


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    kubeconfig = os.environ.get(VARIABLE)
    if kubeconfig is None:
        pytest.skip(f"no test cluster: {VARIABLE} names the kubeconfig of one that may be filled and emptied")
    assert Path(kubeconfig).is_file(), f"{VARIABLE}: there is no file {kubeconfig}"
    missing = [program for program in ("kubectl", "helm") if shutil.which(program) is None]
    assert not missing, f"{VARIABLE} is set, but {', '.join(missing)} is not on the PATH"
    return Cluster(kubeconfig)


@pytest.fixture(scope="session")
def release(cluster: Cluster, request: pytest.FixtureRequest) -> Release:
    """Some models, deployed as a user deploys them. They are removed completely afterwards."""
    made = Release(cluster, "sweetspot", namespace_of("release"))
    request.addfinalizer(lambda: remove(made))  # noqa: PT021  (where it does not come up, it is looked at first)
    small = ("--set", "defaults.cpu=200m", "--set", "jaeger.cpu=200m")
    done = cluster.deploy("deploy", *made.flags, "--models", ",".join(MODELS), *small)
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture(scope="session")
def everything(cluster: Cluster, request: pytest.FixtureRequest) -> Release:
    """Every model, one pod each."""
    made = Release(cluster, "every", namespace_of("everything"))
    request.addfinalizer(lambda: remove(made))  # noqa: PT021  (where it does not come up, it is looked at first)
    done = cluster.deploy("deploy", *made.flags, *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    return replace(made, said=done.stdout)


@pytest.fixture
def another(cluster: Cluster) -> Iterator[Callable[[str], Release]]:
    """Names further releases, each in a namespace of its own, and removes what a test has made of them."""
    named: list[Release] = []

    def name(what: str) -> Release:
        named.append(Release(cluster, "sweetspot", namespace_of(what)))
        return named[-1]

    yield name
    for each in named:
        remove(each)


def remove(made: Release) -> None:
    """Without a rest."""
    done = made.cluster.deploy("undeploy", *made.flags, "--with-results")
    assert done.returncode == 0, done.stderr
    assert not made.cluster.kubectl("get", "namespace", made.namespace, "--ignore-not-found")


@pytest.fixture
def power(cluster: Cluster) -> Iterator[Callable[[str], str]]:
    """Turns the power of the second node `off` or `on`, and names the node; in the end it is on."""
    command = os.environ.get(POWER)
    if command is None:
        pytest.skip(f"no node to lose: {POWER} names the command that is given off|on and a node's number")
    node = cluster.kubectl("get", "nodes", "--output=name").split()[1].removeprefix("node/")

    def turn(state: str) -> str:
        cluster.ask(*shlex.split(command), state, "2")
        if state == "on":
            cluster.kubectl("wait", f"node/{node}", "--for=condition=Ready", "--timeout=300s", timeout_s=330)
        return node

    yield turn
    turn("on")
