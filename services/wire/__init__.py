"""gRPC over HTTP/2 without I/O: bytes in, calls out. No socket, thread, clock or log in here.

`python -m services.wire` shows the two ends of a connection talk, byte by byte.
"""

from services.wire.call import (
    CallCancelled,
    CallReceived,
    RequestEnded,
    RequestMessage,
    ServerCall,
    ServerEvent,
    Shape,
)
from services.wire.client import CallEnded, ClientCall, ClientEvent, ClientSession, MessageReceived
from services.wire.limits import Allowance, Limits
from services.wire.server import ServerSession
from services.wire.status import OK, Code, RpcError

__all__ = [
    "OK",
    "Allowance",
    "CallCancelled",
    "CallEnded",
    "CallReceived",
    "ClientCall",
    "ClientEvent",
    "ClientSession",
    "Code",
    "Limits",
    "MessageReceived",
    "RequestEnded",
    "RequestMessage",
    "RpcError",
    "ServerCall",
    "ServerEvent",
    "ServerSession",
    "Shape",
]
