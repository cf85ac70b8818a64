"""The plan file: YAML or JSON in, the bytes of every request out.

Knows the RunRequest message. Must not know which values a service accepts beyond what the message can
hold: a service answers those INVALID_ARGUMENT, and a driver that refused them could not show it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, repeat
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from sweetspot.v1.workload_pb2 import RunRequest

from services.driver import strict_yaml
from services.driver.shard import Shard

MAX_PAYLOAD_BYTES = 1 << 20
MAX_KEYS = 65_536


class PlanError(Exception):
    """What is wrong with a plan, in one line that names the field."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One kind of request, as it was read and as it is sent."""

    described: dict[str, Any]
    """As protobuf-JSON with the proto's field names; a generated payload by its size alone."""
    request: bytes
    """The serialized RunRequest."""
    keys: int = 1
    """How many keys the calls have in turn; one is the request's own."""

    def requests(self, shard: Shard) -> Iterator[bytes]:
        """A request for each call of the shard, without end."""
        if self.keys == 1:
            return repeat(self.request)
        # A key serialised after the rest is merged into it (Protocol Buffers, Encoding, "Last One Wins").
        keys = [RunRequest(key=key).SerializeToString() for key in range(self.keys)]
        return map(self.request.__add__, shard.deal(cycle(keys)))


def read_plan(path: Path) -> Plan:
    """Reads a file. Raises PlanError, whose text begins with the file's name."""
    try:
        # JSON is YAML, near enough for any plan.
        written = strict_yaml.load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}") from None
    except strict_yaml.DuplicateKeyError as error:
        raise PlanError(f"{path}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: neither YAML nor JSON: {_one_line(error)}") from None
    try:
        return make_plan(written)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from None


def make_plan(written: object) -> Plan:
    """Makes a plan from what a file holds: a RunRequest as protobuf-JSON, or with `payload_bytes` (0 to 1 MiB) for
    payload, and `keys` (1 to 65,536) for key: the calls then have the keys from 0 up in turn.

    An empty file is the empty plan, an echo. Raises PlanError.
    """
    if written is None:
        written = {}
    if not (isinstance(written, dict) and all(isinstance(name, str) for name in written)):
        raise PlanError("a plan is a mapping of RunRequest's fields: steps, payload or payload_bytes, key or keys")
    fields = dict(written)
    payload_bytes = fields.pop("payload_bytes", None)
    keys = fields.pop("keys", None)
    request = RunRequest()
    try:
        json_format.ParseDict(fields, request)
    except json_format.ParseError as error:
        raise PlanError(_one_line(error)) from None
    described: dict[str, Any] = json_format.MessageToDict(request, preserving_proto_field_name=True)
    if payload_bytes is not None:
        if "payload" in fields:
            raise PlanError("payload and payload_bytes are two ways to say the same: give one")
        if type(payload_bytes) is not int or not 0 <= payload_bytes <= MAX_PAYLOAD_BYTES:
            raise PlanError(f"payload_bytes: {payload_bytes!r} is not a size within 0 to {MAX_PAYLOAD_BYTES:,} bytes")
        request.payload = bytes(payload_bytes)
        described["payload_bytes"] = payload_bytes
    if keys is not None:
        if "key" in fields:
            raise PlanError("key and keys are two ways to say the same: give one")
        if type(keys) is not int or not 1 <= keys <= MAX_KEYS:
            raise PlanError(f"keys: {keys!r} is not a number within 1 to {MAX_KEYS:,}")
        described["keys"] = keys
    return Plan(described, request.SerializeToString(), 1 if keys is None else keys)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
