"""What the web room is told by whoever starts it, as plain values."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class TLS:
    """Files in PEM: a certificate with its chain, and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Listener:
    """Addresses where one protocol is spoken.

    `bind` are hosts (without brackets) and ports (0: any free one). `url` is what clients reach it by, with or
    without a scheme; None: the address that they used. Peers in `trusted_networks` are believed their
    X-Forwarded-* headers.
    """

    id: str
    bind: tuple[tuple[str, int], ...]
    url: str | None = None
    protocol: str = "jmap"
    tls: TLS | None = None
    trusted_networks: tuple[Network, ...] = ()
    max_connections: int = 8192


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds of patience.

    `headers`: for a request's head once it has begun; `body`: for its next octets; `keep_alive`: for the next
    request; `send`: for a peer that takes none of its answer; `linger`: for a peer that goes on sending after
    its answer; `shutdown`: for what is under way when the server stops.
    """

    headers: float = 15.0
    body: float = 30.0
    keep_alive: float = 75.0
    send: float = 60.0
    linger: float = 5.0
    shutdown: float = 10.0


@dataclass(frozen=True, slots=True)
class HTTPSettings:
    """How JMAP is carried: header lines for every answer, compression, leniencies and patience.

    `threads` is how many requests are worked on at the same time.
    """

    headers: tuple[tuple[str, str], ...] = ()
    compression: bool = True
    lenient_content_type: bool = False
    threads: int = 8
    timeouts: Timeouts = field(default_factory=Timeouts)
