"""A fixed pool of threads runs the calls; a thread for each connection reads them.

    clients       readers           bounded queue        pool
    c1 ---- [ read ] --.                             .-- [ run | write ] --.
    c2 ---- [ read ] --+--->  | call | call | ... |--+-- [ run | write ] --+-> backend, a connection each
    c3 ---- [ read ] --'                             '-- [ run | write ] --'
                 ^
    listener --- accept (main thread)

Who waits      A reader, for its connection; a worker, for the next call and then for the backend.
What bounds it Calls that run at once: the pool. Its size comes from the CPU quota, not from the number of clients;
               memory still grows with them, by a reader each.
When full      The queue takes `queue_bound` calls; a further one is answered RESOURCE_EXHAUSTED by its reader.
               Connections take turns in the queue, unless `--policy` sets another order. If no reader can be created
               (EAGAIN), that connection is closed and counted.
After          Schmidt et al., Pattern-Oriented Software Architecture 2: Active Object, whose scheduler is a pool.
"""

import queue
import threading
from functools import partial
from operator import itemgetter
from socket import socket

from services.runtime.accept import accept_until_drained
from services.runtime.blocking import BlockingWaits, Connection, Connections
from services.runtime.fair import Ordered, SharedFairQueue
from services.runtime.policy import ordered
from services.runtime.pool import FULL, room_waiters
from services.runtime.service import Service
from services.wire import CallReceived, ServerCall

Waiting = tuple[Connection, ServerCall]
Queue = SharedFairQueue[Waiting]


def serve(service: Service) -> None:
    """Serves until drained."""
    connections = Connections()
    items: Ordered[Waiting] = ordered(service.config.policy, itemgetter(0), request_of)
    calls = Queue(service.config.queue_bound, itemgetter(0), items)
    waiters = room_waiters(service.config)
    service.queue.set(0)
    for number in range(service.config.pool_threads):
        threading.Thread(target=work, args=(service, calls), name=f"worker-{number}", daemon=True).start()
    for sock in accept_until_drained(service, service.listen()):
        try:
            reader = partial(read_connection, sock, service, connections, calls, waiters)
            threading.Thread(target=reader, daemon=True).start()
        except RuntimeError:
            service.shortage.of_threads()
            sock.close()
    connections.drain(service)


def request_of(item: Waiting) -> bytes:
    """What a call that waits asks for."""
    _, call = item
    return call.request


def read_connection(
    sock: socket, service: Service, connections: Connections, calls: Queue, waiters: threading.Semaphore
) -> None:
    """Reads, and queues what is to be run, until the peer or the drain ends the connection."""
    connection = Connection(sock, service, waiters)
    connections.add(connection)
    if service.drain.requested:
        connection.drain()
    while (events := connection.receive()) is not None:
        for event in events:
            if isinstance(event, CallReceived):
                service.queue.add(1)  # before a worker can take it, lest the count falls below 0
                try:
                    calls.put((connection, event.call))
                except queue.Full:
                    service.queue.add(-1)
                    connection.finish(event.call, *FULL)
    connection.close()
    connections.discard(connection)


def work(service: Service, calls: Queue) -> None:
    """Runs one call after the other."""
    waits = BlockingWaits(service.config.backend)
    identity = service.identity()
    while True:
        connection, call = calls.get()
        service.queue.add(-1)
        connection.run(call, waits, identity)
        del connection, call  # else a worker that waits for the next call holds this one
