"""One connection after the other: the only thread accepts, reads, runs and answers, and then takes the next client.

    clients                    the only thread
    c1 <-------------->  [ accept | read | run | write | ... until c1 leaves ]
    c2 ---> | c2 | c3 |       ^             |                       |
    c3 ---'  backlog          |             '---> backend           |
                              '------------- next client -----------'

Who waits      The thread, in poll and in send for the one client that it serves, and in recv for the backend. All other
               clients, until that one leaves, also while it is silent. `--max-connection-age-s` bounds that. A peer
               that does not open HTTP/2 loses its connection after 20 s. A call waits for the earlier calls of its
               connection. A cancel is read only when the call has ended, or while its stream waits for room.
What bounds it One call at a time, whatever there is of processors. Memory does not grow with clients.
When full      That is: always, with one client. The others wait in the backlog; beyond it the kernel drops them, and
               they try again.
After          Stevens, UNIX Network Programming 1, "TCP Iterative Server": no control over concurrency, so what any
               other model costs or gains is measured from here.
"""

from contextlib import suppress
from socket import socket

from services.runtime.connections.accept import accept_until_drained
from services.runtime.drain import TimeIsUp
from services.runtime.service import Service
from services.runtime.threads.blocking_connection import BlockingConnection
from services.runtime.threads.blocking_waits import BlockingWaits


def serve(service: Service) -> None:
    """Serves until drained."""
    with suppress(TimeIsUp), service.drain.cutting_off(service.config.drain_timeout_s):
        for sock in accept_until_drained(service, service.listen()):
            serve_connection(sock, service)


def serve_connection(sock: socket, service: Service) -> None:
    """Reads, runs and writes, in this order, until the peer or the drain ends the connection."""
    connection = BlockingConnection(sock, service)
    waits = BlockingWaits(service.config.backend)
    identity = service.identity()
    for call in connection.read_calls():
        connection.run(call, waits, identity)
    waits.close()
    connection.close()
