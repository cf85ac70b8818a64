"""How a server's connection begins: the settings that the peer receives, and the limits that libnghttp2 has to enforce.

Knows no call.
"""

from ngh2 import Configuration, Connection, Role
from ngh2.enums import Setting

from services.wire.limits import Limits


def open_http2(limits: Limits) -> Connection:
    """The server's end of a new connection, with its first SETTINGS ready to send."""
    http2 = Connection(
        Role.SERVER,
        Configuration(
            auto_window_update=False,
            # Past this the connection ends; below it, but past the limit, only the call.
            max_inbound_header_list_size=4 * limits.max_header_list_bytes,
            # libnghttp2's own limit answers INTERNAL_ERROR; the budget's, which is lower, comes first.
            stream_reset_rate_limit=(10 * limits.resets_received.burst, 10 * limits.resets_received.per_second),
            glitch_rate_limit=(limits.glitches.burst, limits.glitches.per_second),
        ),
    )
    http2.initiate_connection(
        {
            Setting.MAX_CONCURRENT_STREAMS: limits.max_concurrent_streams,
            Setting.INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
            Setting.MAX_HEADER_LIST_SIZE: limits.max_header_list_bytes,
        }
    )
    http2.set_local_window_size(limits.connection_window_bytes)
    return http2
