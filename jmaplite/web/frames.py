"""One WebSocket beneath its application (RFC 6455, RFC 7692, RFC 8441): Hypercorn's, with an end to all patience.

Hypercorn's own queues what a client sends until it blocks, also when nobody will ever take it; it pings in a task for
each socket, unpacks whatever a client has packed, and packs in the event loop. What frames are is left to wsproto.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import time
import zlib
from dataclasses import dataclass
from typing import Any, cast

import orjson
from hypercorn.config import Config
from hypercorn.protocol.events import Body, Data, EndBody, EndData, Event, Request, Response, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, Handshake, WSStream
from hypercorn.typing import ASGISendEvent, WebsocketAcceptEvent
from isal import isal_zlib
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.events import Event as Frame
from wsproto.extensions import Extension, PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol
from wsproto.handshake import WEBSOCKET_VERSION, server_extensions_handshake
from wsproto.utilities import LocalProtocolError, generate_accept_token

from jmaplite.web.problems import CONTENT_TYPE, Problem

PIECE_OCTETS = 262_144
"""Octets that are sent at a time: a peer that takes fewer in its time is one that has stalled."""

LEAST_OCTETS = 4096
"""A shorter message is not worth being packed."""

KEY_OCTETS = 16

LEVEL = 2
"""How hard ISA-L tries, of 0 to 3."""


_UNBOUNDED = Config()
_UNBOUNDED.max_app_queue_size = 0
_UNBOUNDED.errorlog = logging.getLogger("jmaplite.web.hypercorn")


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What holds for one WebSocket: octets of a message, messages taken before one is answered, seconds of patience.

    `timeout`: without a word from the client; `heartbeat`: between two pings, 0 for none.
    """

    size: int
    messages: int
    timeout: float
    heartbeat: float
    compression: bool


class Deflate(PerMessageDeflate):
    """permessage-deflate that keeps nothing from one message to the next, and unpacks no more than a message may be.

    Windows kept for each of thousands of idle sockets would take 300 KB each.
    """

    def __init__(self, most: int) -> None:
        super().__init__(client_no_context_takeover=True, server_no_context_takeover=True)
        self._most = most
        self._size = 0

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        """Octets of a message, unpacked."""
        if not self._inbound_compressed or not self._inbound_is_compressible or self._decompressor is None:
            return data
        try:
            octets = self._decompressor.decompress(bytes(data), self._most - self._size + 1)
        except zlib.error:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        self._size += len(octets)
        return octets if self._size <= self._most else CloseReason.MESSAGE_TOO_BIG

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        """The rest of a message that has ended."""
        if fin and self._inbound_is_compressible:
            self._size = 0
        return super().frame_inbound_complete(proto, fin)


class WebSocketStream(WSStream):
    """A WebSocket from its handshake to its end, over HTTP/1.1 or HTTP/2.

    Its application accepts it with SocketLimits under "limits", takes each message as octets (None: it was too
    large), and sends "websocket.next" whenever it can take one more.
    """

    def __init__(self, app: Any, config: Any, *more: Any) -> None:
        super().__init__(app, config, *more)
        self.app_put = None
        self._limits: SocketLimits
        self._message = bytearray()
        self._credit = 0
        self._may_go_on = asyncio.Event()
        self._sending = asyncio.Lock()
        self._deflates = False
        self._is_deaf = False
        self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def handle(self, event: Event) -> None:
        """Take what has come from the client, when the application has room for it."""
        if isinstance(event, Request):
            await self._begin(event)
        elif isinstance(event, StreamClosed):
            await self._over()
        elif isinstance(event, Body | Data):
            await self._may_go_on.wait()
            if self.state is ASGIWebsocketState.CONNECTED and not self.closed and not self._is_deaf:
                self._heard = asyncio.get_running_loop().time()
                self.connection.receive_data(event.data)
                await self._handle_events()
        elif isinstance(event, EndBody) and self.state is ASGIWebsocketState.CONNECTED:
            await self._leave()

    async def app_send(self, message: ASGISendEvent | None) -> None:
        """Take what the application has to say."""
        if self.closed:
            return
        told: Any = message or {"type": "end"}
        match told["type"]:
            case "end" if self.state is ASGIWebsocketState.CONNECTED:
                await self._close(CloseReason.INTERNAL_ERROR, "the server failed")
            case "end" if self.state is ASGIWebsocketState.HANDSHAKE:
                await self._refuse(500, "The server failed unexpectedly.")
            case "websocket.send" if self.state is ASGIWebsocketState.CONNECTED:
                await self._send_text(told["bytes"])
            case "websocket.next":
                self._credit += 1
                self._may_go_on.set()
            case "websocket.close" if self.state is ASGIWebsocketState.CONNECTED:
                await self._close(int(told["code"]), told.get("reason"))
            case "websocket.accept":
                await self._accept(told)
            case "websocket.send" | "websocket.close" if self.state is ASGIWebsocketState.CLOSED:
                pass  # we have said our last word, which is still on its way
            case _:
                await super().app_send(message)
                if self.state is ASGIWebsocketState.HTTPCLOSED:
                    self._may_go_on.set()

    async def _begin(self, request: Request) -> None:
        """Ask the application about a handshake."""
        self.start_time = time.time()
        path, _, query = request.raw_path.partition(b"?")
        try:
            self.handshake = Handshake(_joined(request.headers), request.http_version)
            is_valid = self.handshake.is_valid() and _is_key(self.handshake)
        except (UnicodeDecodeError, AttributeError):
            is_valid = False
        lines = dict(request.headers)
        self.scope = cast(
            Any,
            {
                "type": "websocket",
                "asgi": {"spec_version": "2.3", "version": "3.0"},
                "scheme": self.scheme,
                "http_version": request.http_version,
                "path": path.decode("ascii"),
                "raw_path": path,
                "query_string": query,
                "root_path": "",
                "headers": request.headers,
                "client": self.client,
                "server": self.server,
                "state": request.state.copy(),
                "subprotocols": (self.handshake.subprotocols or []) if is_valid else [],
                "extensions": {"websocket.http.response": {}},
            },
        )
        if is_valid:
            # How much may wait is told by the application.
            self.app_put = await self.task_group.spawn_app(self.app, _UNBOUNDED, self.scope, self.app_send)
            await self.app_put({"type": "websocket.connect"})
        elif lines.get(b"sec-websocket-version", WEBSOCKET_VERSION) != WEBSOCKET_VERSION:
            await self._refuse(426, "WebSockets are of version 13 here.")
        else:
            await self._refuse(400, "This is not how a WebSocket begins.")

    async def _refuse(self, status: int, detail: str) -> None:
        """Answer a handshake that is none (RFC 6455 §4.2.1, §4.4)."""
        document = orjson.dumps(Problem(status, detail).to_json())
        head = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(document))]
        if status == 426:
            head.append((b"sec-websocket-version", WEBSOCKET_VERSION))
        if self.scope["http_version"] < "2":
            head.append((b"connection", b"close"))
        await self.send(Response(stream_id=self.stream_id, status_code=status, headers=head))
        await self.send(Body(stream_id=self.stream_id, data=document))
        await self.send(EndBody(stream_id=self.stream_id))
        self.state = ASGIWebsocketState.HTTPCLOSED
        await self.send(StreamClosed(stream_id=self.stream_id))

    async def _accept(self, message: WebsocketAcceptEvent) -> None:
        """Begin, as the application has decided."""
        limits: SocketLimits = cast(Any, message)["limits"]
        self._limits, self._credit = limits, limits.messages
        head: list[tuple[bytes, bytes]] = [(b"sec-websocket-protocol", str(message["subprotocol"]).encode())]
        extensions: list[Extension] = []
        deflate = Deflate(limits.size)
        if limits.compression and self.handshake.extensions and (accepted := _agreed(self.handshake, deflate)):
            head.append((b"sec-websocket-extensions", accepted))
            extensions.append(deflate)
            self._deflates = deflate.server_max_window_bits == deflate.DEFAULT_SERVER_MAX_WINDOW_BITS
        if self.handshake.http_version == "1.1":
            head += [(b"upgrade", b"websocket"), (b"connection", b"Upgrade")]
            head.append((b"sec-websocket-accept", generate_accept_token(cast(bytes, self.handshake.key))))
        self.handshake.accepted = True
        self.connection = Connection(ConnectionType.SERVER, extensions)
        self.state = ASGIWebsocketState.CONNECTED
        status = 101 if self.handshake.http_version == "1.1" else 200
        await self.send(Response(stream_id=self.stream_id, status_code=status, headers=head))
        self._heard = asyncio.get_running_loop().time()
        self._await_heartbeat()
        self._may_go_on.set()

    async def _handle_events(self) -> None:
        for event in self.connection.events():
            if isinstance(event, TextMessage):
                await self._take(event)
            elif isinstance(event, BytesMessage):
                await self._close(CloseReason.UNSUPPORTED_DATA, "JMAP has no binary messages")
            elif isinstance(event, Ping):
                await self._send_wsproto_event(event.response())
            elif isinstance(event, CloseConnection):
                await self._part(event)
            if self.closed or self._is_deaf:
                return

    async def _take(self, event: TextMessage) -> None:
        """Take a piece of a message; hand on what is whole, and wait until there is room for another."""
        self._message += event.data.encode()
        if len(self._message) > self._limits.size:
            await self._too_large()
        elif event.message_finished:
            octets, self._message = bytes(self._message), bytearray()
            self._credit -= 1
            assert self.app_put is not None
            await self.app_put({"type": "websocket.receive", "bytes": octets, "text": None})
            while self._credit <= 0 and not self.closed:
                self._may_go_on.clear()
                await self._may_go_on.wait()
                self._heard = asyncio.get_running_loop().time()

    async def _too_large(self) -> None:
        """Let the application tell the client, and listen no more: the rest could be without end."""
        self._is_deaf = True
        self._message = bytearray()
        assert self.app_put is not None
        await self.app_put({"type": "websocket.receive", "bytes": None, "text": None})

    async def _part(self, event: CloseConnection) -> None:
        """The client wants to end, has ended, or has sent what is none of the protocol (RFC 6455 §7.1.7)."""
        if self.connection.state is ConnectionState.REMOTE_CLOSING:
            await self._send_wsproto_event(event.response())
        elif event.code == CloseReason.MESSAGE_TOO_BIG:
            await self._too_large()
            return
        elif self.connection.state is ConnectionState.OPEN:
            await self._send_wsproto_event(CloseConnection(event.code, event.reason))
        await self._leave()

    async def _close(self, code: int, reason: str | None) -> None:
        """Say why, and end."""
        await self._send_wsproto_event(CloseConnection(code, reason))
        await self._leave()

    async def _leave(self) -> None:
        """End the stream; the connection beneath gives the client a moment to read what was said."""
        self.state = ASGIWebsocketState.CLOSED
        await self.send(EndData(stream_id=self.stream_id))
        await self.send(StreamClosed(stream_id=self.stream_id))

    async def _over(self) -> None:
        """The stream has ended."""
        if self.closed:
            return
        self.closed = True
        self._may_go_on.set()
        if self._timer is not None:
            self._timer.cancel()
        if self.app_put is not None:
            is_ours = self.state in (ASGIWebsocketState.HTTPCLOSED, ASGIWebsocketState.CLOSED)
            code = CloseReason.NORMAL_CLOSURE if is_ours else CloseReason.ABNORMAL_CLOSURE
            await self.app_put({"type": "websocket.disconnect", "code": code.value})

    async def _send_wsproto_event(self, event: Frame) -> None:
        async with self._sending:
            try:
                octets = self.connection.send(event)
            except LocalProtocolError:
                return
            await self.send(Data(stream_id=self.stream_id, data=octets))

    async def _send_text(self, octets: bytes) -> None:
        """Send a message, in pieces, so that a slow client has time for each."""
        packed = self._deflates and len(octets) >= LEAST_OCTETS
        if packed:
            octets = await asyncio.to_thread(_packed, octets)
        view = memoryview(octets)
        async with self._sending:
            await self.send(Data(stream_id=self.stream_id, data=_head(len(octets), packed=packed)))
            for begin in range(0, len(octets), PIECE_OCTETS):
                await self.send(Data(stream_id=self.stream_id, data=bytes(view[begin : begin + PIECE_OCTETS])))

    def _await_heartbeat(self) -> None:
        if self.closed:
            return  # while something was sent: nobody is asked any more
        limits = self._limits
        seconds = min(limits.heartbeat or limits.timeout, limits.timeout)
        self._timer = asyncio.get_running_loop().call_later(seconds, self.task_group.spawn, self._beat)

    async def _beat(self) -> None:
        """Give up a client that has said nothing for too long; ask others whether they are there."""
        if self.closed or self.state is not ASGIWebsocketState.CONNECTED:
            return
        silence = asyncio.get_running_loop().time() - self._heard
        if silence >= self._limits.timeout and self._credit > 0:
            await self._close(CloseReason.GOING_AWAY, "nothing was heard for too long")
            return
        if self._limits.heartbeat:
            await self._send_wsproto_event(Ping())
        self._await_heartbeat()


def _joined(lines: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Header lines in which what may be said in several is said in one (RFC 6455 §11.3.2, §11.3.4)."""
    lists: dict[bytes, list[bytes]] = {b"sec-websocket-extensions": [], b"sec-websocket-protocol": []}
    for name, value in lines:
        if name in lists:
            lists[name].append(value)
    return [*lines, *((name, b", ".join(values)) for name, values in lists.items() if len(values) > 1)]


def _is_key(handshake: Handshake) -> bool:
    """Whether the key of a handshake over HTTP/1.1 is 16 octets in base64 (RFC 6455 §4.2.1)."""
    if handshake.http_version != "1.1":
        return True
    try:
        return len(base64.b64decode(handshake.key or b"", validate=True)) == KEY_OCTETS
    except binascii.Error:
        return False


def _agreed(handshake: Handshake, deflate: Deflate) -> bytes | None:
    """What is answered to the extensions that a client offers."""
    try:
        return server_extensions_handshake(handshake.extensions or (), [deflate])
    except ValueError:
        return None


def _packed(octets: bytes) -> bytes:
    """The payload of a message that is packed (RFC 7692 §7.2.1). Lets go of the GIL meanwhile."""
    packer = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -15)
    packed: bytes = packer.compress(octets) + packer.flush(isal_zlib.Z_SYNC_FLUSH)
    return packed[:-4]


def _head(length: int, *, packed: bool) -> bytes:
    """What precedes the payload of a text message in one frame (RFC 6455 §5.2)."""
    begin = bytes((0xC1 if packed else 0x81,))
    if length < 126:
        return begin + bytes((length,))
    if length < 65536:
        return begin + b"\x7e" + length.to_bytes(2, "big")
    return begin + b"\x7f" + length.to_bytes(8, "big")
