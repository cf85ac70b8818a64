"""A fixed pool of threads runs the calls; a thread for each connection reads them.

    clients       readers           bounded queue        pool
    c1 ---- [ read ] --.                             .-- [ run | write ] ---> c1
    c2 ---- [ read ] --+--->  | call | call | ... |--+-- [ run | write ] ---> c2
    c3 ---- [ read ] --'                             '-- [ run | write ] ---> c3
               ^                                            |
    listener --- accept (main thread)                       '---> backend, a connection each

Who waits      A reader, for its connection; a worker, for the next call, for the backend, and for a client to read. At
               most half of the workers wait for clients to read.
What bounds it Calls that run at once: the pool, `threads_per_cpu` for each CPU of the quota, not for each client.
               Memory still grows with clients, by a reader each. All threads take turns at the interpreter lock.
When full      The queue takes `queue_bound` calls; a further one is answered RESOURCE_EXHAUSTED by its reader.
               Connections take turns in the queue, unless `--policy` sets another order. If no reader can be created
               (EAGAIN), that connection is closed and counted.
After          Schmidt et al., Pattern-Oriented Software Architecture 2: Active Object, whose scheduler is a pool.
"""

from socket import socket
from threading import Thread

from services.runtime.connections.accept import accept_until_drained
from services.runtime.service import Service
from services.runtime.threads.blocking_connection import BlockingConnection, BlockingConnections
from services.runtime.threads.blocking_waits import BlockingWaits
from services.runtime.threads.pool import Pool, room_waiters
from services.wire import RpcError, ServerCall


def serve(service: Service) -> None:
    """Serves until drained."""
    pool = Pool(service, lambda: BlockingWaits(service.config.backend), BlockingConnection.run)
    connections = BlockingConnections(service, room_waiters(pool.threads))
    for sock in accept_until_drained(service, service.listen(), connections.check_peers):
        try:
            Thread(target=read_connection, args=(sock, connections, pool), daemon=True).start()
        except RuntimeError:
            service.shortage.of_threads()
            sock.close()
    connections.drain()


def read_connection(sock: socket, connections: BlockingConnections, pool: Pool[BlockingConnection, ServerCall]) -> None:
    """Reads, and has the pool run and write, until the peer or the drain ends the connection."""
    connection = connections.open(sock)
    for call in connection.read_calls():
        try:
            pool.put(connection, call)
        except RpcError as full:
            connection.finish(call, full.code, full.message)
    connection.close()
