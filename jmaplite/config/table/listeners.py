"""The server as a whole, where it listens, and its certificates."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from jmaplite.config.addresses import ADDRESS, HOST, NETWORK, SUBJECT, URL, Address
from jmaplite.config.ciphers import CIPHER, before_1_3
from jmaplite.config.kinds import BOOLEAN, DURATION, FILE, LINE, MODE, SIZE, at_least, at_most, choice, many
from jmaplite.config.sections import option, rows, section

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TLS_VERSION = choice("TLSv1.2", "TLSv1.3", also={"TLSv12": "TLSv1.2", "TLSv13": "TLSv1.3"})


@section("")
class Include:
    """What stands above all tables."""

    files: tuple[str, ...] = option(
        "include",
        many(LINE),
        "Further files whose settings count as if they stood here; `conf.d/*.toml` are all that match. "
        "Relative paths in them begin from where they are.",
        default=(),
        aliases=("include.files",),
    )


@section("server")
class Server:
    """The server as a whole. Much of what a listener has may be set here for all of them."""

    hostname: str = option(
        "hostname",
        HOST,
        "How the server calls itself, in mail that it writes and where no `url` is given.",
        default_factory=socket.gethostname,
        shown="the machine's name",
    )
    workers: int = option(
        "workers",
        at_least(1),
        "Processes that serve, all over one store; only a start changes their number. What a user or a listener may "
        "have at the same time is counted in each of them.",
        default=1,
    )


@section("server.http")
class ServerHttp:
    """What later versions of Stalwart set for HTTP as a whole; `headers` is in `[jmap.http]`."""

    permissive_cors: bool = option(
        "permissive-cors",
        BOOLEAN,
        "Let every web page ask, with a password that it knows: adds the CORS headers of Stalwart to every answer.",
        default=False,
        aliases=("/http.permissive-cors",),
    )
    hsts: bool = option(
        "hsts",
        BOOLEAN,
        "Tell browsers to use nothing but TLS with this host, and all beneath it, for a year (RFC 6797).",
        default=False,
        aliases=("/http.hsts",),
    )
    use_x_forwarded: bool = option(
        "use-x-forwarded",
        BOOLEAN,
        "Believe the X-Forwarded-* headers of networks in `proxy.trusted-networks`, and of nobody else.",
        default=True,
        aliases=("/http.use-x-forwarded", "/jmap.rate-limit.use-forwarded"),
    )


@section("server.listener.<id>.tls.sni[]")
class ServerName:
    """Another certificate for those who ask for a certain name (RFC 6066 §3). One `[[...tls.sni]]` for each."""

    subject: str = option("subject", SUBJECT, "The name that clients ask for; `*` stands for one label.")
    certificate: str = option("certificate", LINE, "The name of the `certificate` table to use.")


@section("server.listener.<id>")
class Listener:
    """An address where the server listens. One table for each; the name is only for the log."""

    id: str
    bind: tuple[Address, ...] = option(
        "bind",
        many(ADDRESS),
        "Addresses and ports to listen on, or `unix:PATH` for a Unix socket. Port 0 takes any free port.",
    )
    url: str = option(
        "url",
        URL,
        "What clients type: every URL in the session object begins with it. Without a scheme, that of the "
        "listener is taken (https with TLS, else http), or what a trusted proxy says. Not set: the address "
        "that the client used.",
        default="",
        everywhere="server.url",
    )
    protocol: str = option(
        "protocol",
        choice(
            *("jmap", "admin", "lmtp", "smtp", "managesieve"),
            also={"http": "jmap"},
            refused={
                "https": 'is "jmap" with tls.implicit = true',
                "imap": "is not spoken here: only JMAP clients are served",
                "pop3": "is not spoken here: only JMAP clients are served",
            },
        ),
        "What is spoken here. `http` is another word for `jmap`; `admin` is for health checks and metrics; `lmtp` and "
        "`smtp` take mail in; `managesieve` is for Sieve scripts.",
        default="jmap",
    )
    tls_enable: bool = option(
        "tls.enable",
        BOOLEAN,
        "Whether TLS is spoken at all, where a certificate is given.",
        default=True,
        everywhere="server.tls.enable",
    )
    tls_implicit: bool = option(
        "tls.implicit",
        BOOLEAN,
        "Speak TLS from the first octet. Other protocols than `jmap` and `admin` offer STARTTLS without it, if there "
        "is a certificate.",
        default=False,
        everywhere="server.tls.implicit",
    )
    tls_certificate: str = option(
        "tls.certificate",
        LINE,
        "The name of the `certificate` table to use for TLS; without it, the only one, or the one that is the default.",
        default="",
        everywhere="server.tls.certificate",
    )
    tls_sni: tuple[ServerName, ...] = rows(ServerName)
    tls_protocols: tuple[str, ...] = option(
        "tls.protocols",
        many(_TLS_VERSION),
        "Versions of TLS that are spoken.",
        default=("TLSv1.2", "TLSv1.3"),
        everywhere="server.tls.protocols",
    )
    tls_disable_protocols: tuple[str, ...] = option(
        "tls.disable-protocols",
        many(_TLS_VERSION),
        "Versions of TLS that are not spoken.",
        default=(),
        everywhere="server.tls.disable-protocols",
    )
    tls_ciphers: tuple[str, ...] = option(
        "tls.ciphers",
        many(CIPHER),
        "Ciphers of TLS 1.2, by OpenSSL's names or the standard's; not set: those that are thought safe. Those of "
        "TLS 1.3 may be named, and are spoken in any case.",
        default=(),
        everywhere="server.tls.ciphers",
    )
    tls_ignore_client_order: bool = option(
        "tls.ignore-client-order",
        BOOLEAN,
        "Choose ciphers in the server's order, not in the client's.",
        default=True,
        everywhere="server.tls.ignore-client-order",
    )
    tls_timeout: float = option(
        "tls.timeout",
        DURATION,
        "How long a client may take for TLS to begin.",
        default=60.0,
        shown='"1m"',
        everywhere="server.tls.timeout",
    )
    max_connections: int = option(
        "max-connections",
        at_least(1),
        "Connections served at the same time, by each worker.",
        default=8192,
        everywhere="server.max-connections",
    )
    trusted_networks: tuple[Network, ...] = option(
        "proxy.trusted-networks",
        many(NETWORK),
        "Networks of reverse proxies that are believed: X-Forwarded-For, -Proto and -Host (or, where none of these is "
        "there, Forwarded), and the PROXY protocol, versions 1 and 2. Whoever connects by a Unix socket is taken for "
        "127.0.0.1. An `admin` listener with such networks serves nobody else; those for mail and scripts believe "
        "nobody.",
        default=(),
        everywhere="server.proxy.trusted-networks",
    )
    reuse_addr: bool = option(
        "socket.reuse-addr",
        BOOLEAN,
        "Bind although connections of an earlier process are not quite gone.",
        default=True,
        everywhere="server.socket.reuse-addr",
    )
    reuse_port: bool = option(
        "socket.reuse-port",
        BOOLEAN,
        "Share the address with other processes that set this as well.",
        default=False,
        everywhere="server.socket.reuse-port",
    )
    backlog: int = option(
        "socket.backlog",
        at_least(1),
        "Connections that may wait to be accepted.",
        default=1024,
        everywhere="server.socket.backlog",
    )
    nodelay: bool = option(
        "socket.nodelay",
        BOOLEAN,
        "Send small packets at once (TCP_NODELAY).",
        default=True,
        everywhere="server.socket.nodelay",
    )
    send_buffer_size: int = option(
        "socket.send-buffer-size",
        SIZE,
        "Octets that the system keeps of what is sent; 0 leaves it to the system.",
        default=0,
        everywhere="server.socket.send-buffer-size",
    )
    recv_buffer_size: int = option(
        "socket.recv-buffer-size",
        SIZE,
        "Octets that the system keeps of what has arrived; 0 leaves it to the system.",
        default=0,
        everywhere="server.socket.recv-buffer-size",
    )
    ttl: int = option(
        "socket.ttl",
        at_most(255),
        "Routers that a packet may pass (IP_TTL, IPV6_UNICAST_HOPS); 0 leaves it to the system.",
        default=0,
        everywhere="server.socket.ttl",
    )
    tos: int = option(
        "socket.tos",
        at_most(255),
        "How packets are marked for routers (IP_TOS, IPV6_TCLASS); 0 leaves it to the system.",
        default=0,
        everywhere="server.socket.tos",
    )
    socket_mode: int = option(
        "socket.mode",
        MODE,
        "The mode of a Unix socket: who may connect.",
        default=0o660,
        shown='"660"',
        everywhere="server.socket.mode",
    )

    @property
    def tls_versions(self) -> tuple[str, ...]:
        """The versions of TLS that are spoken, the oldest first."""
        return tuple(sorted(set(self.tls_protocols) - set(self.tls_disable_protocols)))

    @property
    def tls_1_2_ciphers(self) -> tuple[str, ...]:
        """The ciphers that are chosen; none where those that are thought safe are spoken."""
        return before_1_3(self.tls_ciphers)


@section("certificate.<id>")
class Certificate:
    """A certificate for TLS. One table for each."""

    id: str
    cert: Path = option("cert", FILE, "File with the certificate and its chain, in PEM.")
    private_key: Path = option("private-key", FILE, "File with the private key, in PEM.")
    default: bool = option(
        "default", BOOLEAN, "Take this one where a listener with `tls.implicit` names none.", default=False
    )
