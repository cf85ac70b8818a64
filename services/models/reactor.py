"""One thread runs one loop, which waits until sources are ready and runs the callback of each ready source.

                       .-----------------------------.
    c1 ----.           |            loop             |
    c2 ----+--> epoll -+-> readable: recv, run, send |
    c3 ----'           |-> writable: send the rest   |
    listener --------->|-> readable: accept          |
    drain ------------>|-> readable: drain           |
    backend <--------->|-> readable: resume a call   |
    timers ----------->|-> due: resume a call        |
                       '-----------------------------'
         (all through epoll, or `--demultiplexer poll` or `select`; a timer is its timeout)
         (`--loops N`: N such loops, a thread and a listener each)

Who waits      The loop, in epoll_wait, for everything at once. A handler registers a callback and returns.
               Another thread looks up the backend's name.
What bounds it One CPU. A handler that blocks or computes stalls every connection of its loop for that time (loop lag).
               With `--loops N`, the loops share one interpreter lock, so together they compute as much as one CPU.
               Without that lock (free-threaded CPython) they use N CPUs. Calls of two loops run at the same time, so
               shared data needs locks.
When full      Ready connections wait in the kernel: socket buffers fill, and flow control slows the clients down.
               Each of several loops has a backlog, and the kernel chooses one by a hash of the addresses (see
               runtime/threads/loops.py). So a connection may wait for a busy loop although another one is idle.
               MAX_CONCURRENT_STREAMS bounds the calls of each connection. With `--demultiplexer select`, a
               connection whose descriptor is 1024 or above is closed at once.
After          Schmidt, "Reactor", in Pattern-Oriented Software Architecture 2: the loop is its dispatcher, and
               whatever is registered with the loop is one of its event handlers. How a call stores its state while it
               waits (`--style`): Adya et al., Cooperative Task Management ..., USENIX 2002, section 3.
"""

import socket
from functools import partial

from services.models import DEMULTIPLEXER, STYLE
from services.runtime.backend.backend_connection import BackendConnection
from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.callbacks.inline import InlineCalls
from services.runtime.readiness.demultiplexer import DEMULTIPLEXERS
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.loop_connection import Acceptor, Drainer, LoopConnections
from services.runtime.service import Service
from services.runtime.threads.loops import serve_in_loops
from services.workload.callback_styles import CALLBACK_STYLES


def serve(service: Service) -> None:
    """Serves until drained."""
    serve_in_loops(service, partial(run_loop, service))


def run_loop(service: Service, listener: socket.socket) -> None:
    """One loop, in the calling thread, until it has drained."""
    loop = Loop(DEMULTIPLEXERS[service.config[DEMULTIPLEXER]]())
    waits = CallbackWaits(service.config.backend, loop, partial(BackendConnection, loop))  # backend, timers: resume
    calls = InlineCalls(service, waits, CALLBACK_STYLES[service.config[STYLE]])  # run
    connections = LoopConnections(service, loop, calls)  # recv, send, send the rest
    acceptor = Acceptor(service, loop, listener, connections)
    loop.register(listener, acceptor)
    loop.register(service.drain, Drainer(service, loop, acceptor, connections))
    service.loop_lag.watch(loop)
    while not connections.drained():
        loop.dispatch(loop.poll())
