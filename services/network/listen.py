"""One listening socket, for IPv4 and IPv6 where the host is `::`. Knows no connection."""

import errno
import os
import socket

from services.network.address import Address
from services.network.names import is_literal, look_up

EVERY = "::"
"""Every address of the machine, of both families: one socket takes IPv4 too, as ::ffff:a.b.c.d (ipv6(7))."""

STALL_S = 60
"""A peer that takes none of the bytes sent to it for so long loses its connection: nginx's `send_timeout`, and its
default. The kernel counts it for every model (tcp(7), TCP_USER_TIMEOUT); a receive window of 0 counts too.

After so long without a byte, the kernel asks whether the peer is still there (SO_KEEPALIVE). A machine that has lost
its power loses its connections within twice this time.
"""


def host_to_listen_at(host: str) -> str:
    """The literal that stands for `host`: of a name, its first address that is this machine's. Raises OSError.

    Where the kernel has no IPv6, every address is 0.0.0.0.
    """
    if host in ("", EVERY):
        return EVERY if socket.has_dualstack_ipv6() else "0.0.0.0"
    if is_literal(host):
        return host
    why = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL), host)
    try:
        found = look_up(Address(host, 0))
    except OSError as error:
        raise OSError(error.errno, error.strerror, host) from None
    for endpoint in found:
        try:
            listen(endpoint.host, 0).close()
        except OSError as error:
            why = error
            continue
        return endpoint.host
    raise why


def listen(host: str, port: int, *, backlog: int | None = None, reuse_port: bool = False) -> socket.socket:
    """A listening socket at a literal; what it accepts has STALL_S. Raises OSError, with the address as file name."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server(
            (host, port), family=family, backlog=backlog, reuse_port=reuse_port, dualstack_ipv6=host == EVERY
        )
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), str(Address(host, port))) from None
    # All of these are inherited by what is accepted.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALL_S * 1000)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, STALL_S)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, STALL_S // 6 or 1)
    return listener
