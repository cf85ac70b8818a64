"""Every model is deployed as a user does it, on a real cluster with restricted Pod Security, and is removed again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.models import MODELS
from tests.cluster.conftest import SMALL, Cluster, Release
from tools.deploy.release import MADE_HERE

pytestmark = pytest.mark.timeout(1200)


def test_every_model_is_ready_where_pods_may_do_nothing_special(everything: Release) -> None:
    made = everything
    enforced = made.cluster.kubectl("get", "namespace", made.namespace, "--output", "json")
    assert json.loads(enforced)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = json.loads(made.kubectl("get", "pods", "--output", "json"))["items"]
    ready = {
        pod["metadata"]["labels"].get("sweetspot.dev/model")
        for pod in pods
        if {"type": "Ready", "status": "True"}.items() <= _condition(pod, "Ready").items()
    }
    assert ready == {*MODELS, None}
    assert not [event["message"] for event in _events(made) if event["reason"] == "FailedCreate"]


def test_deploying_ends_with_the_next_three_commands(everything: Release) -> None:
    made = everything
    _, *commands = made.said[made.said.index("release every is ready") :].splitlines()
    assert [command.split()[0] for command in commands] == ["sweetspot", "kubectl", "sweetspot"]
    assert all(made.namespace in command for command in commands)


def test_each_service_passes_the_conformance_suite_and_what_is_none_does_not(everything: Release) -> None:
    made = everything
    done = made.cluster.run("helm", "test", made.name, "--namespace", made.namespace, "--timeout", "5m", timeout_s=400)
    assert done.returncode == 0, done.stderr + made.kubectl("logs", f"{made.name}-conformance", "--tail=40")
    assert done.stdout.count("Phase:          Succeeded") == 2


def test_deploying_again_restarts_nothing(everything: Release) -> None:
    made = everything
    before = made.kubectl("get", "pods", "--output", "name")
    assert made.cluster.deploy("deploy", *made.flags, "--tag", made.tag, *SMALL).returncode == 0
    assert made.kubectl("get", "pods", "--output", "name") == before


IN_A_CONTAINER = {
    "it is nobody": ("import os; print(os.getuid())", "65532"),
    "it cannot write": ("import os; print(os.access('/', os.W_OK), os.access('/app', os.W_OK))", "False False"),
    "it has no pip": ("import importlib.util as u; print(u.find_spec('pip'))", "None"),
    "it has no compiler": ("import shutil; print(shutil.which('cc') or shutil.which('gcc'))", "None"),
    "it has no token": ("import os; print(os.path.exists('/var/run/secrets/kubernetes.io'))", "False"),
    "it has no Service among its variables": (
        "import os; print('SWEETSPOT_PORT' in os.environ and os.environ['SWEETSPOT_PORT'])",
        "50051",
    ),
}


@pytest.mark.parametrize(("code", "printed"), IN_A_CONTAINER.values(), ids=IN_A_CONTAINER)
def test_a_container_has_nothing_that_it_does_not_need(release: Release, code: str, printed: str) -> None:
    assert _in_a_container(release, "reactor", code) == printed


def test_an_image_has_only_its_models_file_and_packages(release: Release) -> None:
    files = "import os; print(*sorted(n for n in os.listdir('/app/services/models') if not n.startswith('_')))"
    grpcio = "import importlib.util as u; print(u.find_spec('grpc') is not None)"
    ring = "import importlib.util as u; print(u.find_spec('services.runtime.proactor') is not None)"
    assert _in_a_container(release, "reactor", files) == "reactor.py"
    assert _in_a_container(release, "grpcio-asyncio", files) == "grpcio_asyncio.py"
    assert _in_a_container(release, "reactor", grpcio) == _in_a_container(release, "reactor", ring) == "False"
    assert _in_a_container(release, "grpcio-asyncio", grpcio) == "True"


def _in_a_container(release: Release, model: str, code: str) -> str:
    return release.kubectl("exec", f"deployment/{release.name}-{model}", "--", "python", "-c", code).strip()


@pytest.mark.usefixtures("cluster")
def test_no_cluster_is_said_with_its_context(tmp_path: Path) -> None:
    config = tmp_path / "config"
    nobody = Cluster(str(config))
    nobody.kubectl("config", "set-cluster", "gone", "--server=https://127.0.0.1:9")
    nobody.kubectl("config", "set-context", "my-context", "--cluster=gone")
    assert "kubectl has no current context" in nobody.deploy("deploy").stderr
    nobody.kubectl("config", "use-context", "my-context")
    done = nobody.deploy("deploy")
    assert done.returncode == 2
    assert "context my-context: no cluster answers" in done.stderr
    assert "make cluster" in done.stderr


def test_what_makes_no_sense_is_refused_before_anything_is_made(
    cluster: Cluster, another: Callable[[str], Release]
) -> None:
    mine = another("nothing")
    done = cluster.deploy("deploy", *mine.flags, "--models", "reactor", "--set", "defaults.replicas=-1")
    assert done.returncode == 2
    assert "/defaults/replicas" in done.stderr
    assert "helm show values" in done.stderr
    assert not cluster.kubectl("get", "namespace", mine.namespace, "--ignore-not-found")


STUCK = {
    "no node has the cores": ("defaults.cpu=1000", "is Pending", "Insufficient cpu"),
    "no image": ("image.tag=no-such-tag", "no image", "make deploy"),
    "too little memory": ("models.reactor.memory=16Mi", "exceeded its memory limit", "defaults.memory"),
}


@pytest.mark.parametrize(("setting", "object_", "next_"), STUCK.values(), ids=STUCK)
def test_pods_that_do_not_come_up_are_named_in_time(
    release: Release, another: Callable[[str], Release], setting: str, object_: str, next_: str
) -> None:
    flags = ("--tag", release.tag, "--models", "reactor", "--timeout", "15", *SMALL, "--set", setting)
    stuck = another("stuck")
    done = stuck.cluster.deploy("deploy", *stuck.flags, *flags)
    assert done.returncode == 2
    assert object_ in done.stderr
    assert next_ in done.stderr
    assert "helm: " in done.stderr
    assert f"make undeploy RELEASE={stuck.name} NAMESPACE={stuck.namespace} CONTEXT=" in done.stderr


def test_a_pod_that_is_denied_its_ring_says_so_and_is_not_ready(
    everything: Release, another: Callable[[str], Release]
) -> None:
    denied = another("denied")
    profile = (
        "type=Localhost",
        "localhostProfile=no-io-uring.json",
    )  # in the seccomp/ folder of a test cluster's nodes
    settings = [word for part in profile for word in ("--set", f"models.proactor.seccompProfile.{part}")]
    flags = ("--tag", everything.tag, "--models", "proactor", "--timeout", "20", *SMALL, *settings)
    done = denied.cluster.deploy("deploy", *denied.flags, *flags)
    if "cannot be started" in done.stderr:
        pytest.skip(f"the cluster's nodes have no profile that denies io_uring: {done.stderr}")
    assert done.returncode == 2
    assert "no io_uring: it is forbidden here, by a seccomp profile" in done.stderr


@pytest.fixture
def full(cluster: Cluster, another: Callable[[str], Release]) -> Iterator[Release]:
    """A release whose namespace belongs to another user, and has an object of that user."""
    made = another("full")
    cluster.kubectl("create", "namespace", made.namespace)
    made.kubectl("create", "service", "clusterip", "sweetspot-reactor", "--tcp=80")
    yield made
    cluster.kubectl("delete", "namespace", made.namespace)


def test_what_belongs_to_somebody_else_is_left_alone(release: Release, full: Release) -> None:
    done = full.cluster.deploy("deploy", *full.flags, "--tag", release.tag, "--models", "reactor")
    assert done.returncode == 2
    assert f"Service sweetspot-reactor in namespace {full.namespace} belongs to another release" in done.stderr
    assert "make deploy RELEASE=another" in done.stderr
    assert full.cluster.deploy("undeploy", *full.flags).returncode == 0
    assert full.kubectl("get", "service", "sweetspot-reactor", "--output", "name")


def test_a_namespace_of_ours_stays_while_it_has_something_of_somebody_else_s(
    cluster: Cluster, another: Callable[[str], Release]
) -> None:
    shared = another("shared")
    cluster.kubectl("create", "namespace", shared.namespace)
    cluster.kubectl("label", "namespace", shared.namespace, f"{MADE_HERE}=deploy")
    shared.kubectl("create", "cronjob", "mine", "--image=mine", "--schedule=0 0 1 1 *")
    done = cluster.deploy("undeploy", *shared.flags)
    assert done.returncode == 0
    assert f"namespace {shared.namespace} stays, for it holds cronjob.batch/mine" in done.stdout
    shared.kubectl("delete", "cronjob", "mine")
    assert f"namespace {shared.namespace} is removed" in cluster.deploy("undeploy", *shared.flags).stdout


def test_who_may_not_deploy_is_told_so(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    token = cluster.kubectl("--namespace", "default", "create", "token", "default").strip()
    config = tmp_path_factory.mktemp("kube") / "config"
    config.write_text(cluster.kubectl("config", "view", "--raw", "--minify"))
    weak = Cluster(str(config))
    weak.kubectl("config", "set-credentials", "weak", f"--token={token}")
    weak.kubectl("config", "set-context", "--current", "--user=weak")
    done = weak.deploy("deploy", "--namespace", "default", "--models", "reactor")
    assert done.returncode == 2
    assert "may not create deployments.apps in namespace default" in done.stderr
    assert "auth can-i --list" in done.stderr


def _condition(pod: dict[str, object], kind: str) -> dict[str, str]:
    conditions = pod["status"].get("conditions", [])  # type: ignore[attr-defined]
    return next((condition for condition in conditions if condition["type"] == kind), {})


def _events(made: Release) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(made.kubectl("get", "events", "--output", "json"))["items"]
    return found
