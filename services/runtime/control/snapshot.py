"""The counters of Control.Snapshot: the kernel's for the process tree, the model's for its calls. Stores nothing."""

import os
import time

from sweetspot.v1 import control_pb2

from services.runtime.counters.kernel import read_node, read_tree
from services.runtime.counters.quota import read_throttling
from services.runtime.service import Service


def snapshot(service: Service) -> control_pb2.SnapshotReply:
    """Reads all counters now: of the process that made `service` and its descendants, without the calling process."""
    use = read_tree(service.pid, without=os.getpid())
    reply = control_pb2.SnapshotReply(
        model=service.model,
        host=service.host,
        monotonic_ns=time.monotonic_ns(),
        processes=use.processes,
        threads=use.threads,
        cpu_user_ns=use.cpu_user_ns,
        cpu_system_ns=use.cpu_system_ns,
        rss_bytes=use.rss_bytes,
        pss_bytes=use.pss_bytes,
        rss_peak_bytes=use.rss_peak_bytes,
        vsz_bytes=use.vsz_bytes,
        voluntary_switches=use.voluntary_switches,
        involuntary_switches=use.involuntary_switches,
        connections=service.connections.value(),
        calls_in_flight=service.calls_in_flight.value(),
        queue_depth=service.queue_depth(),
        loop_lag_max_ns=service.loop_lag.take_max_ns(),
        held_bytes=service.memory.held_bytes,
        ledger_sum=service.ledger.sum(),
        lost_updates=service.lost_updates.value(),
        aborted_transfers=service.aborted_transfers.value(),
    )
    if reply.HasField("held_bytes"):
        reply.memory_budget_bytes = service.memory.budget_bytes
    if (spans := service.spans.read()) is not None:
        reply.spans.CopyFrom(spans)
    for row in service.stages.rows.values():
        reply.stages.add(
            name=row.name,
            queue_depth=row.depth.value(),
            queue_wait_ns=row.waited_ns.value(),
            served=row.served.value(),
            shed=row.shed.value(),
            settings=row.settings.message(),
        )
    reply.node.busy_ns, reply.node.cpus = read_node()
    throttling = read_throttling()
    if throttling is not None:
        reply.throttling.periods = throttling.periods
        reply.throttling.throttled_periods = throttling.throttled_periods
        reply.throttling.throttled_ns = throttling.throttled_ns
        reply.throttling.quota_cpus = throttling.quota_cpus
    return reply
