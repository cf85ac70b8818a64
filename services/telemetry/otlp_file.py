"""Writes spans as OTLP JSON lines. Must not know what a span stands for, nor when it is exported.

Sources: opentelemetry.io/docs/specs/otel/protocol/file-exporter (a JSON object a line), opentelemetry.io/docs/specs/
otlp/#json-protobuf-encoding (protobuf's JSON mapping, but ids in hexadecimal and enums as numbers).
"""

import base64
import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class OtlpFileExporter(SpanExporter):
    """Appends one ExportTraceServiceRequest a line. Raises OSError when the file cannot be opened."""

    def __init__(self, path: Path) -> None:
        # Unbuffered O_APPEND: a line is one write(2), so that processes which share a file never mix their lines.
        self._file = path.open("ab", buffering=0)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Raises OSError if writing fails."""
        request = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
        _ids_to_hex(request)
        line = json.dumps(request, separators=(",", ":")).encode() + b"\n"
        if self._file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._file.close()


def _ids_to_hex(request: dict[str, Any]) -> None:
    """In place: protobuf's JSON mapping has made base64 of them."""
    for group in request["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = base64.b64decode(span[key]).hex()
