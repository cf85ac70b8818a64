"""What became of each export by OTLP/HTTP: how many spans the collector took and, where it took not all, why.

The SDK's exporter returns success or failure alone, and takes a redirect, a web page or a partial success for success.
Its HTTP session is therefore one that remembers how its last request ended. Must not know what a span is.

Source: opentelemetry.io/docs/specs/otlp/#otlphttp-response.
"""

import socket
from collections.abc import Iterator
from http.client import BadStatusLine, RemoteDisconnected
from typing import Any

import requests
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from requests.adapters import HTTPAdapter

from services.telemetry.tracing import Loss

_NO_OTLP_HTTP = "is not OTLP/HTTP; a collector serves OTLP/HTTP on port 4318, and OTLP/gRPC on 4317"
_OF_STATUS = {
    **dict.fromkeys((401, 403, 407), Loss.UNAUTHORISED),
    **dict.fromkeys((404, 405, 415, 426, 501, 505), Loss.WRONG_PROTOCOL),
    **dict.fromkeys((408, 504), Loss.TIMEOUT),
    429: Loss.FAILING,
}

Why = tuple[Loss, str]
"""The kind of loss, and the exact cause for the user who can correct it."""


class ExporterSession(requests.Session):
    """As the exporter needs one."""

    def __init__(self) -> None:
        super().__init__()
        self.why: Why | None = None
        """Why the last request did not deliver everything; None where it did, and before the first."""
        self.rejected = 0
        """Spans that the collector rejected though it took the request."""
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Noting(self))


class _Noting(HTTPAdapter):
    def __init__(self, session: ExporterSession) -> None:
        super().__init__()
        self._session = session

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        session = self._session
        try:
            response = super().send(request, *args, **kwargs)
        except requests.RequestException as error:
            session.rejected, session.why = 0, of_error(error)
            raise
        session.rejected, session.why = of_response(response)
        return response


def of_error(error: BaseException) -> Why:
    """Why there was no answer."""
    causes = list(_causes(error))

    def found(kind: type[BaseException]) -> BaseException | None:
        return next((cause for cause in causes if isinstance(cause, kind)), None)

    if found(requests.Timeout):
        return Loss.TIMEOUT, "no answer in time"
    if cause := found(requests.exceptions.SSLError):
        return Loss.TLS, _line(list(_causes(cause))[-1])
    if found(RemoteDisconnected):
        return Loss.UNREACHABLE, "the connection was closed without an answer"
    if found(BadStatusLine):
        return Loss.WRONG_PROTOCOL, f"the answer {_NO_OTLP_HTTP}"
    if cause := found(socket.gaierror):
        return Loss.UNREACHABLE, f"its name cannot be resolved: {_line(cause)}"
    refused = [cause for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return Loss.UNREACHABLE, str(refused[-1].strerror).lower() if refused else _line(causes[-1])


def of_response(response: requests.Response) -> tuple[int, Why | None]:
    """How many spans were rejected of those that were taken, and why not all were taken; None where all were."""
    status = response.status_code
    if not 200 <= status < 300:
        loss = _OF_STATUS.get(status, Loss.FAILING if status >= 500 else Loss.REJECTED)
        if 300 <= status < 400:
            loss = Loss.WRONG_PROTOCOL
        return 0, (loss, f"status {status} {response.reason}".rstrip())
    if response.headers.get("content-type", "").startswith("text/html"):
        return 0, (Loss.WRONG_PROTOCOL, f"a web page, which {_NO_OTLP_HTTP}")
    try:
        partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    except DecodeError:
        return 0, None
    if partial.rejected_spans <= 0:
        return 0, None
    return partial.rejected_spans, (Loss.REJECTED, _line(partial.error_message) or "a partial success")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what lies behind it, the last one deepest: urllib3 and requests wrap each other's in three ways."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        behind = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
        waiting += [cause for cause in behind if isinstance(cause, BaseException)]


def _line(text: object) -> str:
    return " ".join(str(text).split())[:200]
