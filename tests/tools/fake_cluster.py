"""An API server in this process with the few calls that runs make, and a controller that the test scripts.

It stores objects as they come. Of Kubernetes it has only paths, labels, and the errors of names. The test decides what
objects do, in `on_job` and by putting them there.
"""

import base64
import copy
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tools.cluster.examples import driver_pod

Object = dict[str, Any]
NAMESPACE, RELEASE = "lab", "sweetspot"
OURS = {"app.kubernetes.io/name": "sweetspot", "app.kubernetes.io/instance": RELEASE}
_uids = count()


def labels_of_model(model: str) -> dict[str, str]:
    return {**OURS, "app.kubernetes.io/component": "model", "sweetspot.dev/model": model}


def pod(name: str, labels: dict[str, str], **status: Any) -> Object:
    """Ready, except for what `status` replaces."""
    ready = [{"type": "ContainersReady", "status": "True"}, {"type": "Ready", "status": "True"}]
    running = {"phase": "Running", "podIP": "10.0.0.1", "startTime": "2026-01-01T00:00:00Z", "conditions": ready}
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "labels": labels,
        "uid": f"{next(_uids):08}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return {"metadata": metadata, "spec": {"nodeName": "n1", "containers": []}, "status": {**running, **status}}


def container(**state: Any) -> Object:
    """The status of one; `state` as `waiting={...}` or `terminated={...}`."""
    return {"name": "c", "image": "sweetspot/driver:1", "restartCount": 0, "state": state}


KINDS = ("configmaps", "deployments", "events", "jobs", "pods", "services")


@dataclass
class FakeCluster:
    """`objects`: kind -> name -> object. `forbidden`: "POST jobs" and such, answered 403.

    `outages`: the same, each answered once with that status, or with none where it is 0.
    """

    on_job: Callable[["FakeCluster", Object], None]
    on_delete: Callable[[], None] = lambda: None
    objects: dict[str, dict[str, Object]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    forbidden: set[str] = field(default_factory=set)
    outages: list[tuple[str, int]] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    changes: list[Object] = field(default_factory=list)
    """The spec of a Deployment after each change."""
    watched: Iterator[tuple[int, list[Object]]] = field(default_factory=lambda: iter(()))
    """Status and events of each watch in turn, which ends there; one more gets what no watcher can read."""
    hold_pods: bool = False
    """No pod is made in the place of one that was deleted."""
    nodes: tuple[str, ...] = ()
    """CPUs of each; none may be seen where there are none."""

    def deploy(self, *models: str, **env: str) -> None:
        """As the chart would, with one ready pod each."""
        pod_yaml = yaml.safe_dump(driver_pod())
        self.put("configmaps", {"metadata": {"name": f"{RELEASE}-driver"}, "data": {"pod.yaml": pod_yaml}})
        for model in models:
            name, labels = f"{RELEASE}-{model.replace('_', '-')}", labels_of_model(model)
            variables = [{"name": key, "value": value} for key, value in env.items()]
            template = {"spec": {"containers": [{"image": f"sweetspot/{model}:1", "env": variables}]}}
            self.put(
                "deployments",
                {"metadata": {"name": name, "labels": labels}, "spec": {"replicas": 1, "template": template}},
            )
            self.put("pods", pod(f"{name}-old", labels))

    def put(self, kind: str, thing: Object) -> None:
        self.objects[kind][thing["metadata"]["name"]] = thing

    def end_job(self, job: Object, kind: str = "Complete", **more: str) -> None:
        job["status"] = {"conditions": [{"type": kind, "status": "True", **more}]}

    def put_load(self, job: Object, name: str, **status: Any) -> None:
        """A pod of that Job; what follows the last dash of its name is its index."""
        index = name.rpartition("-")[2]
        owner = {**job["metadata"].get("labels", {}), "batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}
        self.put("pods", pod(name, {**owner, "batch.kubernetes.io/job-completion-index": index}, **status))

    def refuse_pods(self, job: Object, why: str) -> None:
        """As a quota does: an event, and no pod."""
        about = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}
        event = {"metadata": {"name": f"{about['name']}.1"}, "involvedObject": about, "reason": "FailedCreate"}
        self.put("events", {**event, "message": why})

    def keep_part(self, job: Object, part: Object, name: str) -> None:
        """As a shard of that Job would."""
        packed = base64.b64encode(gzip.compress(json.dumps(part).encode())).decode()
        labels = {**job["metadata"]["labels"], "sweetspot.dev/kind": "part"}
        metadata = {
            "name": f"{job['metadata']['name']}-{name}",
            "labels": labels,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        self.put("configmaps", {"metadata": metadata, "binaryData": {"part.json.gz": packed}})

    def answer(self, verb: str, path: str, query: dict[str, list[str]], body: Object | None) -> tuple[int, Object]:
        if "/namespaces/" not in path:
            return self._of_all(path)
        _, _, rest = path.partition(f"/namespaces/{NAMESPACE}/")
        kind, _, name = rest.partition("/")
        if refusal := self._refusal(verb, kind):
            return refusal
        if verb == "POST" and body is not None:
            return self._create(kind, body)
        if not name:
            items = self._find(kind, query.get("labelSelector", []))
            uids = [field.partition("involvedObject.uid=")[2] for field in query.get("fieldSelector", [])]
            items = [each for each in items if not uids or each["involvedObject"]["uid"] in uids]
            return 200, {"items": items, "metadata": {"resourceVersion": "1"}}
        if name not in self.objects[kind]:
            return 404, {"message": f'{kind} "{name}" not found'}
        return 200, self._done(verb, kind, name, body or {}, query.get("fieldManager", ["helm"])[0])

    def _refusal(self, verb: str, kind: str) -> tuple[int, Object] | None:
        if f"{verb} {kind}" in self.forbidden:
            return 403, {"message": f'{kind} is forbidden: User "you" cannot do this'}
        if outage := next((each for each in self.outages if each[0] == f"{verb} {kind}"), None):
            self.outages.remove(outage)
            return outage[1], {"message": "not now"}
        return None

    def _of_all(self, path: str) -> tuple[int, Object]:
        if path == "/version":
            return 200, {"gitVersion": "v1.37.0"}
        if path == "/api/v1/nodes" and self.nodes:
            return 200, {"items": [node(number, cpus) for number, cpus in enumerate(self.nodes)]}
        if path == "/api/v1/pods" and self.nodes:
            return 200, {"items": list(self.objects["pods"].values())}
        return 403, {"message": "forbidden"}

    def _done(self, verb: str, kind: str, name: str, body: Object, manager: str) -> Object:
        if verb == "DELETE":
            return self._delete(kind, name)
        return self._change(self.objects[kind][name], body, manager) if verb == "PATCH" else self.objects[kind][name]

    def _create(self, kind: str, body: Object) -> tuple[int, Object]:
        name = body["metadata"]["name"]
        if name in self.objects[kind]:
            return 409, {"message": f'{kind} "{name}" already exists'}
        body["metadata"].setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        body["metadata"].setdefault("uid", f"{next(_uids):08}")
        self.put(kind, body)
        self.created.append(f"{kind}/{name}")
        if kind == "jobs":
            self.on_job(self, body)
        return 201, body

    def _find(self, kind: str, selectors: list[str]) -> list[Object]:
        wanted = {tuple(pair.split("=")) for text in selectors for pair in text.split(",")}
        there = self.objects[kind].values()
        return [each for each in there if wanted <= set(each["metadata"].get("labels", {}).items())]

    def _change(self, thing: Object, body: Object, manager: str) -> Object:
        """Changes a Deployment and replaces its pods at once. The manager that changes it becomes an owner."""
        merge(thing, body)
        thing["metadata"].setdefault("resourceVersion", "1")
        if "spec" not in body:
            return thing
        owner = {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        thing["metadata"].setdefault("managedFields", []).append(owner)
        self.changes.append(copy.deepcopy(thing["spec"]))
        labels = thing["metadata"]["labels"]
        for old in self._find("pods", [",".join(f"{key}={value}" for key, value in labels.items())]):
            del self.objects["pods"][old["metadata"]["name"]]
        for _ in range(thing["spec"]["replicas"]):
            self.put("pods", pod(f"{thing['metadata']['name']}-{next(_uids)}", labels))
        return thing

    def _delete(self, kind: str, name: str) -> Object:
        gone = self.objects[kind].pop(name)
        self.on_delete()
        if kind == "pods" and not self.hold_pods:  # its Deployment makes another
            self.put("pods", pod(f"{name}-{next(_uids)}", gone["metadata"]["labels"]))
        return {}

    @contextmanager
    def running(self, folder: Path) -> Iterator[Path]:
        """Serves as long as the block lasts; the kubeconfig that leads to it."""
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one write: a body in a second one waits 40 ms for the acknowledgement of the first (Nagle)

            def _serve(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                url = urlsplit(self.path)
                query = parse_qs(url.query)
                if "watch" in query:
                    status, events = next(cluster.watched, (200, [{}]))
                    text = "\n".join(map(json.dumps, events)).encode()
                else:
                    status, answer = cluster.answer(self.command, url.path, query, body)
                    text = json.dumps(answer).encode()
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_DELETE = _serve

            def log_message(self, *_: Any) -> None:
                """No test reads it."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield kubeconfig(folder, f"http://127.0.0.1:{server.server_address[1]}")
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def node(number: int, cpus: str) -> Object:
    offered = {"cpu": cpus, "memory": "8Gi"}
    return {
        "metadata": {"name": f"n{number}"},
        "status": {"nodeInfo": {"kernelVersion": "6.1"}, "capacity": offered, "allocatable": offered},
    }


def merge(thing: Object, change: Object) -> None:
    """JSON Merge Patch (RFC 7386)."""
    for key, value in change.items():
        if value is None:
            thing.pop(key, None)
        elif isinstance(value, dict):
            merge(thing.setdefault(key, {}), value)
        else:
            thing[key] = value


def kubeconfig(folder: Path, server: str) -> Path:
    """One that names this server and this namespace."""
    path = folder / "kubeconfig"
    named = {
        "clusters": [{"name": "fake", "cluster": {"server": server}}],
        "users": [{"name": "you", "user": {"token": "t"}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "you", "namespace": NAMESPACE}}],
    }
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "fake", **named}))
    return path
