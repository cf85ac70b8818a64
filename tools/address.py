"""HOST:PORT, read and written in one way. Knows no socket.

`tools/` imports nothing of `services/`, so it has a copy of this file; tests/network/test_address.py compares the two.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address

_HOST_PORT = re.compile(r"(?:\[([^][]+)]|([^][:/@,\s]+)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """A port of TCP on a host: a name, or an IP address without brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Reads `HOST:PORT`. Raises ValueError, in one line."""
        found = _HOST_PORT.fullmatch(text)
        if found is None or (found[1] is not None and not _is_ipv6(found[1])):
            raise ValueError(f"{text!r} is not HOST:PORT, such as localhost:50051 or [::1]:50051")
        if not 0 < int(found[3]) < 65_536:
            raise ValueError(f"{text!r}: port {found[3]} is not within 1 to 65535")
        return cls(found[1] or found[2], int(found[3]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True
