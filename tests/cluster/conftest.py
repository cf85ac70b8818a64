"""A real cluster, for tests that nothing less would prove.

Which one is said by SWEETSPOT_TEST_KUBECONFIG and never guessed: they fill it and empty it without asking.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

VARIABLE = "SWEETSPOT_TEST_KUBECONFIG"
DEPLOY_TIMEOUT_S = 900
"""For building the images of all models, one after the other, and for all pods to be ready."""
MODELS = ("thread_pool", "reactor", "grpcio_asyncio")
"""For tests that need some model: threads, a loop, and a baseline with a package of its own."""


SMALL = ("--set", "defaults.cpu=100m", "--set", "jaeger.cpu=100m")
"""So that every model fits beside the others into two nodes of two cores."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster, through the programs that a person uses."""

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

    @property
    def tag(self) -> str:
        """Of its images, which are on the nodes."""
        image = self.kubectl("get", "deployment", f"{self.name}-backend", "--output", "jsonpath={..image}")
        return image.rpartition(":")[2]

    @property
    def flags(self) -> tuple[str, ...]:
        """What names it to our own commands."""
        return ("--release", self.name, "--namespace", self.namespace)


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
def release(cluster: Cluster) -> Iterator[Release]:
    """Some models, deployed as a person deploys them; gone without a rest afterwards."""
    made = Release(cluster, "sweetspot", f"sweetspot-test-{os.getpid()}")
    small = ("--set", "defaults.cpu=200m", "--set", "jaeger.cpu=200m")
    try:
        done = cluster.deploy("deploy", *made.flags, "--models", ",".join(MODELS), *small)
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
    finally:
        done = cluster.deploy("undeploy", *made.flags)
    assert done.returncode == 0, done.stderr
    assert not cluster.kubectl("get", "namespace", made.namespace, "--ignore-not-found")


@pytest.fixture(scope="session")
def everything(cluster: Cluster) -> Iterator[Release]:
    """Every model, one pod each."""
    made = Release(cluster, "every", f"sweetspot-every-{os.getpid()}")
    try:
        done = cluster.deploy("deploy", *made.flags, *SMALL)
        assert done.returncode == 0, done.stdout + done.stderr
        yield replace(made, said=done.stdout)
    finally:
        cluster.deploy("undeploy", *made.flags)
