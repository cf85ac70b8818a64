"""A process for each connection, forked when it is accepted.

    clients            one process each
    c1 ---- [ read | run | write ] ----.
    c2 ---- [ read | run | write ] ----+---> backend, a connection each
    c3 ---- [ read | run | write ] ----'
                 ^ fork
    listener --- accept (the service's process, which also waits for those that end)

Who waits      Each process, for its own connection, in recv and send, and for the backend. The calls of one connection
               run one after the other. As with a thread for each connection, a cancel is read only when the call before
               it has ended. But no interpreter lock is shared.
What bounds it Memory and a fork for each connection, some 2.5 MB and 4 ms (with a thread it is 35 KB and 0.4 ms), so
               short connections cost most; `processes_bound` of them.
When full      With `processes_bound` connections, further ones wait in the backlog. If fork(2) fails (EAGAIN), the
               connection is closed and counted.
After          Stevens, UNIX Network Programming 1, "TCP Concurrent Server, One Child per Client"; CERN httpd.
"""

from functools import partial
from socket import socket

from services.models import PROCESSES_BOUND
from services.runtime.accept import accept_for_children
from services.runtime.blocking_connection import BlockingConnection
from services.runtime.blocking_waits import BlockingWaits
from services.runtime.children import Children
from services.runtime.service import Service


def serve(service: Service) -> None:
    """Serves until drained."""
    children = Children(service)
    for sock in accept_for_children(service, service.listen(), children, service.config[PROCESSES_BOUND]):
        try:
            children.fork(partial(serve_connection, sock, service))
        except OSError as error:
            service.shortage.of_processes(error)
        sock.close()
    children.drain()


def serve_connection(sock: socket, service: Service) -> None:
    """Reads, runs and writes, in this order, until the peer or the drain ends the connection."""
    connection = BlockingConnection(sock, service)
    waits = BlockingWaits(service.config.backend)
    identity = service.identity()
    for call in connection.read_calls():
        connection.run(call, waits, identity)
    waits.close()
    connection.close()
