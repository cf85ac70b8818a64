"""TLS without I/O: ciphertext to plaintext and back, for both ends of a session. Owns no socket.

A memory buffer of OpenSSL grows to the most that it ever held, and stays so for as long as the connection lives. So
bytes go through it record by record: 256 KiB at once cost a connection 264 KiB for good.
"""

import ssl

ALPN_HTTP2 = "h2"
RECORD_BYTES = 16 * 1024
"""The most plaintext of one record (RFC 8446, section 5.1)."""


class TlsStream:
    """One end of a TLS connection, between two memory buffers (Python's `ssl.MemoryBIO`).

    Raises ssl.SSLError for a failed handshake, a broken record, or a peer that does not speak HTTP/2 by
    ALPN (RFC 9113, section 3.2).
    """

    __slots__ = ("_established", "_incoming", "_object", "_outgoing")

    def __init__(self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side, server_hostname)
        self._established = False
        self._handshake()  # a client sends first

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The plaintext that `ciphertext` completes; b"" while there is none, also when the peer has closed."""
        if len(ciphertext) <= RECORD_BYTES:
            return self._decrypt(ciphertext)
        view = memoryview(ciphertext)
        return b"".join(self._decrypt(view[at : at + RECORD_BYTES]) for at in range(0, len(view), RECORD_BYTES))

    def encrypt(self, plaintext: bytes) -> bytes:
        """The ciphertext to send: the handshake's messages, an alert if it failed, then `plaintext`."""
        if len(plaintext) <= RECORD_BYTES:
            return self._encrypt(plaintext)
        view = memoryview(plaintext)
        return b"".join(self._encrypt(view[at : at + RECORD_BYTES]) for at in range(0, len(view), RECORD_BYTES))

    @property
    def established(self) -> bool:
        """The handshake is done: plaintext may be written."""
        return self._established

    def _decrypt(self, ciphertext: bytes | memoryview) -> bytes:
        self._incoming.write(ciphertext)
        if not self._handshake():
            return b""
        plaintext = []
        try:
            while chunk := self._object.read(RECORD_BYTES):
                plaintext.append(chunk)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return b"".join(plaintext)

    def _encrypt(self, plaintext: bytes | memoryview) -> bytes:
        if plaintext:
            self._object.write(plaintext)
        return self._outgoing.read()

    def _handshake(self) -> bool:
        if not self._established:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                return False
            if self._object.selected_alpn_protocol() != ALPN_HTTP2:
                raise ssl.SSLError("peer did not negotiate HTTP/2 by ALPN")
            self._established = True
        return True
