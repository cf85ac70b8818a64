"""A large payload stays in the process that reads the connection while another one runs the call: no step needs it."""

from typing import NamedTuple

from sweetspot.v1 import workload_pb2

from services.runtime.service import WORKLOAD_SHAPES
from services.wire import ServerCall
from services.workload.plan import part_payload
from services.workload.run import LARGE_BYTES


class HeldPayload(NamedTuple):
    """What was taken out of a call's request, and is to be added to its last reply."""

    payload: bytes = b""
    place: int = 0
    """Of the reply that the payload goes with: the first is 0."""

    def rest_of(self, place: int) -> bytes:
        """The serialised bytes that were left out of the reply with the index `place`.

        The bytes of the reply, followed by these, are the whole message.
        """
        if not self.payload or place != self.place:
            return b""
        return workload_pb2.RunReply(payload=self.payload).SerializeToString()


NOTHING_HELD = HeldPayload()


def hold_payload(call: ServerCall) -> HeldPayload:
    """Takes a large payload out of the call's request. Raises RpcError for a large request that cannot be run."""
    if len(call.request) <= LARGE_BYTES or call.head.path not in WORKLOAD_SHAPES:
        return NOTHING_HELD
    plan, payload = part_payload(call.request)
    call.request = plan.SerializeToString()
    return HeldPayload(payload, len(plan.steps) - 1 if call.shape.server_streams else 0)
