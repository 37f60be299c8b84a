"""What the web room is told by whoever starts it, as plain values."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class TLS:
    """How TLS is spoken: files in PEM with a certificate and its chain, and its key.

    `names` are other pairs of files for clients that ask for a name (RFC 6066 §3), in which `*` may stand for the
    first label. `ciphers` are those of TLS 1.2 by OpenSSL's names, "" for those that are thought safe; without
    `server_order` the client's favourite is taken. `patience` is in seconds, for a client to begin.
    """

    certificate: Path
    key: Path
    names: tuple[tuple[str, Path, Path], ...] = ()
    versions: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    ciphers: str = ""
    server_order: bool = True
    patience: float = 60.0


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """What sockets are set to; sizes in octets, 0 leaves them, `ttl` and `tos` (RFC 791 §3.1) to the system.

    `mode` is that of the file of a Unix socket. An IPv6 address that stands for all takes IPv4 along, unless
    `v6_only`.
    """

    backlog: int = 1024
    reuse_address: bool = True
    reuse_port: bool = False
    nodelay: bool = True
    send_buffer: int = 0
    receive_buffer: int = 0
    ttl: int = 0
    tos: int = 0
    mode: int = 0o660
    v6_only: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """Addresses where one protocol is spoken.

    `bind` are hosts (without brackets) and ports (0: any free one), or paths of Unix sockets. `url` is what clients
    reach it by, with or without a scheme; None: the address that they used. Peers in `trusted_networks` are
    believed what they say in the PROXY protocol, and in X-Forwarded-* if `forwarded`. A peer at a Unix socket is
    one from 127.0.0.1. TLS is spoken from the first octet, or, where mail is taken and it is not `is_implicit`,
    when the peer asks for it.
    """

    id: str
    bind: tuple[tuple[str, int] | Path, ...]
    url: str | None = None
    protocol: str = "jmap"
    tls: TLS | None = None
    trusted_networks: tuple[Network, ...] = ()
    max_connections: int = 8192
    options: SocketOptions = field(default_factory=SocketOptions)
    forwarded: bool = True
    is_implicit: bool = True


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
class Cors:
    """Origins whose pages are let in: exact ones and such with `*` for labels or a port, or a wildmat of Cyrus's.

    `credentials` lets browsers add cookies and certificates, which nothing here needs. `max_age` is in seconds.
    """

    origins: tuple[str, ...] = ()
    wildmat: str = ""
    credentials: bool = False
    max_age: int = 3600


@dataclass(frozen=True, slots=True)
class PushSettings:
    """How clients are told of changes; the throttles are seconds between two messages to one client.

    A client that says nothing for `socket_timeout` seconds, not even by answering a ping (one each `socket_heartbeat`
    seconds), loses its WebSocket. Either may be 0: there is no WebSocket, or no ping.
    """

    enabled: bool = True
    event_source_throttle: float = 1.0
    socket_throttle: float = 1.0
    socket_timeout: float = 600.0
    socket_heartbeat: float = 60.0


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times (at least once) in so many seconds."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How often a user may ask, an address without a log-in, and how often log-ins of an address may fail.

    None is without limit. `size` is how many users, and how many addresses, are counted.
    """

    account: Rate | None = None
    anonymous: Rate | None = None
    authentication: Rate | None = None
    size: int = 10_000


@dataclass(frozen=True, slots=True)
class HTTPSettings:
    """How JMAP is carried: header lines for every answer, compression, leniencies and patience.

    `cors` is None if no origins are given; `permissive` lets in all of them. With `hsts` browsers are told to use
    nothing but TLS. `threads` is how many requests are worked on at the same time. With `access_log` each request has
    a line in the log.
    """

    headers: tuple[tuple[str, str], ...] = ()
    cors: Cors | None = None
    permissive: bool = False
    hsts: bool = False
    compression: bool = True
    lenient_content_type: bool = False
    threads: int = 8
    access_log: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)
    push: PushSettings = field(default_factory=PushSettings)
    rates: RateLimits = field(default_factory=RateLimits)
