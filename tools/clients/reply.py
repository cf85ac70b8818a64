"""One call by grpcio before a load program runs. It shows a gRPC error that some load programs do not read.

Must not know which program it is.
"""

from collections.abc import Mapping
from typing import Any

from tools.clients.request import PATH, encode
from tools.control import open_channel
from tools.local import LocalError

PREFIX_BYTES = 5
"""Bytes before each message in a body (gRPC's PROTOCOL-HTTP2, "Length-Prefixed-Message")."""


def reply_bytes(address: str, plan: Mapping[str, Any], timeout_s: float) -> int:
    """Size of the body of a reply. Raises LocalError if the service answers with an error."""
    import grpc  # noqa: PLC0415

    with open_channel(address) as channel:
        call = channel.unary_unary(PATH)
        try:
            reply: bytes = call(encode(plan).message, timeout=timeout_s, wait_for_ready=False)
        except grpc.RpcError as error:
            answer = f"{error.code().name}: {error.details()}"
            raise LocalError(f"one call before the load: the service answered {answer}") from error
    return PREFIX_BYTES + len(reply)
