"""Control.Configure: how an operator changes the settings of the stages. Knows no queue."""

from google.protobuf.message import DecodeError
from sweetspot.v1 import control_pb2

from services.runtime.counters.stage_rows import StageRows
from services.wire import Code, RpcError


def configure(table: StageRows, request: bytes) -> bytes:
    """Sets all that a serialised ConfigureRequest asks for, or nothing. Raises RpcError, as control.proto states."""
    try:
        asked = control_pb2.ConfigureRequest.FromString(request)
    except DecodeError as error:
        raise RpcError(Code.INTERNAL, "request is not a sweetspot.v1.ConfigureRequest") from error
    if not table.rows:
        raise RpcError(Code.FAILED_PRECONDITION, "this model has no stages")
    if asked.stage not in table.rows:
        raise RpcError(Code.INVALID_ARGUMENT, f"no stage {asked.stage!r}; the stages are {', '.join(table.rows)}")
    settings = table.rows[asked.stage].settings
    values = {field.name: int(value) for field, value in asked.settings.ListFields()}
    try:
        for key, value in values.items():
            settings.check(key, value)
    except ValueError as error:
        raise RpcError(Code.INVALID_ARGUMENT, f"{asked.stage}: {error}") from error
    for key, value in values.items():
        settings.set(key, value)
    return control_pb2.ConfigureReply(settings=settings.message()).SerializeToString()
