from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Distribution(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISTRIBUTION_CONSTANT: _ClassVar[Distribution]
    DISTRIBUTION_UNIFORM: _ClassVar[Distribution]
    DISTRIBUTION_EXPONENTIAL: _ClassVar[Distribution]
    DISTRIBUTION_LOGNORMAL: _ClassVar[Distribution]
DISTRIBUTION_CONSTANT: Distribution
DISTRIBUTION_UNIFORM: Distribution
DISTRIBUTION_EXPONENTIAL: Distribution
DISTRIBUTION_LOGNORMAL: Distribution

class RunRequest(_message.Message):
    __slots__ = ("steps", "payload", "key")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    payload: bytes
    key: int
    def __init__(self, steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., payload: _Optional[bytes] = ..., key: _Optional[int] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("compute", "call", "sleep", "block", "touch", "transfer")
    COMPUTE_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    SLEEP_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    TOUCH_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    compute: Compute
    call: Call
    sleep: Sleep
    block: Block
    touch: Touch
    transfer: Transfer
    def __init__(self, compute: _Optional[_Union[Compute, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., sleep: _Optional[_Union[Sleep, _Mapping]] = ..., block: _Optional[_Union[Block, _Mapping]] = ..., touch: _Optional[_Union[Touch, _Mapping]] = ..., transfer: _Optional[_Union[Transfer, _Mapping]] = ...) -> None: ...

class Compute(_message.Message):
    __slots__ = ("rounds", "engine")
    class Engine(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ENGINE_PYTHON: _ClassVar[Compute.Engine]
        ENGINE_NATIVE: _ClassVar[Compute.Engine]
        ENGINE_OWN: _ClassVar[Compute.Engine]
    ENGINE_PYTHON: Compute.Engine
    ENGINE_NATIVE: Compute.Engine
    ENGINE_OWN: Compute.Engine
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    rounds: int
    engine: Compute.Engine
    def __init__(self, rounds: _Optional[int] = ..., engine: _Optional[_Union[Compute.Engine, str]] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("delay_us", "distribution", "reply_bytes")
    DELAY_US_FIELD_NUMBER: _ClassVar[int]
    DISTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    REPLY_BYTES_FIELD_NUMBER: _ClassVar[int]
    delay_us: int
    distribution: Distribution
    reply_bytes: int
    def __init__(self, delay_us: _Optional[int] = ..., distribution: _Optional[_Union[Distribution, str]] = ..., reply_bytes: _Optional[int] = ...) -> None: ...

class Sleep(_message.Message):
    __slots__ = ("duration_us",)
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    duration_us: int
    def __init__(self, duration_us: _Optional[int] = ...) -> None: ...

class Block(_message.Message):
    __slots__ = ("duration_us",)
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    duration_us: int
    def __init__(self, duration_us: _Optional[int] = ...) -> None: ...

class Touch(_message.Message):
    __slots__ = ("working_set_kib",)
    WORKING_SET_KIB_FIELD_NUMBER: _ClassVar[int]
    working_set_kib: int
    def __init__(self, working_set_kib: _Optional[int] = ...) -> None: ...

class Transfer(_message.Message):
    __slots__ = ("from_account", "to_account", "amount", "yields")
    FROM_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    TO_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    YIELDS_FIELD_NUMBER: _ClassVar[int]
    from_account: int
    to_account: int
    amount: int
    yields: int
    def __init__(self, from_account: _Optional[int] = ..., to_account: _Optional[int] = ..., amount: _Optional[int] = ..., yields: _Optional[int] = ...) -> None: ...

class RunReply(_message.Message):
    __slots__ = ("model", "host", "process", "worker", "queued_ns", "running_ns", "waiting_ns", "checksum", "payload", "steps")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    QUEUED_NS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_NS_FIELD_NUMBER: _ClassVar[int]
    WAITING_NS_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    model: str
    host: str
    process: int
    worker: str
    queued_ns: int
    running_ns: int
    waiting_ns: int
    checksum: int
    payload: bytes
    steps: int
    def __init__(self, model: _Optional[str] = ..., host: _Optional[str] = ..., process: _Optional[int] = ..., worker: _Optional[str] = ..., queued_ns: _Optional[int] = ..., running_ns: _Optional[int] = ..., waiting_ns: _Optional[int] = ..., checksum: _Optional[int] = ..., payload: _Optional[bytes] = ..., steps: _Optional[int] = ...) -> None: ...
