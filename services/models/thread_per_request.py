"""A thread for each call, begun when it has been read; a thread for each connection reads them.

    clients       readers              one thread each call
    c1 ---- [ read ] --.  start   .---- [ run | write ] ---> c1
    c2 ---- [ read ] --+----------+---- [ run | write ] ---> c2
    c3 ---- [ read ] --'          '---- [ run | write ] ---> c3
               ^                           |
    listener --- accept (main thread)      '---> backend, a connection each

Who waits      A reader, for its connection; a call's thread, for the backend, and for its client to read. No call waits
               for another one, not even of the same connection: no head-of-line blocking, and replies may overtake each
               other. One thread at a time writes to a connection, also what other threads have left to write.
What bounds it Calls at once: `threads_bound`. Each costs the start of a thread, and a stack while it runs; they all
               take turns at the interpreter lock.
When full      A call beyond `threads_bound`, or for which the kernel has no thread (EAGAIN), is answered
               RESOURCE_EXHAUSTED by its reader. Where it has none for a reader, that connection is closed.
After          Schmidt and Vinoski, Comparing Alternative Programming Techniques for Multi-threaded Servers:
               Thread-per-Request, C++ Report, February 1996; Welsh et al., SEDA, SOSP 2001, section 2.1.
"""

from socket import socket
from threading import Semaphore, Thread

from services.models import THREADS_BOUND
from services.runtime.connections.accept import accept_until_drained
from services.runtime.service import Service
from services.runtime.threads.blocking_connection import BlockingConnection, BlockingConnections
from services.runtime.threads.blocking_waits import BlockingWaits
from services.wire import Code, ServerCall


def serve(service: Service) -> None:
    """Serves until drained."""
    runner = Runner(service)
    connections = BlockingConnections(service)
    for sock in accept_until_drained(service, service.listen(), connections.check_peers):
        try:
            Thread(target=read_connection, args=(sock, connections, runner), daemon=True).start()
        except RuntimeError:
            service.shortage.of_threads()
            sock.close()
    connections.drain()


def read_connection(sock: socket, connections: BlockingConnections, runner: "Runner") -> None:
    """Reads, and has a thread run and write each call, until the peer or the drain ends the connection."""
    connection = connections.open(sock)
    for call in connection.read_calls():
        if not runner.start(connection, call):
            connection.finish(call, Code.RESOURCE_EXHAUSTED, "no thread is free")
    connection.close()


class Runner:
    """Starts a thread for each call, as long as there may be more of them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._free = Semaphore(service.config[THREADS_BOUND])
        # A thread ends with its call. Its connection to the backend is stored here for a later thread.
        self._idle_waits: list[BlockingWaits] = []

    def start(self, connection: BlockingConnection, call: ServerCall) -> bool:
        """False where there are as many threads as there may be."""
        if not self._free.acquire(blocking=False):
            return False
        try:
            Thread(target=self._run, args=(connection, call), daemon=True).start()
        except RuntimeError:
            self._service.shortage.of_threads()
            self._free.release()
            return False
        return True

    def _run(self, connection: BlockingConnection, call: ServerCall) -> None:
        try:
            waits = self._idle_waits.pop()
        except IndexError:
            waits = BlockingWaits(self._service.config.backend)
        connection.run(call, waits, self._service.identity())
        self._idle_waits.append(waits)
        self._free.release()
