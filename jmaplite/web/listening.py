"""Sockets that listen, and the connections that come in through them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Collection
from typing import Any

from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, LifespanState, Scope

from jmaplite.web import proxied
from jmaplite.web.address import is_trusted
from jmaplite.web.app import App
from jmaplite.web.connection import Connection, Ends
from jmaplite.web.protocols import HypercornConfig
from jmaplite.web.settings import Listener
from jmaplite.web.sockets import ListeningSocket, prepare
from jmaplite.web.tls import Certificates

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
"""How long nothing is accepted after accepting failed, as it does when too many files are open."""


KEEP_ALIVE = {"TCP_KEEPIDLE": 120, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 4}
"""Seconds of silence until the system asks a peer whether it is there, and how often, and how many times."""


class CannotListen(Exception):
    """A listener's address is not to be had, or its certificate is not fit for use."""


class Listening:
    """One listener at work. While it runs it may become another, and hand requests to another application."""

    def __init__(self, listener: Listener, app: App) -> None:
        self.listener = listener
        self._app = app
        self._config = HypercornConfig(app.answer_headers, app.settings.timeouts)
        self._context = WorkerContext(None)
        self._state: LifespanState = {}
        self._certificates: Certificates | None = None
        self._sockets: list[ListeningSocket] = []
        self._connections: dict[asyncio.Task[None], Connection | None] = {}

    @property
    def urls(self) -> tuple[str, ...]:
        """Where connections are accepted."""
        return urls(self.listener, self._sockets)

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def become(
        self, listener: Listener, app: App, sockets: Collection[ListeningSocket], certificates: Certificates | None
    ) -> None:
        """Accept connections as this listener from now on, on sockets that stay the caller's.

        `certificates` are for TLS. Connections stay, those too that came in by a socket that is not given any more;
        each request is served by the application that is in use when it begins.
        """
        self.narrow(sockets)
        self.listener, self._app, self._certificates = listener, app, certificates
        self._config.headers, self._config.timeouts = app.answer_headers, app.settings.timeouts
        new = [one for one in sockets if one not in self._sockets]
        self._sockets = list(sockets)
        for one in new:
            self._watch(one)

    def narrow(self, sockets: Collection[ListeningSocket]) -> None:
        """Accept nothing more on other sockets than these."""
        for one in [one for one in self._sockets if one not in sockets]:
            asyncio.get_running_loop().remove_reader(one.inner)
            self._accept(one)  # who waits already would be turned away when it is closed
            self._sockets.remove(one)

    async def stop(self, seconds: float | None) -> None:
        """Accept no more, let what is under way end, and cut off what does not end in time (None: it has all time)."""
        self.narrow(())
        await self._context.terminated.set()
        for task, connection in list(self._connections.items()):
            if connection is None:
                task.cancel()
            else:
                connection.finish_when_idle()
        tasks = set(self._connections)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            for connection in list(self._connections.values()):
                if connection is not None:
                    connection.abort()
            await asyncio.gather(*late, return_exceptions=True)

    async def __call__(
        self,
        scope: Scope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        sync_spawn: Callable[..., Any],
        call_soon: Callable[..., Any],
    ) -> None:
        """Hand a request to the application, as Hypercorn asks of an AppWrapper."""
        scope["state"]["listener"] = self.listener
        await self._app(scope, receive, send)

    def _watch(self, listening: ListeningSocket) -> None:
        """Take connections of one socket as they come."""
        if listening in self._sockets:
            asyncio.get_running_loop().add_reader(listening.inner, self._accept, listening)

    def _accept(self, listening: ListeningSocket) -> None:
        """Take what waits at a socket."""
        loop = asyncio.get_running_loop()
        for _ in range(self.listener.options.backlog):
            try:
                connection, address = listening.inner.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Whoever waits goes on waiting, so that trying again at once would hold the loop.
                logger.warning("listener %s accepts nothing for a while: %s", self.listener.id, error.strerror)
                loop.remove_reader(listening.inner)
                loop.call_later(_PAUSE_SECONDS, self._watch, listening)
                return
            if len(self._connections) >= self.listener.max_connections:
                connection.close()
                continue
            connection.setblocking(False)
            task = loop.create_task(self._serve(connection, address))
            self._connections[task] = None
            task.add_done_callback(lambda ended: self._connections.pop(ended, None))

    async def _serve(self, inner: socket.socket, address: Any) -> None:
        """One connection, from its first octet to its end."""
        try:
            ends = await self._ends(inner, address)
            reader, writer = await self._streams(inner)
        except (OSError, TimeoutError, proxied.NotProxied) as error:
            level = logging.WARNING if isinstance(error, proxied.NotProxied) else logging.DEBUG
            logger.log(level, "listener %s: a connection did not begin: %r", self.listener.id, error)
            inner.close()
            return
        except asyncio.CancelledError:
            inner.close()
            raise
        connection = Connection(self, self._config, self._context, self._state, reader, writer, ends)
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = connection
        await connection.run()

    async def _ends(self, inner: socket.socket, address: Any) -> Ends:
        """Who is at the other end, and at ours. Raises OSError, TimeoutError, NotProxied."""
        if inner.family == socket.AF_UNIX:
            client, server = ("127.0.0.1", 0), None
        else:
            prepare(inner, self.listener.options)
            _keep_alive(inner)
            client, server = _plain(address), _plain(inner.getsockname())
        ends = Ends(client, server, secure=self._certificates is not None)
        networks = self.listener.trusted_networks
        if networks and is_trusted(networks, client[0]):
            async with asyncio.timeout(self._config.timeouts.headers):
                found = await proxied.read(inner)
            if found is not None:
                return Ends(found.client, found.server, secure=ends.secure or found.secure)
        return ends

    async def _streams(self, inner: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Octets in and out of a connection, TLS begun if it is spoken here. Raises OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        extra: dict[str, Any] = {}
        if self._certificates is not None and self.listener.tls is not None:
            extra = {"ssl": self._certificates.context, "ssl_handshake_timeout": self.listener.tls.patience}
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, inner, **extra)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def urls(listener: Listener, sockets: Collection[ListeningSocket]) -> tuple[str, ...]:
    """Where a listener is, as `http://127.0.0.1:8080`, `lmtp://127.0.0.1:24` or `unix:/run/jmaplite.sock`."""
    scheme = listener.protocol
    if scheme in ("jmap", "admin"):
        scheme = "https" if listener.tls else "http"
    return tuple(one.name if one.path else f"{scheme}://{one.name}" for one in sockets)


def certified(listener: Listener) -> Certificates | None:
    """What a listener needs for TLS, read from its files; None where it speaks none. Raises CannotListen."""
    if listener.tls is None:
        return None
    try:
        return Certificates(listener.tls)
    except OSError as error:
        raise CannotListen(f"listener {listener.id}: the certificate will not do: {error}") from None


def _keep_alive(inner: socket.socket) -> None:
    """Find out in some minutes that a peer has gone without a word, for a stream may have nothing to say for days."""
    inner.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):
            inner.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _plain(address: tuple[Any, ...]) -> tuple[str, int]:
    """An IP address and port; an IPv4 address that came in by IPv6 as IPv4 has it."""
    host: str = address[0]
    if host.startswith("::ffff:") and "." in host:
        host = host[7:]
    return host, address[1]
