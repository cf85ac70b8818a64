"""The cluster's API: objects as they are in YAML, and each error as one line with what to try next.

Must not know what the objects are for.
"""

import io
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.status import PlainError

# The package is imported only to connect: it costs 0.7 s, which no run on this machine should pay.
if TYPE_CHECKING:
    from kubernetes import client

Object = dict[str, Any]

# To connect, and to receive the answer. An API server that needs longer counts as not available.
_TIMEOUTS_S = (5.0, 20.0)
_IN_A_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_GROUPS = {
    "configmaps": "/api/v1",
    "events": "/api/v1",
    "namespaces": "/api/v1",
    "nodes": "/api/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "deployments": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
}


class ClusterError(PlainError):
    """What the cluster rejected or did not do: one line that names the object and what to try next."""


class NoAnswerError(ClusterError):
    """The cluster did not answer, or could not at that time. A later attempt may succeed."""


class AlreadyThereError(ClusterError):
    """An object of that name exists."""


class ConflictError(ClusterError):
    """The object is no longer as it was read."""


class NotThereError(ClusterError):
    """No object has that name."""


class Api:
    """One namespace of one cluster. Methods raise ClusterError."""

    def __init__(self, connection: "client.ApiClient", namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace
        self.host: str = connection.configuration.host

    @classmethod
    def connect(cls, namespace: str | None = None) -> "Api":
        """The cluster that this pod runs in, else that of the current kubectl context. Raises ClusterError."""
        from kubernetes import config  # noqa: PLC0415

        if _IN_A_POD.exists():
            config.load_incluster_config()
            return cls(_client(), namespace or _IN_A_POD.read_text(encoding="ascii"))
        try:
            # The package reads the variable only once, when it is imported.
            path = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
            config.load_kube_config(path)
            context = config.list_kube_config_contexts(path)[1]
        except (config.ConfigException, OSError) as error:
            why = " ".join(str(error).split()).rstrip(".")
            raise ClusterError(
                f"no cluster: {why}; create one with `make cluster`, or select one with `kubectl config`"
            ) from None
        return cls(_client(), namespace or context["context"].get("namespace", "default"))

    def get(self, kind: str, name: str) -> Object:
        """Raises NotThereError."""
        found: Object = self._ask("GET", kind, name)
        return found

    def find(self, kind: str, selector: Mapping[str, str] | None = None) -> list[Object]:
        """All objects with those labels."""
        return self.find_as_of(kind, selector)[0]

    def find_as_of(self, kind: str, selector: Mapping[str, str] | None = None) -> tuple[list[Object], str]:
        """The same, and their version: `watch` returns the changes after it."""
        wanted = ",".join(f"{key}={value}" for key, value in (selector or {}).items())
        found = self._ask("GET", kind, query=[("labelSelector", wanted)] if wanted else [])
        return found["items"], found["metadata"]["resourceVersion"]

    def events(self, uid: str) -> list[Object]:
        """What happened to the object with that uid; empty if this user may not read events."""
        try:
            found: list[Object] = self._ask("GET", "events", query=[("fieldSelector", f"involvedObject.uid={uid}")])[
                "items"
            ]
        except NoAnswerError:
            raise
        except ClusterError:
            return []
        return found

    def create(self, kind: str, manifest: Object) -> Object:
        """Raises AlreadyThereError."""
        made: Object = self._ask("POST", kind, told=manifest["metadata"]["name"], body=manifest)
        return made

    def merge(self, kind: str, name: str, change: Object, *, manager: str) -> Object:
        """Changes those fields, lists as a whole (RFC 7386); `manager` becomes their owner. Raises ConflictError."""
        changed: Object = self._ask("PATCH", kind, name, query=[("fieldManager", manager)], body=change)
        return changed

    def delete(self, kind: str, name: str, *, grace_s: int | None = None) -> None:
        """Deletes the object, if it exists, and its dependents. `grace_s` replaces the grace period of a pod."""
        query = [("propagationPolicy", "Background")]
        query += [] if grace_s is None else [("gracePeriodSeconds", str(grace_s))]
        try:
            self._ask("DELETE", kind, name, query=query)
        except NotThereError:
            return

    def watch(self, kind: str, selector: Mapping[str, str], since: str) -> Iterator[tuple[str, Object]]:
        """Changes of objects with those labels after that version. At times, the server ends a watch without an error.

        Raises ClusterError if the server ends it with an error, such as a version that is too old.
        """
        wanted = ",".join(f"{key}={value}" for key, value in selector.items())
        with self._explained("GET", f"{kind} in namespace {self.namespace}"):
            stream = self._connection.call_api(
                f"{_GROUPS[kind]}/namespaces/{self.namespace}/{kind}",
                "GET",
                query_params=[("labelSelector", wanted), ("resourceVersion", since), ("watch", "true")],
                auth_settings=["BearerToken"],
                _return_http_data_only=True,
                _preload_content=False,
                _request_timeout=(_TIMEOUTS_S[0], None),
            )
            for line in io.TextIOWrapper(stream, encoding="utf-8"):
                change = json.loads(line)
                if change["type"] == "ERROR":
                    why = f"{change['object'].get('message')} (status {change['object'].get('code')})"
                    raise ClusterError(f"the cluster closed the watch of {kind}: {why}")
                yield change["type"], change["object"]

    def from_service(self, service: str, port: str, path: str, query: list[tuple[str, str]]) -> Any:
        """The service's answer to GET, through the API server: decoded if it is JSON."""
        return self._ask("GET", "services", f"{service}:{port}/proxy{path}", query=query)

    def version(self) -> str:
        """Of the API server, as v1.37.2."""
        return str(self._request("GET", "/version", "the version of the cluster")["gitVersion"])

    def nodes(self) -> list[Object]:
        """All nodes; none if this user may not read them."""
        return self._everywhere("nodes")

    def pods_everywhere(self) -> list[Object]:
        """The pods of all namespaces; none if this user may not read them."""
        return self._everywhere("pods")

    def _everywhere(self, kind: str) -> list[Object]:
        try:
            items: list[Object] = self._request("GET", f"/api/v1/{kind}", kind)["items"]
        except ClusterError:
            return []
        return items

    def _ask(
        self,
        verb: str,
        kind: str,
        name: str = "",
        *,
        told: str = "",
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
    ) -> Any:
        path = f"{_GROUPS[kind]}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")
        subject = f"{kind} {name or told}".strip() + f" in namespace {self.namespace}"
        return self._request(verb, path, subject, query, body)

    def _request(
        self,
        verb: str,
        path: str,
        subject: str,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
    ) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if verb == "PATCH" else "application/json"
        with self._explained(verb, subject):
            return self._connection.call_api(
                path,
                verb,
                query_params=query or [],
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                response_type="object",
                _return_http_data_only=True,
                _request_timeout=_TIMEOUTS_S,
            )

    @contextmanager
    def _explained(self, verb: str, subject: str) -> Iterator[None]:
        from kubernetes.client import ApiException  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            yield
        except ApiException as error:
            raise self._explanation(error, verb, subject) from None
        except HTTPError as error:
            why = _root(error)
            raise NoAnswerError(
                f"the cluster at {self.host} does not answer: {why}; try: kubectl cluster-info"
            ) from None

    def _explanation(self, error: "client.ApiException", verb: str, subject: str) -> ClusterError:
        try:
            said = str(json.loads(error.body)["message"])
        except (TypeError, ValueError, KeyError):
            said = " ".join(str(error.body or error.reason).split())[:200]
        match error.status:
            case 401 | 403:
                word = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}[verb]
                kind = subject.split(maxsplit=1)[0]
                ask = f"kubectl auth can-i {word} {kind} -n {self.namespace}"
                return ClusterError(f"no permission for {subject}: {said}; try: {ask}")
            case 404:
                kind = subject.split(maxsplit=1)[0]
                return NotThereError(f"no {subject}; try: kubectl get {kind} -n {self.namespace}")
            case 409 if verb == "PATCH":
                return ConflictError(f"{subject} was changed by another client: {said}")
            case 409:
                return AlreadyThereError(f"{subject} exists already")
            case status:
                kind_of = NoAnswerError if status == 429 or status >= 500 else ClusterError
                return kind_of(f"the cluster rejects {subject}: {said} (status {status})")


def _client() -> "client.ApiClient":
    from kubernetes import client  # noqa: PLC0415
    from urllib3 import Retry  # noqa: PLC0415

    connection = client.ApiClient()
    # No retries here: a person who waits gets the error at once. Code that can wait repeats the request itself.
    settings = connection.rest_client.pool_manager.connection_pool_kw
    settings["retries"] = Retry(0)
    if connection.configuration.verify_ssl:
        # Python 3.13 rejects authorities without a key usage extension. Those of kubeadm and others have none.
        context = ssl.create_default_context(cafile=connection.configuration.ssl_ca_cert)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        settings["ssl_context"] = context
    return connection


def _root(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _root(reason)
    return " ".join(str(error).split()).rpartition("connection: ")[2]
