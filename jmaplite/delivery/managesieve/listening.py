"""Connections in ManageSieve."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Collection
from contextlib import suppress

from jmaplite.delivery.accepting import Accepting, Speaker
from jmaplite.delivery.managesieve.conversation import Conversation
from jmaplite.delivery.managesieve.scripts import Desk

logger = logging.getLogger(__name__)

_BUFFER = 65_536
_CLOSING_SECONDS = 10.0


class ScriptKeeping(Accepting):
    """A listener for ManageSieve at work. While it runs it may become another; connections stay as they began."""

    def __init__(self, desk: Desk, threads: int = 4) -> None:
        super().__init__("scripts", threads)
        self._desk = desk
        self._starttls: ssl.SSLContext | None = None
        self._conversations: dict[asyncio.Task[None], Conversation] = {}

    def become(
        self,
        desk: Desk,
        sockets: Collection[socket.socket],
        tls: ssl.SSLContext | None,
        most: int,
        *,
        is_implicit: bool,
        patience: float = 60.0,
    ) -> None:
        """Accept connections on sockets (that stay the caller's) from now on, and none on others."""
        self._desk = desk
        self._starttls = None if is_implicit else tls
        self.accept(sockets, tls if is_implicit else None, most, patience)

    async def stop(self, seconds: float | None) -> None:
        """Accept no more; who waits for nothing is told so at once, the others in time (None: they have all time)."""
        for task, conversation in self._conversations.items():
            conversation.is_last = True
            if conversation.is_idle:
                task.cancel()
        await super().stop(seconds)

    def speaker(self) -> Speaker:
        """What speaks on a new connection."""
        desk, tls = self._desk, self._starttls
        tasks: list[asyncio.Task[None]] = []
        reader = asyncio.StreamReader(_BUFFER)

        def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            conversation = Conversation(desk, reader, writer, self.run, tls)
            task = asyncio.get_running_loop().create_task(self._talk(speaker, conversation, writer))
            tasks.append(task)
            self._conversations[task] = conversation
            task.add_done_callback(self._conversations.pop)
            self.begun(speaker)

        protocol = asyncio.StreamReaderProtocol(reader, met)
        speaker = Speaker(protocol, lambda: tasks[0] if tasks else None)
        return speaker

    async def _talk(self, speaker: Speaker, conversation: Conversation, writer: asyncio.StreamWriter) -> None:
        try:
            await conversation.hold()
        except Exception:
            logger.exception("a conversation in ManageSieve failed")
        finally:
            self.ended(speaker)
            writer.close()
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), _CLOSING_SECONDS)
