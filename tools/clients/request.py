"""The one request of a load program: a plan, encoded once. Must not know which program sends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from sweetspot.v1.workload_pb2 import RunRequest

METHOD = "sweetspot.v1.Workload/Run"
PATH = f"/{METHOD}"
PROTOS = Path(__file__).parents[2] / "protos"
"""The folder of the messages' definitions."""


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """What each call sends."""

    message: bytes
    """A serialized RunRequest."""

    @property
    def json(self) -> Any:
        """The same as protobuf JSON."""
        return json_format.MessageToDict(RunRequest.FromString(self.message), preserving_proto_field_name=True)

    @property
    def frame(self) -> bytes:
        """The body of a call (gRPC's PROTOCOL-HTTP2, "Length-Prefixed-Message"): not compressed, length, message."""
        return b"\0" + len(self.message).to_bytes(4, "big") + self.message


def encode(plan: Mapping[str, Any]) -> EncodedRequest:
    """Encodes a plan without `mix` and `keys`, as the driver does: `payload_bytes` are zeros."""
    fields = dict(plan)
    payload_bytes = fields.pop("payload_bytes", None)
    request = json_format.ParseDict(fields, RunRequest())
    if payload_bytes is not None:
        request.payload = bytes(payload_bytes)
    return EncodedRequest(request.SerializeToString())
