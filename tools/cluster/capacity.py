"""The calls/s that an arm answers in a closed loop just before its trial: the sum of all shards.

    each shard   runs the driver, and has the calls/s that were answered
    shard 0      listens, adds up what the others send, and sends each of them the sum

So all shards continue with the same number. Must not know what rate follows from it.
"""

import json
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from tools.address import Address
from tools.cluster.api import ClusterError
from tools.local import started

RETRY_S = 0.05
"""Time until the next attempt to connect, if no process listens on the port yet."""
_MAX_LINE_BYTES = 200


def closed_loop_rps(command: Sequence[str], out: Path, timeout_s: float) -> float:
    """Runs the driver to its end. Returns the calls/s answered OK, which it writes to `out`. Raises LocalError."""
    with started("driver", command) as driver:
        driver.finish(timeout_s)
    rate_rps: float = json.loads(out.read_text(encoding="utf-8"))["got"]["rate_rps"]
    return rate_rps


def total(own: float, shard: int, of: int, at: Address, timeout_s: float) -> float:
    """The sum of the values of `of` shards. Shard 0 listens on the port of `at`. Raises ClusterError."""
    deadline_s = time.monotonic() + timeout_s
    try:
        found = own
        if of > 1:
            found = _added(own, of, at.port, deadline_s) if shard == 0 else _asked(own, shard, at, deadline_s)
    except (OSError, ValueError) as error:
        why = str(error) or type(error).__name__
        raise ClusterError(f"the capacity of all {of} shards is unknown: {why}") from error
    if not found:
        raise ClusterError("it answered no call in a closed loop, so its capacity is unknown")
    return found


def _added(own: float, of: int, port: int, deadline_s: float) -> float:
    others: dict[int, tuple[float, socket.socket]] = {}
    try:
        with _listening(port, of) as listener:
            while len(others) < of - 1:
                listener.settimeout(_left_s(deadline_s))
                connection, _ = listener.accept()
                try:
                    number, value = _line(connection, deadline_s)
                    others[int(number)] = float(value), connection
                except (OSError, ValueError, TypeError):
                    connection.close()  # it is no shard
        # The port is free before a shard continues: the driver's barrier listens there next.
        found = sum((value for value, _ in others.values()), start=own)
        for _, connection in others.values():
            connection.sendall(json.dumps([0, found]).encode() + b"\n")
    finally:
        for _, connection in others.values():
            connection.close()
    return found


def _asked(own: float, shard: int, at: Address, deadline_s: float) -> float:
    while True:
        try:
            connection = socket.create_connection((at.host, at.port), timeout=_left_s(deadline_s))
            break
        except OSError:
            if time.monotonic() + RETRY_S > deadline_s:
                raise
            time.sleep(RETRY_S)
    with connection:
        connection.sendall(json.dumps([shard, own]).encode() + b"\n")
        _, found = _line(connection, deadline_s)
    return float(found)


def _listening(port: int, backlog: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)
    return socket.create_server(("", port), backlog=backlog)


def _line(connection: socket.socket, deadline_s: float) -> Sequence[float]:
    """The number of a shard, and a value. Raises OSError, ValueError."""
    connection.settimeout(_left_s(deadline_s))
    with connection.makefile("rb") as lines:
        read = json.loads(lines.readline(_MAX_LINE_BYTES))
    number, value = read
    return number, value


def _left_s(deadline_s: float) -> float:
    return max(deadline_s - time.monotonic(), 0.001)
