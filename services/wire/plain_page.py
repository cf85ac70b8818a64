"""The page that plain HTTP gets from a server of gRPC, whatever it asks for. Knows no call."""

import contextlib

from ngh2 import Connection, NGH2Error


class PlainPage:
    """One page for the streams of one connection. A stream gets it when its request has ended."""

    def __init__(self, http2: Connection, page: bytes) -> None:
        self._http2 = http2
        self._page = page
        self._asked: set[int] = set()

    def ask(self, stream_id: int) -> None:
        """The headers of a request have come."""
        self._asked.add(stream_id)

    def end_request(self, stream_id: int) -> None:
        """Sends the page if the stream has asked for it."""
        if stream_id in self._asked:
            self._asked.remove(stream_id)
            with contextlib.suppress(NGH2Error):  # the stream has ended since
                self._http2.send_response(stream_id, ((b":status", b"200"), (b"content-type", b"text/plain")))
                self._http2.send_data(stream_id, self._page, end_stream=True)

    def drop(self, stream_id: int) -> None:
        """The peer has given the stream up."""
        self._asked.discard(stream_id)
