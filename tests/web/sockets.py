"""As much of a WebSocket client as a test needs, and one that does what a client must not do."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import wsproto
import wsproto.events as ev
from wsproto.extensions import Extension, PerMessageDeflate

from tests.web.serving import DEMO, Site

PATH = "/jmap/ws/"
CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"


class Closed(Exception):
    """The server has ended the WebSocket; the argument is its code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Client:
    """A WebSocket over a connection of its own. Raises RejectedBy what the server answers to the handshake."""

    def __init__(
        self,
        connection: socket.socket,
        path: str = PATH,
        authorization: str | None = DEMO,
        subprotocols: tuple[str, ...] = ("jmap",),
        headers: tuple[tuple[str, str], ...] = (),
        *,
        deflate: bool = False,
    ) -> None:
        self.socket = connection
        self.ws = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        lines = [(name.encode(), value.encode()) for name, value in headers]
        if authorization is not None:
            lines.append((b"Authorization", authorization.encode()))
        host = ":".join(map(str, connection.getpeername()))
        extensions: list[Extension] = [PerMessageDeflate()] if deflate else []
        self.send(ev.Request(host, path, extensions, lines, list(subprotocols)))
        self._text = ""
        self._events: list[Any] = []
        self.status = 0
        self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.subprotocol: str | None = None
        self.extensions: list[Extension] = []
        self._shake()

    def _shake(self) -> None:
        while True:
            match self._event():
                case ev.AcceptConnection() as accepted:
                    self.status, self.subprotocol = 101, accepted.subprotocol
                    self.extensions = list(accepted.extensions)
                    return
                case ev.RejectConnection() as rejected:
                    self.status = rejected.status_code
                    self.headers = list(rejected.headers)
                case ev.RejectData() as data:
                    self.body += data.data
                    if data.body_finished:
                        return
                case event:
                    raise AssertionError(event)

    def send(self, event: ev.Event) -> None:
        self.socket.sendall(self.ws.send(event))

    def tell(self, message: Any) -> None:
        """Send a message: JSON, or text as it is."""
        self.send(ev.TextMessage(message if isinstance(message, str) else json.dumps(message)))

    def hear(self) -> Any:
        """The next message. Raises Closed."""
        while True:
            match self._event():
                case ev.TextMessage() as text:
                    self._text += text.data
                    if text.message_finished:
                        whole, self._text = self._text, ""
                        return json.loads(whole)
                case ev.Ping() as ping:
                    self.send(ping.response())
                case ev.CloseConnection() as closed:
                    raise Closed(closed.code)

    def ask(self, *calls: Any, using: tuple[str, ...] = (), **more: Any) -> Any:
        """A Request, and the next message."""
        self.tell({"@type": "Request", "using": [CORE, *using], "methodCalls": calls, **more})
        return self.hear()

    def be_pinged(self, times: int) -> None:
        """Answer pings, and hear nothing else."""
        for _ in range(times):
            ping = self._event()
            assert isinstance(ping, ev.Ping)
            self.send(ping.response())

    def end(self) -> int:
        """Close, and answer the code with which the server does."""
        self.send(ev.CloseConnection(1000))
        return self.ended()

    def ended(self) -> int:
        """The code with which the server closes."""
        try:
            while True:
                self.hear()
        except Closed as closed:
            return closed.code

    def _event(self) -> Any:
        while not self._events:
            octets = self.socket.recv(65536)
            if not octets:
                raise Closed(0)
            self.ws.receive_data(octets)
            self._events.extend(self.ws.events())
        return self._events.pop(0)


@contextmanager
def opened(site: Site, *arguments: Any, **more: Any) -> Iterator[Client]:
    """A WebSocket of the demo user's."""
    with site.socket() as connection:
        yield Client(connection, *arguments, **more)
