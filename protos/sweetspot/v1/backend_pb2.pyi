from sweetspot.v1 import workload_pb2 as _workload_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FetchRequest(_message.Message):
    __slots__ = ("delay_us", "distribution", "reply_bytes")
    DELAY_US_FIELD_NUMBER: _ClassVar[int]
    DISTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    REPLY_BYTES_FIELD_NUMBER: _ClassVar[int]
    delay_us: int
    distribution: _workload_pb2.Distribution
    reply_bytes: int
    def __init__(self, delay_us: _Optional[int] = ..., distribution: _Optional[_Union[_workload_pb2.Distribution, str]] = ..., reply_bytes: _Optional[int] = ...) -> None: ...

class FetchReply(_message.Message):
    __slots__ = ("payload", "delay_us")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    DELAY_US_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    delay_us: int
    def __init__(self, payload: _Optional[bytes] = ..., delay_us: _Optional[int] = ...) -> None: ...
