"""What the processes of one server say to each other: a value at a time, with open sockets beside it."""

from __future__ import annotations

import pickle
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jmaplite.config import Config
from jmaplite.server.sockets import Place

_LENGTH = struct.Struct("!I")
_MOST_DESCRIPTORS = 250
"""What the kernel hands over at a time."""


@dataclass(frozen=True, slots=True)
class Serve:
    """Serve this configuration, from now on.

    `places` has what the sockets that come along are bound for, and the file of each that is a Unix socket; `errors`
    the lines about a later configuration that could not be used.
    """

    config: Config
    places: tuple[tuple[Place, tuple[Path | None, ...]], ...]
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Errors:
    """A changed configuration could not be used, for these reasons; or could, if there are none."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """It is done; or not, and why."""

    failure: str | None = None


Message = Serve | Errors | Done


@dataclass(slots=True)
class Channel:
    """One end of a connection between a process and one that it has started. Both trust each other."""

    connection: socket.socket

    def send(self, message: Message, descriptors: list[int] | None = None) -> None:
        """Say something. Raises OSError."""
        octets = pickle.dumps(message)
        head = _LENGTH.pack(len(octets))
        sent, left = 0, descriptors or []
        while left:
            # Descriptors need an octet to go with.
            now, left = left[:_MOST_DESCRIPTORS], left[_MOST_DESCRIPTORS:]
            socket.send_fds(self.connection, [head[sent : sent + 1]], now)
            sent += 1
        self.connection.sendall(head[sent:] + octets)

    def receive(self) -> tuple[Message, list[int]]:
        """What the other says next, and what comes along. Raises OSError, EOFError."""
        found: list[int] = []
        octets = b""
        wanted = _LENGTH.size
        while len(octets) < wanted:
            some, descriptors, _, _ = socket.recv_fds(self.connection, wanted - len(octets), _MOST_DESCRIPTORS)
            found += descriptors
            if not some:
                raise EOFError
            octets += some
            if len(octets) == _LENGTH.size and wanted == _LENGTH.size:
                wanted += _LENGTH.unpack(octets)[0]
        message: Message = pickle.loads(octets[_LENGTH.size :])  # noqa: S301 -- from our own parent or child
        return message, found

    def close(self) -> None:
        """End it, also for whoever waits here."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
