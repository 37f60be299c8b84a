"""Hypercorn's HTTP/1.1 and HTTP/2, with what they lack for us."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import h2.events
import h2.exceptions
import h11
import orjson
from hypercorn.asyncio.worker_context import EventWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Body, EndBody, Request, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import (
    BUFFER_HIGH_WATER,
    BUFFER_LOW_WATER,
    BufferCompleteError,
    H2Protocol,
    StreamBuffer,
)
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.utils import filter_pseudo_headers
from priority.priority import DuplicateStreamError

from jmaplite.web.frames import WebSocketStream
from jmaplite.web.headers import AnswerHeaders
from jmaplite.web.problems import CONTENT_TYPE, Problem
from jmaplite.web.settings import Timeouts

EVENTS = "text/event-stream"


class HypercornConfig(Config):
    """Hypercorn's own settings, the header lines that it adds to everything that it sends, and how patient it is."""

    errorlog = logging.getLogger("jmaplite.web.hypercorn")
    accesslog = None
    h11_max_incomplete_size = 64 * 1024
    keep_alive_max_requests = 100_000
    include_server_header = False

    def __init__(self, headers: AnswerHeaders, timeouts: Timeouts) -> None:
        super().__init__()
        self.headers = headers
        self.timeouts = timeouts

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:
        """The lines that are added to every answer, those to unreadable requests included."""
        return self.headers.date()

    def completed(self, answer: Response, stream: HTTPStream | WSStream | None) -> Response:
        """An answer with the header lines that every answer has, whoever has begun it."""
        if not self.headers.any or stream is None:
            return answer
        scope: Any = stream.scope
        secure = scope["scheme"] in ("https", "wss")
        lines = self.headers.merged(answer.headers, scope["headers"], scope.get("method", ""), secure=secure)
        return Response(stream_id=answer.stream_id, headers=lines, status_code=answer.status_code)


class _Deaf(Exception):
    """Nothing more is listened to."""


class _Pause(EventWrapper):
    """What Hypercorn waits for before it reads the next request; a deaf protocol waits no more."""

    def __init__(self, protocol: HTTP1) -> None:
        super().__init__()
        self._protocol = protocol

    async def wait(self) -> None:
        await super().wait()
        if self._protocol.is_deaf:
            raise _Deaf


class HTTP1(H11Protocol):
    """Hypercorn's HTTP/1.1, with problem documents for requests that cannot even be read.

    A stream of events is the last answer of its connection, and what comes behind its request is thrown away: else it
    would hide that the client has gone.
    """

    config: HypercornConfig

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.is_deaf = False
        self.can_read = _Pause(self)

    async def handle(self, event: Event) -> None:
        """Take octets from the peer, or its end."""
        if self.is_deaf and isinstance(event, RawData):
            return
        with suppress(_Deaf):
            await super().handle(event)

    @property
    def in_the_middle(self) -> bool:
        """Whether a request's head has begun and not ended."""
        return bool(self.connection.trailing_data[0])

    async def _create_stream(self, request: h11.Request) -> None:
        """Begin an answer to a request, or a WebSocket."""
        if not _upgrades(request):
            await super()._create_stream(request)
            return
        self.stream = WebSocketStream(
            self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server,
            self.stream_send, STREAM_ID,
        )  # fmt: skip
        assert isinstance(self.connection, h11.Connection)
        self.connection = H11WSConnection(self.connection)
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method="GET",
                raw_path=request.target,
                state=self.connection_state,
            )
        )

    async def stream_send(self, event: StreamEvent) -> None:
        """Take what a stream has to say, with the header lines of every answer."""
        if type(event) is Response:
            event = self.config.completed(event, self.stream)
            if (b"content-type", EVENTS.encode()) in event.headers:
                self.is_deaf = True
                event.headers.append((b"connection", b"close"))
                await self.can_read.set()
            elif not self.config.timeouts.keep_alive and not isinstance(self.stream, WebSocketStream):
                event.headers.append((b"connection", b"close"))
        await super().stream_send(event)

    async def _send_error_response(self, status_code: int) -> None:
        document = orjson.dumps(Problem(status_code, "The request is not proper HTTP.").to_json())
        headers = self.config.headers.merged(
            [
                (b"content-type", CONTENT_TYPE.encode()),
                (b"content-length", b"%d" % len(document)),
                (b"connection", b"close"),
            ],
            [],
            "",
            secure=self.ssl,
        )
        headers += self.config.response_headers("h11")
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=document))
        await self._send_h11_event(h11.EndOfMessage())


class Outbox(StreamBuffer):
    """What waits for the peer of a stream; Hypercorn's has no bound while the peer has no window open."""

    async def push(self, data: bytes) -> None:
        """Put octets in; if there are many then, wait until most of them have been taken."""
        if self._complete:
            raise BufferCompleteError
        self.buffer.extend(data)
        await self._is_empty.clear()
        if len(self.buffer) >= BUFFER_HIGH_WATER:
            await self._paused.clear()
            await self._paused.wait()

    async def pop(self, max_length: int) -> bytes:
        """Take octets out, at most so many."""
        octets = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < BUFFER_LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return octets


@dataclass(slots=True)
class _Inbox:
    """What has come for a WebSocket and waits for it, what that takes of the window, and whether it is the last."""

    octets: bytearray = field(default_factory=bytearray)
    owed: int = 0
    ended: bool = False


class HTTP2(H2Protocol):
    """Hypercorn's HTTP/2, which waits for no peer that has gone or takes nothing.

    It does not mind octets for a request that was refused while it came either, nor a request that HTTPStream and
    WSStream would fail on.
    """

    config: HypercornConfig

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self._inboxes: dict[int, _Inbox] = {}

    async def handle(self, event: Event) -> None:
        """Take octets from the peer, or its end: then nobody needs to wait for it to take its answers."""
        await super().handle(event)
        if isinstance(event, Closed):
            for buffer in list(self.stream_buffers.values()):
                await buffer.close()

    async def stream_send(self, event: StreamEvent) -> None:
        """Take what a stream has to say, as fast as its peer takes it."""
        if self.closed:
            return
        if type(event) is Response:
            event = self.config.completed(event, self.streams.get(event.stream_id))
        try:
            async with asyncio.timeout(self.config.timeouts.send):
                await super().stream_send(event)
        except TimeoutError:
            await self.send(Closed())
            await self.handle(Closed())

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.RequestReceived) and not _is_served(event.headers or []):
                await self._refuse(event)
            elif isinstance(event, h2.events.DataReceived | h2.events.StreamEnded) and isinstance(
                stream := self.streams.get(event.stream_id), WebSocketStream
            ):
                self._put_by(stream, event)
            elif isinstance(event, h2.events.StreamReset):
                await super()._handle_events([event])
                if (outbox := self.stream_buffers.get(event.stream_id)) is not None:
                    await outbox.close()  # or it would wait for a window that does not come
            elif isinstance(event, h2.events.DataReceived) and event.stream_id not in self.streams:
                # The connection has room for others again; the stream has none, so that the peer stops.
                self.connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                await self._flush()
            else:
                await super()._handle_events([event])

    def _put_by(self, stream: WebSocketStream, event: h2.events.DataReceived | h2.events.StreamEnded) -> None:
        """Keep what has come for a WebSocket until it has room: behind it comes the window that its answers wait for.

        The peer's window for the stream is what bounds that.
        """
        number = event.stream_id
        inbox = self._inboxes.get(number)
        if inbox is None:
            inbox = self._inboxes[number] = _Inbox()
            self.task_group.spawn(self._hand_on, stream, inbox)
        if isinstance(event, h2.events.DataReceived):
            inbox.octets += event.data or b""
            inbox.owed += event.flow_controlled_length or 0
        else:
            inbox.ended = True

    async def _hand_on(self, stream: WebSocketStream, inbox: _Inbox) -> None:
        """Give a WebSocket what has come for it, until there is no more."""
        number = stream.stream_id
        try:
            while inbox.owed:
                octets, owed = bytes(inbox.octets), inbox.owed
                inbox.octets.clear()
                inbox.owed = 0
                await stream.handle(Body(stream_id=number, data=octets))
                self.connection.acknowledge_received_data(owed, number)
                await self._flush()
            if inbox.ended:
                await stream.handle(EndBody(stream_id=number))
        finally:
            del self._inboxes[number]

    async def _create_stream(self, request: h2.events.RequestReceived) -> None:
        """Begin an answer to a request, or a WebSocket (RFC 8441 §5)."""
        head = list(request.headers or [])
        fields = dict(head)
        method = fields[b":method"].decode("ascii").upper()
        number = request.stream_id
        with suppress(DuplicateStreamError):  # its priority has come before
            self.priority.insert_stream(number)  # which raises an error if there are too many
            self.priority.block(number)
        stream = self.streams[number] = (WebSocketStream if method == "CONNECT" else HTTPStream)(
            self.app, self.config, self.context, self.task_group, self.ssl, self.client, self.server,
            self.stream_send, number,
        )  # fmt: skip
        self.stream_buffers[number] = Outbox(self.context.event_class)
        await stream.handle(
            Request(
                stream_id=number,
                headers=filter_pseudo_headers(head),
                http_version="2",
                method=method,
                raw_path=fields[b":path"],
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1
        await self.context.mark_request()

    async def _refuse(self, request: h2.events.RequestReceived) -> None:
        """Answer a request that no stream is made for; the others of its connection go on (RFC 9113 §8.1.1)."""
        number = request.stream_id
        asked = list(request.headers or [])
        lines = self.config.headers.merged([(b"content-length", b"0")], asked, "", secure=self.ssl)
        head = [(b":status", b"400"), *lines]
        # What came with it may have ended the stream already.
        with suppress(h2.exceptions.ProtocolError):
            self.connection.send_headers(number, head + self.config.response_headers("h2"), end_stream=True)
            if request.stream_ended is None:
                self.connection.reset_stream(number)
        await self._flush()


def _upgrades(request: h11.Request) -> bool:
    """Whether a request asks for a WebSocket in place of an answer (RFC 6455 §4.1)."""
    tokens = [
        token.strip().lower() for name, value in request.headers if name == b"connection" for token in value.split(b",")
    ]
    upgrades = [value.strip().lower() for name, value in request.headers if name == b"upgrade"]
    return request.method == b"GET" and b"upgrade" in tokens and upgrades == [b"websocket"]


def _is_served(head: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a stream can be made of a request: a path in ASCII, and a method; CONNECT for WebSockets alone."""
    fields = dict(head)
    method, path = fields.get(b":method", b""), fields.get(b":path", b"")
    if method.upper() == b"CONNECT" and (method != b"CONNECT" or fields.get(b":protocol") != b"websocket"):
        return False
    return method.isascii() and bool(method) and path.isascii() and bool(path)
