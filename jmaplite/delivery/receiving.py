"""Listeners for mail: who may connect, how many, and what they may hold in memory."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from jmaplite.delivery.accepting import Accepting, Speaker
from jmaplite.delivery.incoming import Incoming
from jmaplite.delivery.speaking import LMTPSpeaker, SMTPSpeaker

HELD_OCTETS = 256 << 20
"""How much of messages under way is held in memory, or as much as two of the largest messages have."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """What a listener for mail goes by: `tls` offers STARTTLS, or is spoken from the first octet if `is_implicit`.

    Then TLS has `patience` seconds to begin.
    """

    protocol: Literal["lmtp", "smtp"]
    tls: ssl.SSLContext | None = None
    is_implicit: bool = False
    max_connections: int = 8192
    patience: float = 60.0


class Receiving(Accepting):
    """A listener for mail at work. While it runs it may become another; connections stay as they began."""

    full = b"421 4.3.2 There are too many connections\r\n"

    def __init__(self, incoming: Incoming, threads: int = 8) -> None:
        super().__init__("mail", threads)
        self.incoming = incoming
        self._receiver = Receiver("lmtp")
        self._held = 0

    def become(self, receiver: Receiver, incoming: Incoming, sockets: Collection[socket.socket]) -> None:
        """Accept connections on sockets (that stay the caller's) from now on, and none on others."""
        self._receiver, self.incoming = receiver, incoming
        tls = receiver.tls if receiver.is_implicit else None
        self.accept(sockets, tls, receiver.max_connections, receiver.patience)

    def hold(self, octets: int) -> bool:
        """Have so many octets (or, negative, so many fewer) of messages in memory, if there is room for more."""
        if octets >= 0 and self._held + octets >= max(HELD_OCTETS, self.incoming.office.largest * 8 // 3):
            return False
        self._held += octets
        return True

    def speaker(self) -> Speaker:
        """What speaks on a new connection."""
        kind = LMTPSpeaker if self._receiver.protocol == "lmtp" else SMTPSpeaker
        office = self.incoming.office
        protocol = kind(
            self,
            data_size_limit=office.largest,
            hostname=office.host,
            tls_context=None if self._receiver.is_implicit else self._receiver.tls,
            loop=asyncio.get_running_loop(),
        )
        speaker = Speaker(protocol, lambda: protocol.task, protocol.leave)
        self._watch(protocol, speaker)
        return speaker

    def _watch(self, protocol: Any, speaker: Speaker) -> None:
        """Know a connection from its beginning to its end."""
        made, lost = protocol.connection_made, protocol.connection_lost

        def connection_made(transport: Any) -> None:
            self.begun(speaker)
            made(transport)

        def connection_lost(error: Exception | None) -> None:
            self.ended(speaker)
            lost(error)

        protocol.connection_made, protocol.connection_lost = connection_made, connection_lost
