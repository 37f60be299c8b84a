"""Connections of other protocols than HTTP: accepted at sockets, counted, and ended in time."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

_ACCEPTED = 64
_PAUSE_SECONDS = 0.5
_GREETING_SECONDS = 1.0
"""How long a handshake may go on when a listener ends; what needs none has begun long before."""


def _stay() -> None:
    """What has no farewell ends by itself, or when its time is up."""


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """What speaks on a connection, the task that it does so in (None before it has begun), and how it takes leave."""

    protocol: asyncio.Protocol
    task: Callable[[], asyncio.Task[None] | None]
    leave: Callable[[], None] = _stay


class Accepting(ABC):
    """A listener at work. Whatever takes time is done in threads of its own."""

    full = b""
    """What is said to whom there is no room for, where no TLS comes first."""

    def __init__(self, name: str, threads: int) -> None:
        self._sockets: list[socket.socket] = []
        self._tls: ssl.SSLContext | None = None
        self._most = 0
        self._patience = 0.0
        self._greetings: set[asyncio.Task[None]] = set()
        self._speakers: set[Speaker] = set()
        self._beginning: set[Speaker] = set()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    @abstractmethod
    def speaker(self) -> Speaker:
        """What speaks on a new connection; it is to call `begun` and `ended`."""

    def begun(self, speaker: Speaker) -> None:
        """There is a connection."""
        self._beginning.discard(speaker)
        self._speakers.add(speaker)

    def ended(self, speaker: Speaker) -> None:
        """It is no more."""
        self._speakers.discard(speaker)

    def accept(
        self, sockets: Collection[socket.socket], tls: ssl.SSLContext | None, most: int, patience: float
    ) -> None:
        """Accept connections on sockets (that stay the caller's) from now on, and none on others.

        With `tls` it is spoken from the first octet, and has `patience` seconds to begin; there are at most so many
        connections at a time.
        """
        loop = asyncio.get_running_loop()
        self._tls, self._most, self._patience = tls, most, patience
        self.narrow(sockets)
        for inner in sockets:
            if inner not in self._sockets:
                inner.setblocking(False)
                loop.add_reader(inner, self._accept, inner)
        self._sockets = list(sockets)

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._speakers)

    def narrow(self, sockets: Collection[socket.socket]) -> None:
        """Accept nothing more on other sockets than these."""
        for inner in [one for one in self._sockets if one not in sockets]:
            asyncio.get_running_loop().remove_reader(inner)
            self._sockets.remove(inner)

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do something that takes time in a thread. What was begun is ended, whether or not the peer waits for it."""
        return await asyncio.wrap_future(self._threads.submit(work, *arguments))

    async def stop(self, seconds: float | None) -> None:
        """Accept no more, and cut off what does not end in time (None: it has all time)."""
        self.narrow(())
        if self._greetings:
            _, unready = await asyncio.wait(self._greetings, timeout=_GREETING_SECONDS)
            for greeting in unready:
                greeting.cancel()
            await asyncio.gather(*unready, return_exceptions=True)
        for speaker in list(self._speakers):
            speaker.leave()
        tasks = {task for one in self._speakers if (task := one.task()) is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    def _accept(self, inner: socket.socket) -> None:
        """Take what waits at a socket; at most a few at a time, for others wait too."""
        loop = asyncio.get_running_loop()
        for _ in range(_ACCEPTED):
            try:
                connection, _address = inner.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                logger.warning("no connection can be accepted: %s", error)
                loop.remove_reader(inner)
                loop.call_later(_PAUSE_SECONDS, self._resume, inner)
                return
            connection.setblocking(False)
            if len(self._speakers) + len(self._beginning) >= self._most:
                with suppress(OSError):
                    connection.send(b"" if self._tls else self.full)
                connection.close()
                continue
            speaker = self.speaker()
            self._beginning.add(speaker)
            greeting = loop.create_task(self._greet(connection, speaker))
            self._greetings.add(greeting)
            greeting.add_done_callback(self._greetings.discard)

    def _resume(self, inner: socket.socket) -> None:
        if inner in self._sockets:
            asyncio.get_running_loop().add_reader(inner, self._accept, inner)

    async def _greet(self, connection: socket.socket, speaker: Speaker) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: speaker.protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._patience if self._tls else None,
            )
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            connection.close()
            if isinstance(error, asyncio.CancelledError):
                raise
            logger.info("a connection did not come about: %s", error)
        finally:
            self._beginning.discard(speaker)
