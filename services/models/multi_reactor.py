"""An event loop in each of several processes, and in front of them one that accepts and deals out connections.

    clients       dispatcher                  a loop each
    c1 ----.      .--------.  connections    .------------------------------.
    c2 ----+----> | accept | ---- SCM_ ----> | epoll -> recv, run, send ... | --.
    c3 ----'      | choose |     RIGHTS      '------------------------------'   +--> backend, a connection each
                  |        | --------------> [ epoll -> recv, run, send ...  ] -'
                  '--------'
                   forks them, and again those that die

Who waits      The dispatcher, for connections; each loop, in epoll_wait, for all of its own. Once dealt, a connection
               is its loop's for good: the client talks to that process, and the dispatcher sees no byte of it.
What bounds it The CPUs: each loop uses one. A handler that computes or blocks stalls only its own loop's clients, but
               those although others may be idle: connections are dealt, calls are not.
When full      A loop that does not come to take its connections has PASSED_BOUND of them at most; where all have, the
               dispatcher accepts no more and the backlog fills.
               `--balance kernel` has no dispatcher: each loop listens to the same port by itself, with a backlog of its
               own, and a hash of the addresses chooses (socket(7), SO_REUSEPORT).
After          Stevens, UNIX Network Programming 1, "TCP Preforked Server, Descriptor Passing", with a loop in each
               child; SYMPED in Pariag et al., Comparing the Performance of Web Server Architectures, EuroSys 2007.
"""

import itertools
import random
import socket
import time
from collections.abc import Callable
from functools import partial

from services.models import BALANCE
from services.runtime.backend.backend_connection import BackendConnection
from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.callbacks.inline import InlineCalls
from services.runtime.connections.accept import accept_ready, stop_listening
from services.runtime.processes.mailbox import Mailbox, Receiver
from services.runtime.processes.supervisor import Supervisor, serve_at_one_port
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.loop_connection import Acceptor, Drainer, LoopConnections
from services.runtime.service import Service
from services.runtime.workers import processes

PASSED_BOUND = 64
PAUSE_S = 0.005


def serve(service: Service) -> None:
    """Serves until drained."""
    if service.config[BALANCE] == "kernel":
        serve_without_dispatcher(service)
    else:
        serve_behind_dispatcher(service)


def serve_behind_dispatcher(service: Service) -> None:
    """This process is the dispatcher."""
    listener = service.open_listener()
    mailboxes = [Mailbox() for _ in range(processes(service.config))]

    def work(number: int) -> None:
        loop, mailbox = Loop(), mailboxes[number]
        connections = connections_of(service, loop)
        loop.register(mailbox, Receiver(mailbox, loop, service.shortage, connections.add, connections.drain))
        service.loop_lag.watch(loop)
        supervisor.ready()
        while not connections.drained():
            loop.dispatch(loop.poll())

    supervisor = Supervisor(service, len(mailboxes), work)
    supervisor.start()
    supervisor.watch(listener, Dispatcher(listener, mailboxes, service, supervisor).dispatch)
    service.announce(listener.getsockname()[1])
    supervisor.run()
    stop_listening(listener)
    for mailbox in mailboxes:
        mailbox.end()
    supervisor.drain()


def serve_without_dispatcher(service: Service) -> None:
    """This process only reserves the port and supervises the others."""

    def work(port: int, ready: Callable[[], None]) -> None:
        loop, listener = Loop(), service.open_listener(port, reuse_port=True)
        connections = connections_of(service, loop)
        acceptor = Acceptor(service, loop, listener, connections)
        loop.register(listener, acceptor)
        loop.register(service.drain, Drainer(service, loop, acceptor, connections))
        service.loop_lag.watch(loop)
        ready()
        while not connections.drained():
            loop.dispatch(loop.poll())

    serve_at_one_port(service, work)


def connections_of(service: Service, loop: Loop) -> LoopConnections:
    """The connections of a loop that runs their calls itself."""
    waits = CallbackWaits(service.config.backend, loop, partial(BackendConnection, loop))
    return LoopConnections(service, loop, InlineCalls(service, waits))


class Dispatcher:
    """Accepts, and passes each connection to the loop whose turn it is."""

    def __init__(
        self, listener: socket.socket, mailboxes: list[Mailbox], service: Service, supervisor: Supervisor
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._mailboxes = mailboxes
        self._service = service
        self._supervisor = supervisor
        self._turn = itertools.count()
        balances: dict[str, Callable[[list[int]], int]] = {
            "round-robin": self._next_in_turn,
            "least-connections": self._least_connected,
            "random": random.choice,
        }
        self._choose = balances[service.config[BALANCE]]

    def dispatch(self) -> None:
        """Deals out one connection, if there is one and a loop that takes it."""
        takers = [number for number in self._supervisor.living() if self._mailboxes[number].unread() < PASSED_BOUND]
        if not takers:
            time.sleep(PAUSE_S)  # the listener stays readable: without a pause the dispatcher would spin
            return
        for sock in itertools.islice(accept_ready(self._listener, self._service.shortage), 1):
            self._mailboxes[self._choose(takers)].send(sock)
            sock.close()

    def _next_in_turn(self, takers: list[int]) -> int:
        return takers[next(self._turn) % len(takers)]

    def _least_connected(self, takers: list[int]) -> int:
        return min(takers, key=lambda number: self._service.connections.of(number) + self._mailboxes[number].unread())
