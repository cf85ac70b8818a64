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

from services.runtime.accept import accept_ready, stop_listening
from services.runtime.blocking import BlockingWaits, Connection
from services.runtime.children import Children
from services.runtime.service import Service
from services.wire import CallReceived


def serve(service: Service) -> None:
    """Serves until drained."""
    listener = service.listen()
    listener.setblocking(False)
    children = Children(service)
    children.watch(listener)
    free = list(range(service.config.processes_bound))
    while True:
        readable, ended = children.wait()
        if service.drain.requested:
            break
        if ended and not free:
            children.watch(listener)
        free += [end.number for end in ended]
        if listener.fileno() in readable and (sock := next(accept_ready(listener, service.shortage), None)) is not None:
            number = free.pop()
            try:
                children.fork(number, partial(serve_connection, sock, listener, service))
            except OSError as error:
                service.shortage.of_processes(error)
                free.append(number)
            sock.close()
            if not free:
                children.unwatch(listener)
    stop_listening(listener)
    children.drain()


def serve_connection(sock: socket, listener: socket, service: Service) -> None:
    """Reads, runs and answers, in this order, until the peer or the drain ends the connection."""
    listener.close()
    sock.setblocking(True)
    connection = Connection(sock, service)
    waits = BlockingWaits(service.config.backend)
    identity = service.identity()
    while (events := connection.receive_or_drain()) is not None:
        for event in events:
            if isinstance(event, CallReceived):
                connection.run(event.call, waits, identity)
    waits.close()
    connection.close()
