"""Sockets that listen, and the connections that come in through them."""

from __future__ import annotations

import asyncio
import logging
import ssl
from asyncio import StreamReader, StreamWriter
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.typing import LifespanState

from jmaplite.web.app import App
from jmaplite.web.connection import Connection
from jmaplite.web.protocols import HypercornConfig
from jmaplite.web.settings import TLS, Listener

logger = logging.getLogger(__name__)

BACKLOG = 1024


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
        self._servers: list[asyncio.Server] = []
        self._connections: dict[Connection, asyncio.Task[None]] = {}

    @property
    def urls(self) -> tuple[str, ...]:
        """Where connections are accepted, as `http://127.0.0.1:8080`."""
        scheme = "https" if self.listener.tls else "http"
        names = [socket.getsockname() for server in self._servers for socket in server.sockets]
        return tuple(f"{scheme}://{_authority(*name[:2])}" for name in names)

    async def start(self) -> None:
        """Accept connections. Raises CannotListen."""
        context = self._tls(self.listener.tls) if self.listener.tls else None
        extra: dict[str, Any] = {"ssl": context, "ssl_handshake_timeout": self._timeouts.headers} if context else {}
        for host, port in self.listener.bind:
            try:
                server = await asyncio.start_server(self._accept, host or None, port, backlog=BACKLOG, **extra)
            except OSError as error:
                self._close()
                raise CannotListen(
                    f"listener {self.listener.id} cannot bind {_authority(host, port)}: {error.strerror or error}"
                ) from None
            self._servers.append(server)

    async def stop(self) -> None:
        """Accept no more, let what is under way end, and cut off what does not end in time."""
        self._close()
        await self._context.terminated.set()
        for connection in list(self._connections):
            connection.finish_when_idle()
        tasks = set(self._connections.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._timeouts.shutdown)
            for task in late:
                task.cancel()
            for connection in list(self._connections):
                connection.abort()
            await asyncio.gather(*late, return_exceptions=True)

    def _close(self) -> None:
        for server in self._servers:
            server.close()

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        if len(self._connections) >= self.listener.max_connections:
            writer.transport.abort()
            return
        connection = Connection(self._app, self._config, self._context, self._state, self._timeouts, reader, writer)
        task = asyncio.get_running_loop().create_task(connection.run())
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._connections.pop(connection, None))

    def _tls(self, files: TLS) -> ssl.SSLContext:
        config = self._config
        config.certfile, config.keyfile = str(files.certificate), str(files.key)
        try:
            context = config.create_ssl_context()
        except (OSError, ssl.SSLError) as error:
            raise CannotListen(f"listener {self.listener.id}: the certificate will not do: {error}") from None
        assert context is not None
        return context


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
