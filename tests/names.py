"""`python -m tests.names NAME=ADDRESS[,ADDRESS] -m MODULE ...`: runs a module for which a name stands for addresses.

In that process and those that it forks, without a change to the machine's hosts file. The name `stuck` is looked up for
STUCK_S, and then stands for nothing.
"""

import _socket
import runpy
import sys
import time
from typing import Any

STUCK_S = 2.0
_look_up: Any = _socket.getaddrinfo


def named(name: str, *addresses: str) -> tuple[str, ...]:
    """The interpreter, for `serving`."""
    return (sys.executable, "-m", "tests.names", f"{name}={','.join(addresses)}")


def _main(definition: str, module: str, *arguments: str) -> None:
    name, _, addresses = definition.partition("=")

    def look_up(host: str, *rest: Any, **more: Any) -> list[Any]:
        if host == "stuck":
            time.sleep(STUCK_S)
            raise _socket.gaierror(_socket.EAI_NONAME, "Name or service not known")
        if host != name:
            return list(_look_up(host, *rest, **more))
        return [found for address in addresses.split(",") for found in _look_up(address, *rest, **more)]

    _socket.getaddrinfo = look_up  # type: ignore[assignment]  # both `socket` and gevent ask it
    sys.argv = ["", *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _, definition, dash_m, module, *arguments = sys.argv
    assert dash_m == "-m"
    _main(definition, module, *arguments)
