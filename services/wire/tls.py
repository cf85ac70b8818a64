"""TLS without I/O: ciphertext to plaintext and back, for both ends of a session. Owns no socket."""

import ssl

ALPN_HTTP2 = "h2"
_CHUNK_BYTES = 256 * 1024


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
        self._handshake()  # a client has the first word

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The plaintext that `ciphertext` completes; b"" while there is none, also when the peer has closed."""
        self._incoming.write(ciphertext)
        if not self._handshake():
            return b""
        plaintext = []
        try:
            while chunk := self._object.read(_CHUNK_BYTES):
                plaintext.append(chunk)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return b"".join(plaintext)

    def encrypt(self, plaintext: bytes) -> bytes:
        """The ciphertext to send: what the handshake has to say, an alert where it failed, then `plaintext`."""
        if plaintext:
            self._object.write(plaintext)
        return self._outgoing.read()

    @property
    def established(self) -> bool:
        """The handshake is done: plaintext may be written."""
        return self._established

    def _handshake(self) -> bool:
        if not self._established:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                return False
            if self._object.selected_alpn_protocol() != ALPN_HTTP2:
                raise ssl.SSLError("peer does not speak HTTP/2 by ALPN")
            self._established = True
        return True
