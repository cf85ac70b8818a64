"""A process for each connection, forked when it is accepted.

    clients            one process each
    c1 <--> [ read | run | write ]
    c2 <--> [ read | run | write ]
    c3 <--> [ read | run | write ]
               ^      |
               | fork '---> backend, a connection each
    listener --- accept (the service's process, which also waits for those that end)

Who waits      Each process, for its own connection, in poll and send, and for the backend. The calls of one connection
               run one after the other. As with a thread for each connection, a cancel is read only when the call has
               ended, or while its stream waits for room. But no interpreter lock is shared.
What bounds it `processes_bound` processes, including those that are ending. Each costs 3 MiB of memory and a fork of 4
               ms, so short connections cost most (with a thread it is 60 KiB and 0.4 ms). By default their memory is at
               most half of the control group's limit: 42 processes with 256 MiB, and 256 (768 MiB) without a limit.
               An open connection without calls occupies a process, unless `--max-connection-age-s` ends it.
When full      With `processes_bound` processes, further connections wait in the backlog. If fork(2) fails (EAGAIN,
               ENOMEM), the connection is closed and counted.
After          Stevens, UNIX Network Programming 1, "TCP Concurrent Server, One Child per Client"; CERN httpd.
"""

from functools import partial
from socket import socket

from services.models import PROCESSES_BOUND
from services.runtime.config import Config
from services.runtime.counters.quota import memory_limit_bytes
from services.runtime.processes.children import Children
from services.runtime.service import Service
from services.runtime.threads.blocking_connection import BlockingConnection
from services.runtime.threads.blocking_waits import BlockingWaits

PROCESS_BYTES = 3 * 1024 * 1024
"""Memory of a process without calls. It includes the pages that were copied because a count of references changed."""
MOST_PROCESSES = 256


def serve(service: Service) -> None:
    """Serves until drained."""
    children = Children(service)
    for sock in children.accept(service.listen(), most=most_processes(service.config)):
        try:
            children.fork(partial(serve_connection, sock, service))
        except OSError as error:
            service.shortage.of_processes(error)
        sock.close()
    children.drain()


def most_processes(config: Config) -> int:
    """`--processes-bound`, or as many as half of the memory limit holds."""
    limit_bytes = memory_limit_bytes()
    most = MOST_PROCESSES if limit_bytes is None else max(limit_bytes // 2 // PROCESS_BYTES, 1)
    return config[PROCESSES_BOUND] or min(most, MOST_PROCESSES)


def serve_connection(sock: socket, service: Service) -> None:
    """Reads, runs and writes, in this order, until the peer or the drain ends the connection."""
    connection = BlockingConnection(sock, service)
    waits = BlockingWaits(service.config.backend)
    identity = service.identity()
    for call in connection.read_calls():
        connection.run(call, waits, identity)
    waits.close()
    connection.close()
