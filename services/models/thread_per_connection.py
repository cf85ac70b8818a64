"""A thread for each connection.

    clients            one thread each
    c1 <--> [ read | run | write ]
    c2 <--> [ read | run | write ]
    c3 <--> [ read | run | write ]
               ^      |
               |      '---> backend, a connection each
    listener --- accept (main thread)

Who waits      Each thread, for its own connection, in recv and send, and for the backend. The calls of one
               connection run one after the other: a slow one holds up those behind it (head-of-line blocking). A
               cancel is read only when the call has ended, or while its stream waits for room.
What bounds it Nothing but the number of connections. Each costs a stack and a scheduler entry. The interpreter lock,
               which they all take turns at, bounds what they compute.
When full      If no thread can be created (EAGAIN), that connection is closed and counted. The others continue. Without
               a free descriptor (EMFILE), connections wait in the backlog.
After          Stevens, UNIX Network Programming 1, "TCP Concurrent Server, One Thread per Client".
"""

from socket import socket
from threading import Thread

from services.runtime.connections.accept import accept_until_drained
from services.runtime.service import Service
from services.runtime.threads.blocking_connection import BlockingConnections
from services.runtime.threads.blocking_waits import BlockingWaits


def serve(service: Service) -> None:
    """Serves until drained."""
    connections = BlockingConnections(service)
    for sock in accept_until_drained(service, service.listen(), connections.check_peers):
        try:
            Thread(target=serve_connection, args=(sock, service, connections), daemon=True).start()
        except RuntimeError:
            service.shortage.of_threads()
            sock.close()
    connections.drain()


def serve_connection(sock: socket, service: Service, connections: BlockingConnections) -> None:
    """Reads, runs and writes, in this order, until the peer or the drain ends the connection."""
    connection = connections.open(sock)
    waits = BlockingWaits(service.config.backend)
    identity = service.identity()
    for call in connection.read_calls():
        connection.run(call, waits, identity)
    waits.close()
    connection.close()
