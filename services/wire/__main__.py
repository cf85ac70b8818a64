"""Two ends of a connection in memory, by hand: one unary call, with every frame that it takes."""

from services.wire import CallReceived, ClientSession, ServerSession, Shape

_FRAMES = (
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
)
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frames(data: bytes) -> list[str]:
    """Names of the frames in `data`, each with its stream, length and first bytes (RFC 9113, section 4.1)."""
    lines = []
    if data.startswith(_PREFACE):
        lines.append("preface")
        data = data[len(_PREFACE) :]
    while data:
        length, kind, stream_id = int.from_bytes(data[:3], "big"), data[3], int.from_bytes(data[5:9], "big")
        lines.append(f"{_FRAMES[kind]:13} stream {stream_id} {length:3} bytes  {data[9 : 9 + length][:24].hex(' ')}")
        data = data[9 + length :]
    return lines


def main() -> None:
    client = ClientSession("in.memory")
    server = ServerSession({b"/demo.Echo/Say": Shape.UNARY})
    client.start("/demo.Echo/Say", b"hello")
    while True:
        to_server = client.data_to_send()
        for line in frames(to_server):
            print(f"client -> server  {line}")
        for octet in to_server:
            for event in server.receive_data(bytes((octet,))):
                print(f"                  server: {event}")
                if isinstance(event, CallReceived):
                    server.reply(event.call, event.call.request.upper())
        to_client = server.data_to_send()
        for line in frames(to_client):
            print(f"client <- server  {line}")
        for octet in to_client:
            for ended in client.receive_data(bytes((octet,))):
                print(f"                  client: {ended.call.code!r} {ended.call.reply!r}")
        if not to_server and not to_client:
            return


if __name__ == "__main__":
    main()
