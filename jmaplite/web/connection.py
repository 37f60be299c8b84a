"""One TCP connection: octets in and out of Hypercorn's HTTP/1.1 and HTTP/2, and an end to everybody's patience.

Hypercorn's own TCP server writes the head and the body of an answer apart, keeps two tasks for a connection that
does nothing, and waits forever for a peer that takes no octets. The protocols above it are Hypercorn's as they are.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import StreamReader, StreamWriter

import h11
import orjson
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState
from hypercorn.utils import parse_socket_addr

from jmaplite.web.headers import AnswerHeaders
from jmaplite.web.problems import CONTENT_TYPE, Problem
from jmaplite.web.settings import Timeouts

logger = logging.getLogger(__name__)

READ_OCTETS = 65536

WRITE_OCTETS = 65536
"""Octets that wait together for the end of a turn of the loop, and beyond which a peer must take some first."""


class HypercornConfig(Config):
    """Hypercorn's own settings, and the header lines that it adds to everything that it sends."""

    errorlog = logging.getLogger("jmaplite.web.hypercorn")
    accesslog = None
    h11_max_incomplete_size = 64 * 1024
    keep_alive_max_requests = 100_000
    include_server_header = False

    def __init__(self, headers: AnswerHeaders) -> None:
        super().__init__()
        self.headers = headers

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:
        """The lines that are added to every answer, those to unreadable requests included."""
        return self.headers.date()


class HTTP1(H11Protocol):
    """Hypercorn's HTTP/1.1, with problem documents for requests that cannot even be read."""

    config: HypercornConfig

    @property
    def in_the_middle(self) -> bool:
        """Whether a request's head has begun and not ended."""
        return bool(self.connection.trailing_data[0])

    async def _send_error_response(self, status_code: int) -> None:
        document = orjson.dumps(Problem(status_code, "The request is not proper HTTP.").to_json())
        headers = self.config.headers.merged(
            [
                (b"content-type", CONTENT_TYPE.encode()),
                (b"content-length", b"%d" % len(document)),
                (b"connection", b"close"),
            ]
        )
        headers += self.config.response_headers("h11")
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers))
        await self._send_h11_event(h11.Data(data=document))
        await self._send_h11_event(h11.EndOfMessage())


class Connection:
    """One TCP connection, from its beginning to its end. `state` is what each request's scope is given."""

    def __init__(
        self,
        app: AppWrapper,
        config: HypercornConfig,
        context: WorkerContext,
        state: LifespanState,
        timeouts: Timeouts,
        reader: StreamReader,
        writer: StreamWriter,
    ) -> None:
        self._app = app
        self._config = config
        self._context = context
        self._state = state
        self._timeouts = timeouts
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._out: list[bytes] = []
        self._waiting = 0
        self._finished = False
        self._in_head = False
        self._idle_since: float | None = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._protocol: ProtocolWrapper

    async def run(self) -> None:
        """Serve requests until the connection ends."""
        self._task = asyncio.current_task()
        try:
            async with TaskGroup(self._loop) as tasks:
                self._protocol = self._wrapper(tasks)
                await self._protocol.initiate()
                self._watch()
                await self._read()
        except* OSError:
            pass
        except* Exception as errors:
            logger.warning("a connection ended early: %r", errors.exceptions)
        finally:
            await self._end()

    def finish_when_idle(self) -> None:
        """Take no more requests after those under way."""
        if self._idle_since is not None:
            self._finish()

    def abort(self) -> None:
        """End at once, and whatever waits for this connection with it."""
        self._finished = True
        self._writer.transport.abort()
        if self._task is not None:
            self._task.cancel()

    def _wrapper(self, tasks: TaskGroup) -> ProtocolWrapper:
        socket = self._writer.get_extra_info("socket")
        tls = self._writer.get_extra_info("ssl_object")
        spoken = tls.selected_alpn_protocol() if tls is not None else None
        about = (
            self._app,
            self._config,
            self._context,
            tasks,
            ConnectionState(self._state),
            tls is not None,
            parse_socket_addr(socket.family, socket.getpeername()),
            parse_socket_addr(socket.family, socket.getsockname()),
            self._send,
        )
        wrapper = ProtocolWrapper(*about, spoken)
        if spoken != "h2":
            wrapper.protocol = HTTP1(*about)
        return wrapper

    async def _read(self) -> None:
        """Hand on what comes; once finished, only take it, so that the peer reads our last words."""
        try:
            while octets := await self._reader.read(READ_OCTETS):
                if self._finished:
                    continue
                await self._protocol.handle(RawData(octets))
                if self._idle_since is not None:
                    self._note_head()
            if not self._finished:
                # Some end their side at once and wait: what is under way is still answered.
                await self._protocol.handle(RawData(b""))
        except OSError:
            pass
        except Exception as error:
            logger.info("a connection broke its protocol: %r", error)
        await self._protocol.handle(Closed())

    def _note_head(self) -> None:
        """A request's head must come in a time of its own, however slowly it drips."""
        protocol = self._protocol.protocol
        if isinstance(protocol, HTTP1) and not self._in_head and protocol.in_the_middle:
            self._in_head = True
            self._idle_since = self._loop.time()
            self._watch()

    async def _send(self, event: Event) -> None:
        """Take what a protocol has to say."""
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Updated):
            self._in_head = False
            self._idle_since = self._loop.time() if event.idle else None
            if event.idle and self._context.terminated.is_set():
                self._finish()
        elif isinstance(event, Closed):
            self._finish()

    async def _write(self, octets: bytes) -> None:
        """Send at the end of this turn of the loop, with what else comes until then; wait for a full peer."""
        if not octets or self._finished:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(octets)
        self._waiting += len(octets)
        transport = self._writer.transport
        if self._waiting + transport.get_write_buffer_size() <= WRITE_OCTETS:
            return
        self._flush()
        try:
            async with asyncio.timeout(self._timeouts.send):
                await self._writer.drain()
        except TimeoutError:
            self.abort()
        except OSError:
            await self._protocol.handle(Closed())

    def _flush(self) -> None:
        if not self._out:
            return
        octets = b"".join(self._out)
        self._out.clear()
        self._waiting = 0
        if not self._writer.transport.is_closing():
            self._writer.write(octets)

    def _watch(self) -> None:
        """Look at an idle connection when its time is over, and again if it was not idle all the time."""
        if self._timer is not None:
            self._timer.cancel()
        patience = self._timeouts.headers if self._in_head else self._timeouts.keep_alive
        left = patience
        if self._idle_since is not None:
            left = self._idle_since + patience - self._loop.time()
            if left <= 0:
                self._finish()
                return
        self._timer = self._loop.call_later(left, self._watch)

    def _finish(self) -> None:
        """Say nothing more. The peer has a moment to read what was said and to end its side as well."""
        if self._finished:
            return
        self._flush()
        self._finished = True
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()
        self._arm(self._timeouts.linger)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.abort)

    async def _end(self) -> None:
        """Let go of the socket; what the peer does not take in time is thrown away."""
        self._flush()
        self._finished = True
        if self._timer is not None:
            self._timer.cancel()
        try:
            async with asyncio.timeout(self._timeouts.linger):
                self._writer.close()
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()
