"""The cluster's API: objects as they are in YAML, and each error as one line with what to try next.

Must not know what the objects are for.
"""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast
from urllib.parse import urlencode

from urllib3 import BaseHTTPResponse, Retry, Timeout
from urllib3.exceptions import HTTPError

from tools.cluster.connection import ApiConnection, NoConfigurationError, connect
from tools.status import PlainError

Object = dict[str, Any]

# To connect, and to receive the answer. An API server that needs longer counts as not available.
_CONNECT_TIMEOUT_S, _ANSWER_TIMEOUT_S = 5.0, 20.0
# No retries here: a person who waits gets the error at once. Code that can wait repeats the request itself.
_ONCE = Retry(0)
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

    def __init__(self, connection: ApiConnection, namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace

    @classmethod
    def connect(cls, namespace: str | None = None) -> "Api":
        """The cluster that this pod runs in, else that of the current kubectl context. Raises ClusterError."""
        try:
            connection = connect()
        except NoConfigurationError as error:
            raise ClusterError(
                f"no cluster: {error}; create one with `make cluster`, or select one with `kubectl config`"
            ) from None
        return cls(connection, namespace or connection.namespace)

    def get(self, kind: str, name: str) -> Object:
        """Raises NotThereError."""
        found: Object = self._ask("GET", kind, name)
        return found

    def select(self, kind: str, selector: Mapping[str, str] | None = None) -> list[Object]:
        """All objects with those labels."""
        return self.select_as_of(kind, selector)[0]

    def select_as_of(self, kind: str, selector: Mapping[str, str] | None = None) -> tuple[list[Object], str]:
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
        made: Object = self._ask("POST", kind, named=manifest["metadata"]["name"], body=manifest)
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
        query = [("labelSelector", wanted), ("resourceVersion", since), ("watch", "true")]
        with self._explained():
            path = f"{_GROUPS[kind]}/namespaces/{self.namespace}/{kind}"
            stream = self._send("GET", path, f"{kind} in namespace {self.namespace}", query, answer_timeout_s=None)
            for line in io.TextIOWrapper(cast("IO[bytes]", stream), encoding="utf-8"):
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
        named: str = "",
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
    ) -> Any:
        path = f"{_GROUPS[kind]}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")
        subject = f"{kind} {name or named}".strip() + f" in namespace {self.namespace}"
        return self._request(verb, path, subject, query, body)

    def _request(
        self,
        verb: str,
        path: str,
        subject: str,
        query: list[tuple[str, str]] | None = None,
        body: Object | None = None,
    ) -> Any:
        with self._explained():
            data = self._send(verb, path, subject, query, body=body).read()
        try:
            return json.loads(data)
        except ValueError:  # what a service answers
            return data.decode(errors="replace")

    def _send(
        self,
        verb: str,
        path: str,
        subject: str,
        query: list[tuple[str, str]] | None,
        *,
        body: Object | None = None,
        answer_timeout_s: float | None = _ANSWER_TIMEOUT_S,
    ) -> BaseHTTPResponse:
        """The response, not read yet. Raises ClusterError if it is an error, and urllib3's HTTPError."""
        headers = {"Accept": "application/json", **self._connection.headers()}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if verb == "PATCH" else "application/json"
        response = self._connection.pool.request(
            verb,
            f"{self._connection.host}{path}" + (f"?{urlencode(query)}" if query else ""),
            headers=headers,
            body=None if body is None else json.dumps(body),
            retries=_ONCE,
            timeout=Timeout(connect=_CONNECT_TIMEOUT_S, read=answer_timeout_s),
            preload_content=False,
        )
        if not 200 <= response.status < 300:
            raise self._explanation(response.status, response.read() or str(response.reason).encode(), verb, subject)
        return response

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except HTTPError as error:
            host, why = self._connection.host, _root(error)
            raise NoAnswerError(f"the cluster at {host} does not answer: {why}; try: kubectl cluster-info") from None

    def _explanation(self, status: int, body: bytes, verb: str, subject: str) -> ClusterError:
        try:
            message = str(json.loads(body)["message"])
        except (TypeError, ValueError, KeyError):
            message = " ".join(body.decode(errors="replace").split())[:200]
        match status:
            case 401 | 403:
                word = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}[verb]
                kind = subject.split(maxsplit=1)[0]
                ask = f"kubectl auth can-i {word} {kind} -n {self.namespace}"
                return ClusterError(f"no permission for {subject}: {message}; try: {ask}")
            case 404:
                kind = subject.split(maxsplit=1)[0]
                return NotThereError(f"no {subject}; try: kubectl get {kind} -n {self.namespace}")
            case 409 if verb == "PATCH":
                return ConflictError(f"{subject} was changed by another client: {message}")
            case 409:
                return AlreadyThereError(f"{subject} exists already")
            case _:
                kind_of = NoAnswerError if status == 429 or status >= 500 else ClusterError
                return kind_of(f"the cluster rejects {subject}: {message} (status {status})")


def _root(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _root(reason)
    return " ".join(str(error).split()).rpartition("connection: ")[2]
