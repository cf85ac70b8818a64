"""How a thread waits for what a call needs: it sleeps, or it blocks in `recv` on a connection to the backend."""

import socket
import time

from services.network.address import Address
from services.network.connect import CHECK_S, connect
from services.network.receive import RECEIVE_BYTES
from services.runtime.backend.channel import NO_BACKEND
from services.runtime.backend.connector import CONNECT_TIMEOUT_S
from services.wire import ClientSession, Code, RpcError
from services.workload.run import FETCH_PATH, Fetch, Run


class BlockingWaits:
    """One thread's own, with a backend connection that no other thread uses."""

    def __init__(self, backend: Address | None) -> None:
        self._backend = backend
        self._sock: socket.socket | None = None
        self._session: ClientSession | None = None

    def sleep(self, duration_us: int, run: Run) -> None:
        """Sleeps, and checks every CHECK_S whether a caller still waits. 0 only releases the interpreter lock."""
        if not duration_us:
            time.sleep(0)
        until_ns = time.monotonic_ns() + duration_us * 1000
        while (left_s := (until_ns - time.monotonic_ns()) / 1e9) > 0:
            time.sleep(min(left_s, CHECK_S))
            run.check()

    def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        """Calls the backend, and checks every CHECK_S whether a caller still waits."""
        timeout_ns = None if fetch.deadline_ns is None else fetch.deadline_ns - time.monotonic_ns()
        try:
            sock, session = self._connected(run)
            call = session.start(FETCH_PATH, fetch.request, timeout_ns=timeout_ns, metadata=fetch.metadata)
            while call.code is None:
                while data := session.data_to_send():
                    sock.sendall(data)
                try:
                    received = sock.recv(RECEIVE_BYTES)
                except TimeoutError:
                    run.check()
                    continue
                session.receive_data(received)
        except RpcError as error:
            self.close()
            return error
        except OSError as error:
            self.close()
            return RpcError(Code.UNAVAILABLE, f"backend {self._backend}: {error.strerror or error}")
        if session.closed:
            self.close()
        if call.code is Code.OK and call.reply is not None:
            return call.reply
        return RpcError(call.code, call.message)

    def close(self) -> None:
        """Closes the backend connection; the next `fetch` opens another."""
        if self._sock is not None:
            self._sock.close()
        self._sock = self._session = None

    def _connected(self, run: Run) -> tuple[socket.socket, ClientSession]:
        if self._backend is None:
            raise RpcError(*NO_BACKEND)
        if self._sock is None or self._session is None:
            self._sock = connect(self._backend, CONNECT_TIMEOUT_S, run.check)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._session = ClientSession(str(self._backend))
        return self._sock, self._session
