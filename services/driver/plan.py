"""The plan file: YAML or JSON in, the request of every call out, in an order that the seed alone decides.

Knows the RunRequest message. Must not know which values a service accepts beyond what the message can
hold: a service answers those INVALID_ARGUMENT, and a driver that rejected them could not show it.
"""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, cycle, repeat
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from google.protobuf import json_format
from sweetspot.v1.workload_pb2 import RunRequest

from services.driver import strict_yaml
from services.driver.shard import Shard

MAX_PAYLOAD_BYTES = 1 << 20
MAX_KEYS = 65_536
MAX_SHARE = 1e9

PLAIN = ""
"""The kind of all calls where a plan has no mix."""
_KIND = re.compile(r"[a-z][a-z0-9_]*")
# Kinds are drawn so many at a time: 0.3 us each, instead of 1 us.
_DRAWN_AT_ONCE = 256


class PlanError(Exception):
    """What is wrong with a plan, in one line that names the field."""


class Request(NamedTuple):
    """What one call sends. Calls of one kind and key share it, so that a call that waits costs no copy."""

    kind: str
    fields: bytes
    """A serialized RunRequest."""
    key: bytes = b""
    """Another one: appended, it is merged into the first (Protocol Buffers, Encoding, "Last One Wins")."""

    @property
    def serialized(self) -> bytes:
        """The RunRequest to send."""
        return self.fields + self.key


@dataclass(frozen=True, slots=True)
class Kind:
    """Calls that differ in their key at most."""

    name: str
    share: float
    """A weight: how often it is drawn, beside those of the other kinds."""
    request: bytes
    """The serialized RunRequest."""
    keys: int | None
    """How many keys the calls have in turn; None: the request's own."""

    def requests(self) -> Iterator[Request]:
        """A request for each call of the kind, without end."""
        if self.keys is None:
            return repeat(Request(self.name, self.request))
        keys = (RunRequest(key=key).SerializeToString() for key in range(self.keys))
        return cycle([Request(self.name, self.request, key) for key in keys])


@dataclass(frozen=True, slots=True)
class Plan:
    """What the calls of a run ask for, as it was read and as it is sent."""

    described: dict[str, Any]
    """As protobuf-JSON with the proto's field names; a generated payload by its size alone."""
    kinds: tuple[Kind, ...]
    """One, PLAIN, where the plan has no mix."""

    @property
    def mix(self) -> tuple[str, ...]:
        """The names of its kinds; none where it has no mix."""
        return tuple(kind.name for kind in self.kinds if kind.name != PLAIN)

    def requests(self, seed: int, shard: Shard, clients: int) -> Iterator[Request]:
        """A request for each call of the shard, without end: its clients' part of the sequence that the seed draws."""
        turns = [kind.requests() for kind in self.kinds]
        if len(turns) == 1:
            return shard.deal(turns[0], clients)
        # A generator of its own, as gaps between arrivals are drawn from the same seed.
        draw = random.Random(f"kinds {seed}").choices
        shares = [kind.share for kind in self.kinds]
        drawn = (draw(turns, shares, k=_DRAWN_AT_ONCE) for _ in repeat(None))
        return shard.deal(map(next, chain.from_iterable(drawn)), clients)


def read_plan(path: Path) -> Plan:
    """Reads a file. Raises PlanError, whose text begins with the file's name."""
    try:
        # JSON is YAML, near enough for any plan.
        written = strict_yaml.load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}") from None
    except (strict_yaml.DuplicateKeyError, strict_yaml.BadValueError) as error:
        raise PlanError(f"{path}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: neither YAML nor JSON: {_one_line(error)}") from None
    try:
        return make_plan(written)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from None


def make_plan(written: object) -> Plan:
    """Makes a plan from what a file holds: one kind of call, or `mix`, a mapping of names to kinds with a `share` each.

    A kind is a RunRequest as protobuf-JSON, or with `payload_bytes` (0 to 1 MiB) for payload, and `keys` (1 to 65,536)
    for key: the calls then have the keys from 0 up in turn. An empty file is the empty plan, an echo. Raises PlanError.
    """
    if written is None:
        written = {}
    if not (isinstance(written, dict) and all(isinstance(name, str) for name in written)):
        raise PlanError("a plan is a mapping of RunRequest's fields: steps, payload or payload_bytes, key or keys")
    if "mix" not in written:
        described, request, keys = _make_kind(written)
        return Plan(described, (Kind(PLAIN, 1.0, request, keys),))
    if len(written) > 1:
        other = next(name for name in written if name != "mix")
        raise PlanError(f"mix and {other}: a plan with a mix has no other key; move {other} into a kind")
    return _make_mix(written["mix"])


def _make_mix(written: object) -> Plan:
    if not (isinstance(written, dict) and written):
        raise PlanError("mix: not a mapping of one or more names to kinds, each a plan with a share")
    described, kinds = {}, []
    for name, fields in written.items():
        if not (isinstance(name, str) and _KIND.fullmatch(name)):
            raise PlanError(
                f"mix: {name!r} is not a valid name of a kind: use small letters, digits and _, and begin with a letter"
            )
        where = f"mix.{name}"
        if not (isinstance(fields, dict) and all(isinstance(key, str) for key in fields)):
            raise PlanError(f"{where}: a kind is a mapping: share, and a plan's fields")
        share = fields.get("share")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= MAX_SHARE:
            given = "missing" if share is None else _short(share)
            raise PlanError(f"{where}.share: {given}; give a weight above 0 and up to {MAX_SHARE:,.0f}")
        try:
            description, request, keys = _make_kind({key: value for key, value in fields.items() if key != "share"})
        except PlanError as error:
            raise PlanError(f"{where}: {error}") from None
        described[name] = {"share": share, **description}
        kinds.append(Kind(name, float(share), request, keys))
    return Plan({"mix": described}, tuple(kinds))


def _make_kind(written: Mapping[str, Any]) -> tuple[dict[str, Any], bytes, int | None]:
    """Returns what a kind is as described, its serialized request, and its number of keys. Raises PlanError."""
    fields = dict(written)
    payload_bytes = fields.pop("payload_bytes", None)
    keys = fields.pop("keys", None)
    request = RunRequest()
    try:
        json_format.ParseDict(fields, request)
    except (json_format.ParseError, TypeError, ValueError, RecursionError) as error:
        raise PlanError(_one_line(error)) from None
    described: dict[str, Any] = json_format.MessageToDict(request, preserving_proto_field_name=True)
    if payload_bytes is not None:
        if "payload" in fields:
            raise PlanError("payload and payload_bytes exclude each other: give one")
        if type(payload_bytes) is not int or not 0 <= payload_bytes <= MAX_PAYLOAD_BYTES:
            raise PlanError(
                f"payload_bytes: {_short(payload_bytes)} is not a size within 0 to {MAX_PAYLOAD_BYTES:,} bytes"
            )
        request.payload = bytes(payload_bytes)
        described["payload_bytes"] = payload_bytes
    if keys is not None:
        if "key" in fields:
            raise PlanError("key and keys exclude each other: give one")
        if type(keys) is not int or not 1 <= keys <= MAX_KEYS:
            raise PlanError(f"keys: {_short(keys)} is not a number within 1 to {MAX_KEYS:,}")
        described["keys"] = keys
    return described, request.SerializeToString(), keys


def _short(value: object) -> str:
    """A value in a message; repr() rejects an integer of more than 4,300 digits."""
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number too large" if value > 0 else "a number too small"
    return repr(value)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
