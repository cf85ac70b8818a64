"""One thread, one epoll loop: readiness comes in, callbacks go out.

                       .-----------------------------.
    c1 ----.           |            loop             |
    c2 ----+--> epoll -+-> readable: recv, run, send |
    c3 ----'           |-> writable: send the rest   |
    listener --------->|-> readable: accept          |
    drain ------------>|-> readable: say goodbye     |
    backend <--------->|-> readable: what comes next |
    timers ----------->|-> due: what comes next      |
                       '-----------------------------'
         (all through epoll; a timer is its timeout)

Who waits      The loop, in epoll_wait, for everything at once. A handler leaves a callback and returns. (Two waits
               block the loop all the same: looking up the backend's name, and a pause when descriptors run out.)
What bounds it One CPU. A handler that blocks or computes stalls every connection for as long (loop lag).
When full      Readiness waits in the kernel: socket buffers fill, and flow control slows the clients down.
               MAX_CONCURRENT_STREAMS bounds the calls of each connection.
After          Schmidt, "Reactor", in Pattern-Oriented Software Architecture 2: the loop is its dispatcher, and
               whatever is registered with the loop is one of its event handlers.
"""

from functools import partial

from services.runtime.acceptor import Acceptor, Connections, Drainer
from services.runtime.backend_connection import BackendConnection
from services.runtime.callback_waits import CallbackWaits
from services.runtime.inline import InlineCalls
from services.runtime.loop import Loop
from services.runtime.service import Service


def serve(service: Service) -> None:
    """Serves until drained."""
    loop = Loop()
    waits = CallbackWaits(service.config.backend, loop, partial(BackendConnection, loop))
    calls = InlineCalls(service, waits)
    connections = Connections(service, loop, calls)
    acceptor = Acceptor(service.listen(), loop, connections)
    Drainer(service, loop, connections, acceptor)
    loop.watch_lag(service.loop_lag)
    loop.run()
