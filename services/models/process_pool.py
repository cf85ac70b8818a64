"""A fixed pool of processes, forked before there is a client: each accepts, reads, runs and answers.

    clients                    workers, --threads in each
    c1 ---.              .---- [ accept | read | run | write ] ---> c1
    c2 ---+-> listener --+---- [ accept | read | run | write ] ---> c2
    c3 ---' (shared)     '---- [ accept | read | run | write ] ---> c3
                                  ^              |
                             fork |              '---> backend, a connection for each thread
    supervisor -------------------' waits for deaths, forks again

Who waits      Each thread of each worker: in epoll_wait for a client, in poll and send for its calls, in recv for the
               backend. It serves one connection to its end, and its calls in turn, so an idle client blocks a thread
               for all others. (`--max-connection-age-s` bounds that. A peer that does not open HTTP/2 loses its
               connection after 20 s.)
What bounds it Connections at once: processes times threads, `threads_per_cpu` for each CPU unless `--processes` sets
               the number. Each process has an interpreter lock of its own, so all CPUs compute; and memory of its own.
When full      Connections wait in the backlog until a thread has done with its client; beyond it the kernel drops
               them, and they try again.
               With `--reuse-port` each process has a backlog: a connection may wait for a busy one beside idle ones,
               and is reset if that one dies.
After          Stevens, UNIX Network Programming 1, "TCP Preforked Server, No Locking Around accept", and with threads
               "TCP Prethreaded Server, per-Thread accept"; Apache httpd's MPMs `prefork` and `worker`.
"""

import math
import socket
from threading import Thread

from services.models import REUSE_PORT, THREADS
from services.runtime.connections.accept import accept_until_drained, stop_listening
from services.runtime.counters.quota import usable_cpus
from services.runtime.processes.supervisor import Supervisor
from services.runtime.service import Service
from services.runtime.threads.blocking_connection import BlockingConnection
from services.runtime.threads.blocking_waits import BlockingWaits
from services.runtime.workers import MAX_PROCESSES, PROCESSES, THREADS_PER_CPU


def serve(service: Service) -> None:
    """Serves until drained."""
    config = service.config
    # The port is known before there are workers. If each of them listens by itself, this socket only reserves the port.
    listener = service.reserve() if config[REUSE_PORT] else service.open_listener()
    port = listener.getsockname()[1]

    def work(number: int) -> None:
        own = service.open_listener(port, reuse_port=True) if config[REUSE_PORT] else listener
        names = [f"worker-{number}.{thread}" for thread in range(1, config[THREADS])]
        threads = [Thread(target=serve_connections, args=(own, service), name=name, daemon=True) for name in names]
        for thread in threads:
            thread.start()
        supervisor.ready()
        serve_connections(own, service)
        for thread in threads:
            thread.join()

    enough = math.ceil(config[THREADS_PER_CPU] * usable_cpus() / config[THREADS])
    supervisor = Supervisor(service, config[PROCESSES] or min(enough, MAX_PROCESSES), work)
    supervisor.start()
    service.announce(port)
    supervisor.run()
    if config[REUSE_PORT]:
        listener.close()
    else:
        stop_listening(listener)
    supervisor.drain()


def serve_connections(listener: socket.socket, service: Service) -> None:
    """Accepts and serves one connection after the other."""
    waits = BlockingWaits(service.config.backend)
    identity = service.identity()
    for sock in accept_until_drained(service, listener):
        connection = BlockingConnection(sock, service)
        for call in connection.read_calls():
            connection.run(call, waits, identity)
        connection.close()
