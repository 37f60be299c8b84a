"""One TCP connection: octets in and out of Hypercorn's HTTP/1.1 and HTTP/2, and an end to everybody's patience.

Hypercorn's own TCP server writes the head and the body of an answer apart, keeps two tasks for a connection that
does nothing, and waits forever for a peer that takes no octets. The protocols above it are Hypercorn's as they are.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState

from jmaplite.web.protocols import HTTP1, HTTP2, HypercornConfig
from jmaplite.web.settings import Timeouts

logger = logging.getLogger(__name__)

READ_OCTETS = 65536

WRITE_OCTETS = 65536
"""Octets that wait together for the end of a turn of the loop, and beyond which a peer must take some first."""

_SHORTEST = 0.1
"""Seconds between two looks at a connection, however short its patience is."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of a connection, as addresses and ports, and whether strangers between them can read along.

    They are those of the client, where a proxy has told who that is. `server` is None at a Unix socket.
    """

    client: tuple[str, int]
    server: tuple[str, int] | None
    secure: bool


class Connection:
    """One TCP connection, from its beginning to its end. `state` is what each request's scope is given."""

    def __init__(
        self,
        app: AppWrapper,
        config: HypercornConfig,
        context: WorkerContext,
        state: LifespanState,
        reader: StreamReader,
        writer: StreamWriter,
        ends: Ends,
    ) -> None:
        self._app = app
        self._config = config
        self._context = context
        self._state = state
        self._reader = reader
        self._writer = writer
        self._ends = ends
        self._loop = asyncio.get_running_loop()
        self._out: list[bytes] = []
        self._waiting = 0
        self._finished = False
        self._in_head = False
        self._was_asked = False
        self._idle_since: float | None = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._about: Any = ()
        self._protocol: HTTP1 | HTTP2

    @property
    def _timeouts(self) -> Timeouts:
        return self._config.timeouts

    async def run(self) -> None:
        """Serve requests until the connection ends."""
        self._task = asyncio.current_task()
        try:
            async with TaskGroup(self._loop) as tasks:
                self._protocol = self._begin(tasks)
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
            self._finish(linger=False)

    def abort(self) -> None:
        """End at once, and whatever waits for this connection with it."""
        self._finished = True
        self._writer.transport.abort()
        if self._task is not None:
            self._task.cancel()

    def _begin(self, tasks: TaskGroup) -> HTTP1 | HTTP2:
        """The protocol that was agreed on, at first HTTP/1.1 where nothing was."""
        tls = self._writer.get_extra_info("ssl_object")
        self._about = (
            self._app,
            self._config,
            self._context,
            tasks,
            ConnectionState(self._state | {"abort": self.abort}),
            self._ends.secure,
            self._ends.client,
            self._ends.server,
            self._send,
        )
        is_http2 = tls is not None and tls.selected_alpn_protocol() == "h2"
        return HTTP2(*self._about) if is_http2 else HTTP1(*self._about)

    async def _handle(self, event: Event) -> None:
        """Hand something on to the protocol, which may turn out to be HTTP/2 (RFC 9113 §3.3)."""
        try:
            await self._protocol.handle(event)
        except H2ProtocolAssumedError as error:
            await self._switch(error.data)
        except H2CProtocolRequiredError as error:
            await self._switch(error.data, error.headers, error.settings)

    async def _switch(self, octets: bytes, *upgraded: Any) -> None:
        self._protocol = HTTP2(*self._about)
        await self._protocol.initiate(*upgraded)
        if octets:
            await self._protocol.handle(RawData(octets))

    async def _read(self) -> None:
        """Hand on what comes; once finished, only take it, so that the peer reads our last words."""
        try:
            while octets := await self._reader.read(READ_OCTETS):
                if self._finished:
                    continue
                await self._handle(RawData(octets))
                if self._idle_since is not None:
                    self._note_head()
            if not self._finished:
                # Some end their side at once and wait: what is under way is still answered.
                await self._handle(RawData(b""))
        except OSError:
            pass
        except Exception as error:
            logger.info("a connection broke its protocol: %r", error)
        await self._protocol.handle(Closed())

    def _note_head(self) -> None:
        """A request's head must come in a time of its own, however slowly it drips."""
        protocol = self._protocol
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
            self._was_asked = True
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
        patience = self._patience()
        left = patience
        if self._idle_since is not None:
            left = self._idle_since + patience - self._loop.time()
            if left <= 0:
                self._finish(linger=False)
                return
        self._timer = self._loop.call_later(left, self._watch)

    def _patience(self) -> float:
        """How long it may be idle. A client that has just connected has time for its first request."""
        if self._in_head:
            return self._timeouts.headers
        keep_alive = self._timeouts.keep_alive
        return max(keep_alive, _SHORTEST if self._was_asked else self._timeouts.headers)

    def _finish(self, *, linger: bool = True) -> None:
        """Say nothing more. A peer that may still be sending has a moment to read what was said, and to end too."""
        if self._finished:
            return
        self._flush()
        self._finished = True
        transport = self._writer.transport
        if transport.is_closing():
            return
        if linger and not self._context.terminated.is_set() and transport.can_write_eof():
            with suppress(OSError):  # it has just gone
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
