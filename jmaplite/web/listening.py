"""Sockets that listen, and the connections that come in through them."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.typing import LifespanState

from jmaplite.web import proxied
from jmaplite.web.address import is_trusted
from jmaplite.web.app import App
from jmaplite.web.connection import Connection, Ends
from jmaplite.web.protocols import HypercornConfig
from jmaplite.web.settings import TLS, Listener
from jmaplite.web.sockets import ListeningSocket, opened, shown
from jmaplite.web.tls import Certificates

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
"""How long nothing is accepted after accepting failed, as it does when too many files are open."""


class CannotListen(Exception):
    """A listener's address is not to be had, or its certificate is not fit for use."""


class Listening:
    """One listener at work: accepts connections from `start` to `stop`."""

    def __init__(self, listener: Listener, app: App) -> None:
        self.listener = listener
        self._app = ASGIWrapper(app)
        self._config = HypercornConfig(app.answer_headers, app.settings.timeouts.send)
        self._timeouts = app.settings.timeouts
        self._context = WorkerContext(None)
        self._state: LifespanState = {"listener": listener}
        self._certificates: Certificates | None = None
        self._sockets: list[ListeningSocket] = []
        self._connections: dict[asyncio.Task[None], Connection | None] = {}

    @property
    def urls(self) -> tuple[str, ...]:
        """Where connections are accepted, as `http://127.0.0.1:8080` or `unix:/run/jmaplite.sock`."""
        scheme = "https" if self.listener.tls else "http"
        names = [one.name for one in self._sockets]
        return tuple(name if name.startswith("unix:") else f"{scheme}://{name}" for name in names)

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    async def start(self) -> None:
        """Accept connections. Raises CannotListen."""
        if self.listener.tls:
            self._certificates = self._loaded(self.listener.tls)
        try:
            for bind in self.listener.bind:
                try:
                    self._sockets += opened(bind, self.listener.options)
                except OSError as error:
                    raise CannotListen(
                        f"listener {self.listener.id} cannot bind {shown(bind)}: {error.strerror or error}"
                    ) from None
        except CannotListen:
            self._close()
            raise
        for one in self._sockets:
            self._watch(one.inner)

    def replace(self, listener: Listener, app: App) -> None:
        """Answer the next requests of every connection by another app, and as another listener says.

        Addresses, TLS and socket options stay: a listener whose own have changed has to be started anew.
        """
        self.listener = self._state["listener"] = listener
        self._app.app = app
        self._config.headers = app.answer_headers

    def replace_tls(self, tls: TLS) -> None:
        """Serve these certificates from the next connection on. Raises CannotListen, and keeps the old ones then."""
        if self._certificates is None:
            raise CannotListen(f"listener {self.listener.id} does not speak TLS")
        try:
            self._certificates.replace(tls)
        except OSError as error:
            raise self._unfit(error) from None

    async def stop(self) -> None:
        """Accept no more, let what is under way end, and cut off what does not end in time."""
        self._close()
        await self._context.terminated.set()
        for task, connection in list(self._connections.items()):
            if connection is None:
                task.cancel()
            else:
                connection.finish_when_idle()
        tasks = set(self._connections)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._timeouts.shutdown)
            for task in late:
                task.cancel()
            for connection in list(self._connections.values()):
                if connection is not None:
                    connection.abort()
            await asyncio.gather(*late, return_exceptions=True)

    def _close(self) -> None:
        for one in self._sockets:
            asyncio.get_running_loop().remove_reader(one.inner)
            one.close()
        self._sockets = []

    def _watch(self, listening: socket.socket) -> None:
        """Take connections of one socket as they come."""
        if listening.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        """Take what waits at a socket."""
        loop = asyncio.get_running_loop()
        for _ in range(self.listener.options.backlog):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Whoever waits goes on waiting, so that trying again at once would hold the loop.
                logger.warning("listener %s accepts nothing for a while: %s", self.listener.id, error.strerror)
                loop.remove_reader(listening)
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
            logger.info("listener %s: a connection did not begin: %r", self.listener.id, error)
            inner.close()
            return
        except asyncio.CancelledError:
            inner.close()
            raise
        connection = Connection(
            self._app, self._config, self._context, self._state, self._timeouts, reader, writer, ends
        )
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = connection
        await connection.run()

    async def _ends(self, inner: socket.socket, address: Any) -> Ends:
        """Who is at the other end, and at ours. Raises OSError, TimeoutError, NotProxied."""
        if inner.family == socket.AF_UNIX:
            client, server = ("127.0.0.1", 0), None
        else:
            if not self.listener.options.nodelay:
                inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
            client, server = _plain(address), _plain(inner.getsockname())
        ends = Ends(client, server, secure=self._certificates is not None)
        networks = self.listener.trusted_networks
        if networks and is_trusted(networks, client[0]):
            async with asyncio.timeout(self._timeouts.headers):
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

    def _loaded(self, tls: TLS) -> Certificates:
        try:
            return Certificates(tls)
        except OSError as error:
            raise self._unfit(error) from None

    def _unfit(self, error: OSError | ssl.SSLError) -> CannotListen:
        return CannotListen(f"listener {self.listener.id}: the certificate will not do: {error}")


def _plain(address: tuple[Any, ...]) -> tuple[str, int]:
    """An IP address and port; an IPv4 address that came in by IPv6 as IPv4 has it."""
    host: str = address[0]
    if host.startswith("::ffff:") and "." in host:
        host = host[7:]
    return host, address[1]
