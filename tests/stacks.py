"""One call by each of three clients that share no code: grpcio (C), our own wire (libnghttp2), grpclib (Python)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from grpclib.client import Channel, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError

from services.wire import Code
from tests.wire_client import WireClient


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: its status, and the messages that came before."""

    code: Code
    message: str
    replies: tuple[bytes, ...]


Stack = Callable[..., Outcome]
"""Called as `stack(address, path, request, streaming=..., timeout_s=...)`: one call on a connection of its own."""


def grpcio(address: str, path: str, request: bytes, *, streaming: bool = False, timeout_s: float = 20) -> Outcome:
    replies: list[bytes] = []
    with grpc.insecure_channel(address) as channel:
        try:
            if streaming:
                replies.extend(channel.unary_stream(path)(request, timeout=timeout_s))
            else:
                replies.append(channel.unary_unary(path)(request, timeout=timeout_s))
        except grpc.RpcError as error:
            return Outcome(Code(error.code().value[0]), error.details(), tuple(replies))
    return Outcome(Code.OK, "", tuple(replies))


def own_wire(address: str, path: str, request: bytes, *, streaming: bool = False, timeout_s: float = 20) -> Outcome:
    """This client enforces no deadline: each status comes from the service."""
    with WireClient(address) as client:
        call = client.call(path, request, streaming=streaming, timeout_ns=int(timeout_s * 1e9))
        streamed = tuple(received.message for received in client.received)
    assert call.code is not None
    return Outcome(call.code, call.message, streamed if call.reply is None else (call.reply,))


def grpclib(address: str, path: str, request: bytes, *, streaming: bool = False, timeout_s: float = 20) -> Outcome:
    return asyncio.run(_grpclib(address, path, request, streaming, timeout_s))


async def _grpclib(address: str, path: str, request: bytes, streaming: bool, timeout_s: float) -> Outcome:
    host, port = address.split(":")
    replies: list[bytes] = []
    kind = UnaryStreamMethod if streaming else UnaryUnaryMethod
    async with Channel(host, int(port), codec=_Bytes()) as channel:
        try:
            async with kind(channel, path, bytes, bytes).open(timeout=timeout_s) as stream:
                await stream.send_message(request, end=True)
                async for reply in stream:
                    replies.append(reply)
        except GRPCError as error:
            return Outcome(Code(error.status.value), error.message or "", tuple(replies))
        except TimeoutError:
            return Outcome(Code.DEADLINE_EXCEEDED, "", tuple(replies))
    return Outcome(Code.OK, "", tuple(replies))


class _Bytes(CodecBase):
    """Messages as they are."""

    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> bytes:
        return data


STACKS: tuple[Stack, ...] = (grpcio, own_wire, grpclib)
