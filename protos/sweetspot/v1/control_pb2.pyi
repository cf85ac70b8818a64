from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SnapshotRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ConfigureRequest(_message.Message):
    __slots__ = ("stage", "settings")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    stage: str
    settings: StageSettings
    def __init__(self, stage: _Optional[str] = ..., settings: _Optional[_Union[StageSettings, _Mapping]] = ...) -> None: ...

class ConfigureReply(_message.Message):
    __slots__ = ("settings",)
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    settings: StageSettings
    def __init__(self, settings: _Optional[_Union[StageSettings, _Mapping]] = ...) -> None: ...

class SnapshotReply(_message.Message):
    __slots__ = ("model", "host", "monotonic_ns", "processes", "threads", "cpu_user_ns", "cpu_system_ns", "rss_bytes", "pss_bytes", "rss_peak_bytes", "voluntary_switches", "involuntary_switches", "vsz_bytes", "connections", "calls_in_flight", "queue_depth", "loop_lag_max_ns", "held_bytes", "memory_budget_bytes", "ledger_sum", "lost_updates", "aborted_transfers", "stages", "spans", "throttling", "node")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    MONOTONIC_NS_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    CPU_USER_NS_FIELD_NUMBER: _ClassVar[int]
    CPU_SYSTEM_NS_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    PSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    RSS_PEAK_BYTES_FIELD_NUMBER: _ClassVar[int]
    VOLUNTARY_SWITCHES_FIELD_NUMBER: _ClassVar[int]
    INVOLUNTARY_SWITCHES_FIELD_NUMBER: _ClassVar[int]
    VSZ_BYTES_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    CALLS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    LOOP_LAG_MAX_NS_FIELD_NUMBER: _ClassVar[int]
    HELD_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BUDGET_BYTES_FIELD_NUMBER: _ClassVar[int]
    LEDGER_SUM_FIELD_NUMBER: _ClassVar[int]
    LOST_UPDATES_FIELD_NUMBER: _ClassVar[int]
    ABORTED_TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    THROTTLING_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    model: str
    host: str
    monotonic_ns: int
    processes: int
    threads: int
    cpu_user_ns: int
    cpu_system_ns: int
    rss_bytes: int
    pss_bytes: int
    rss_peak_bytes: int
    voluntary_switches: int
    involuntary_switches: int
    vsz_bytes: int
    connections: int
    calls_in_flight: int
    queue_depth: int
    loop_lag_max_ns: int
    held_bytes: int
    memory_budget_bytes: int
    ledger_sum: int
    lost_updates: int
    aborted_transfers: int
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    spans: Spans
    throttling: Throttling
    node: Node
    def __init__(self, model: _Optional[str] = ..., host: _Optional[str] = ..., monotonic_ns: _Optional[int] = ..., processes: _Optional[int] = ..., threads: _Optional[int] = ..., cpu_user_ns: _Optional[int] = ..., cpu_system_ns: _Optional[int] = ..., rss_bytes: _Optional[int] = ..., pss_bytes: _Optional[int] = ..., rss_peak_bytes: _Optional[int] = ..., voluntary_switches: _Optional[int] = ..., involuntary_switches: _Optional[int] = ..., vsz_bytes: _Optional[int] = ..., connections: _Optional[int] = ..., calls_in_flight: _Optional[int] = ..., queue_depth: _Optional[int] = ..., loop_lag_max_ns: _Optional[int] = ..., held_bytes: _Optional[int] = ..., memory_budget_bytes: _Optional[int] = ..., ledger_sum: _Optional[int] = ..., lost_updates: _Optional[int] = ..., aborted_transfers: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., spans: _Optional[_Union[Spans, _Mapping]] = ..., throttling: _Optional[_Union[Throttling, _Mapping]] = ..., node: _Optional[_Union[Node, _Mapping]] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("busy_ns", "cpus")
    BUSY_NS_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    busy_ns: int
    cpus: int
    def __init__(self, busy_ns: _Optional[int] = ..., cpus: _Optional[int] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("name", "queue_depth", "queue_wait_ns", "served", "shed", "settings")
    NAME_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    QUEUE_WAIT_NS_FIELD_NUMBER: _ClassVar[int]
    SERVED_FIELD_NUMBER: _ClassVar[int]
    SHED_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    queue_depth: int
    queue_wait_ns: int
    served: int
    shed: int
    settings: StageSettings
    def __init__(self, name: _Optional[str] = ..., queue_depth: _Optional[int] = ..., queue_wait_ns: _Optional[int] = ..., served: _Optional[int] = ..., shed: _Optional[int] = ..., settings: _Optional[_Union[StageSettings, _Mapping]] = ...) -> None: ...

class StageSettings(_message.Message):
    __slots__ = ("rate_per_s", "queue_bound", "batch", "workers", "bypass", "target_p90_ms", "most_workers", "most_batch")
    RATE_PER_S_FIELD_NUMBER: _ClassVar[int]
    QUEUE_BOUND_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    BYPASS_FIELD_NUMBER: _ClassVar[int]
    TARGET_P90_MS_FIELD_NUMBER: _ClassVar[int]
    MOST_WORKERS_FIELD_NUMBER: _ClassVar[int]
    MOST_BATCH_FIELD_NUMBER: _ClassVar[int]
    rate_per_s: int
    queue_bound: int
    batch: int
    workers: int
    bypass: int
    target_p90_ms: int
    most_workers: int
    most_batch: int
    def __init__(self, rate_per_s: _Optional[int] = ..., queue_bound: _Optional[int] = ..., batch: _Optional[int] = ..., workers: _Optional[int] = ..., bypass: _Optional[int] = ..., target_p90_ms: _Optional[int] = ..., most_workers: _Optional[int] = ..., most_batch: _Optional[int] = ...) -> None: ...

class Throttling(_message.Message):
    __slots__ = ("periods", "throttled_periods", "throttled_ns", "quota_cpus")
    PERIODS_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_PERIODS_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_NS_FIELD_NUMBER: _ClassVar[int]
    QUOTA_CPUS_FIELD_NUMBER: _ClassVar[int]
    periods: int
    throttled_periods: int
    throttled_ns: int
    quota_cpus: float
    def __init__(self, periods: _Optional[int] = ..., throttled_periods: _Optional[int] = ..., throttled_ns: _Optional[int] = ..., quota_cpus: _Optional[float] = ...) -> None: ...

class Spans(_message.Message):
    __slots__ = ("made", "exported", "dropped", "lost")
    class LostEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    MADE_FIELD_NUMBER: _ClassVar[int]
    EXPORTED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    made: int
    exported: int
    dropped: int
    lost: _containers.ScalarMap[str, int]
    def __init__(self, made: _Optional[int] = ..., exported: _Optional[int] = ..., dropped: _Optional[int] = ..., lost: _Optional[_Mapping[str, int]] = ...) -> None: ...
