"""A client's and a server's session that talk in memory, so that a test needs no network and no thread."""

from services.runtime.answers.responders import Answering, respond
from services.wire import ClientSession, MessageReceived, ServerEvent, ServerSession


class Ends:
    """Both ends of one connection. `asked` answers what it can; all other events of the server are in `events`."""

    def __init__(self, server: ServerSession, asked: Answering) -> None:
        self.client = ClientSession("in.memory")
        self.server = server
        self.messages: list[bytes] = []
        """What the client has received on streams."""
        self.events: list[ServerEvent] = []
        self._asked = asked

    def talk(self) -> None:
        """Passes bytes in both directions until neither end has more to send."""
        while True:
            to_server, to_client = self.client.data_to_send(), self.server.data_to_send()
            if not to_server and not to_client:
                return
            if to_server:
                for event in self.server.receive_data(to_server):
                    if not respond(self.server, self._asked, event):
                        self.events.append(event)
            if to_client:
                for received in self.client.receive_data(to_client):
                    if isinstance(received, MessageReceived):
                        self.messages.append(received.message)
