"""Green threads: a greenlet reads each connection, and one runs each call. They look as if they blocked.

                            one thread
              .--------------------------------------.
    c1 ---- [ read ] --spawn--> [ run | write ] --.  |
            [      ] --spawn--> [ run | write ] --+--+--> backend, a connection each
    c2 ---- [ read ] --spawn--> [ run | write ] --'  |
    listener [ accept ]                              |
              '--------- hub: one epoll loop --------'
                  (who would block switches to it)

Who waits      A greenlet, in what reads like recv, send, sleep or a lock's acquire: it puts its descriptor or time
               into the hub's loop and switches there; its stack stays as it is. The thread waits in the hub alone.
               Where it yields cannot be seen in the code: the handler and the connection are those of the threads.
What bounds it One CPU, and a piece of stack for each connection and call. What does not go through Python's sockets
               and sleeps is not seen by the hub: a call into C (PBKDF2, a `block` step) stalls every connection, also
               where it lets the interpreter lock go.
When full      As the reactor: readiness waits in the kernel; MAX_CONCURRENT_STREAMS bounds each connection's calls. If
               a peer does not read, the greenlet that writes to it waits, at most 20 s; then the connection is closed.
After          von Behren et al., Capriccio: Scalable Threads for Internet Services, SOSP 2003; Erb, section 4.3.

Importing this file makes the process's sockets, sleeps, threads and queues cooperative. So it happens after the fork of
the control process, whose own loop must not change. It happens before telemetry starts threads, which become greenlets.
select is not changed: only the `block` step blocks in it, and it must.
"""

from gevent import monkey

monkey.patch_socket()
monkey.patch_time()
monkey.patch_thread()
monkey.patch_queue()

import time  # noqa: E402
from socket import socket  # noqa: E402

import gevent  # noqa: E402
from gevent.socket import wait_read  # noqa: E402

from services.runtime.connections.accept import accept_ready  # noqa: E402
from services.runtime.connections.linger import WRITE_STALL_S  # noqa: E402
from services.runtime.counters.lag import LoopLag  # noqa: E402
from services.runtime.service import Service  # noqa: E402
from services.runtime.threads.blocking_connection import BlockingConnection, BlockingConnections  # noqa: E402
from services.runtime.threads.blocking_waits import BlockingWaits  # noqa: E402
from services.wire import ServerCall  # noqa: E402


def serve(service: Service) -> None:
    """Serves until drained."""
    connections = BlockingConnections(service)
    listener = service.listen()
    acceptor = gevent.spawn(accept, listener, service, connections)
    checker = gevent.spawn(check_peers, connections, service.limits.check_s)
    watch_iterations(service.loop_lag)
    wait_read(service.drain.fileno())
    acceptor.kill()
    checker.kill()
    listener.close()
    connections.drain()


def accept(listener: socket, service: Service, connections: BlockingConnections) -> None:
    """Accepts for as long as it is let."""
    listener.setblocking(False)
    idle: list[BlockingWaits] = []
    while True:
        wait_read(listener.fileno())
        for sock in accept_ready(listener, service.shortage):
            sock.settimeout(WRITE_STALL_S)  # gevent does not see SO_SNDTIMEO
            gevent.spawn(read_connection, sock, service, connections, idle)


def check_peers(connections: BlockingConnections, every_s: float) -> None:
    """Ends what waits for silent peers, for as long as it is let."""
    while True:
        time.sleep(every_s)
        connections.check_peers()


def read_connection(
    sock: socket, service: Service, connections: BlockingConnections, idle: list[BlockingWaits]
) -> None:
    """Reads, and has a greenlet run and write each call, until the peer or the drain ends the connection."""
    connection = connections.open(sock)
    identity = service.identity()
    for call in connection.read_calls():
        gevent.spawn(run_call, connection, call, service, identity, idle)
    connection.close()


def run_call(
    connection: BlockingConnection, call: ServerCall, service: Service, identity: bytes, idle: list[BlockingWaits]
) -> None:
    """Runs one call, with a connection to the backend that no other call has at the same time."""
    waits = idle.pop() if idle else BlockingWaits(service.config.backend)
    connection.run(call, waits, identity)
    idle.append(waits)


def watch_iterations(lag: LoopLag) -> None:
    """Notes each iteration of the hub's loop (libev(3), ev_prepare and ev_check).

    By their priorities, `check` runs before the greenlets of an iteration, and `prepare` after them.
    """
    loop = gevent.get_hub().loop
    began_ns = time.monotonic_ns()

    def begin() -> None:
        nonlocal began_ns
        began_ns = time.monotonic_ns()

    check, prepare = loop.check(ref=False, priority=loop.MAXPRI), loop.prepare(ref=False, priority=loop.MINPRI)
    check.start(begin)
    prepare.start(lambda: lag.note(time.monotonic_ns() - began_ns))
