"""Every option, declared once: its name, kind, default, meaning and other names."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass, field
from pathlib import Path

from jmaplite.config.kinds import (
    ADDRESS,
    BOOLEAN,
    EMAIL,
    FILE,
    HEADER,
    HOST,
    LINE,
    LOGIN,
    NETWORK,
    PATH,
    SECONDS,
    SECRET,
    SIZE,
    STRING,
    TOKEN,
    URL,
    Address,
    at_least,
    choice,
    many,
    or_false,
)
from jmaplite.config.sections import option, rows, section

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@section("server")
class Server:
    """The server as a whole."""

    hostname: str = option(
        "hostname",
        HOST,
        "How the server calls itself, in mail that it writes and where no `url` is given.",
        default_factory=socket.gethostname,
        shown="the machine's name",
    )


@section("server.listener.<id>")
class Listener:
    """An address where the server listens. One table for each; the name is only for the log."""

    id: str
    bind: tuple[Address, ...] = option(
        "bind", many(ADDRESS), "Addresses and ports to listen on. Port 0 takes any free port."
    )
    url: str = option(
        "url",
        URL,
        "What clients type: every URL in the session object begins with it. Without a scheme, that of the "
        "listener is taken (https with TLS, else http), or what a trusted proxy says. Not set: the address "
        "that the client used.",
        default="",
    )
    protocol: str = option("protocol", choice("jmap"), "What is spoken here.", default="jmap")
    tls_implicit: bool = option("tls.implicit", BOOLEAN, "Speak TLS from the first octet.", default=False)
    tls_certificate: str = option(
        "tls.certificate", LINE, "The name of the `certificate` table to use for TLS.", default=""
    )
    max_connections: int = option("max-connections", at_least(1), "Connections served at the same time.", default=8192)
    trusted_networks: tuple[Network, ...] = option(
        "proxy.trusted-networks",
        many(NETWORK),
        "Networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        default=(),
    )


@section("certificate.<id>")
class Certificate:
    """A certificate for TLS. One table for each."""

    id: str
    cert: Path = option("cert", FILE, "File with the certificate and its chain, in PEM.")
    private_key: Path = option("private-key", FILE, "File with the private key, in PEM.")


@section("store")
class Store:
    """Where mail is kept."""

    type: str = option("type", choice("sqlite"), "The kind of store.", default="sqlite")
    path: Path = option("path", PATH, "The directory of the store.", default=Path("data"))


@section("jmap")
class Jmap:
    """What all of JMAP shares."""

    directory: str = option(
        "directory",
        LINE,
        "The name of the `directory` table that knows the users.",
        aliases=("/storage.directory",),
    )


@section("jmap.http")
class Http:
    """How JMAP is carried over HTTP."""

    headers: tuple[tuple[str, str], ...] = option(
        "headers",
        many(HEADER),
        "Header lines that are added to every answer.",
        default=(),
        aliases=("/server.http.headers", "/http.headers"),
    )
    compression: bool = option("compression", BOOLEAN, "Compress answers for clients that accept it.", default=True)


@section("jmap.protocol")
class Limits:
    """The limits of RFC 8620 §2 and of its methods. `false`, where it may stand, takes a limit away."""

    max_objects_in_get: int = option(
        "get.max-objects", at_least(1), "maxObjectsInGet: objects that one /get may ask for.", default=500
    )
    max_objects_in_set: int = option(
        "set.max-objects", at_least(1), "maxObjectsInSet: objects that one /set may touch.", default=500
    )
    max_concurrent_requests: int = option(
        "request.max-concurrent",
        or_false(at_least(1)),
        "maxConcurrentRequests: requests of one user at the same time.",
        default=4,
    )
    max_size_request: int = option(
        "request.max-size", SIZE, "maxSizeRequest: size of a request to the API.", default=10_000_000
    )
    max_calls_in_request: int = option(
        "request.max-calls", at_least(1), "maxCallsInRequest: method calls in one request.", default=16
    )
    max_query_results: int = option(
        "query.max-results", at_least(1), "Ids that one /query answers at most.", default=5000
    )
    max_changes: int = option(
        "changes.max-results", at_least(1), "Ids that one /changes answers at most.", default=5000
    )
    max_history: int = option(
        "changes.max-history",
        or_false(SECONDS),
        "How long destroyed objects are remembered; older states answer cannotCalculateChanges.",
        default=30 * 86400,
        shown='"30d"',
    )
    max_snippets: int = option(
        "search-snippet.max-results", at_least(1), "Emails that one SearchSnippet/get may name.", default=100
    )
    max_size_upload: int = option(
        "upload.max-size", SIZE, "maxSizeUpload: size of one uploaded file.", default=50_000_000
    )
    max_concurrent_upload: int = option(
        "upload.max-concurrent",
        or_false(at_least(1)),
        "maxConcurrentUpload: uploads of one user at the same time.",
        default=4,
    )
    upload_ttl: int = option(
        "upload.ttl",
        SECONDS,
        "How long an upload is kept that nothing refers to.",
        default=3600,
        shown='"1h"',
    )
    upload_quota_files: int = option(
        "upload.quota.files",
        at_least(0),
        "Uploads of one account that nothing refers to yet; 0 is without limit.",
        default=1000,
    )
    upload_quota_size: int = option(
        "upload.quota.size",
        SIZE,
        "Octets of one account's uploads that nothing refers to yet; 0 is without limit.",
        default=50_000_000,
    )


@section("jmap.mailbox")
class Mailbox:
    """Limits of mailboxes (RFC 8621 §1.3.1)."""

    max_depth: int = option("max-depth", at_least(1), "maxMailboxDepth: levels of mailboxes.", default=10)
    max_name_length: int = option(
        "max-name-length", at_least(100), "maxSizeMailboxName: octets of a mailbox's name.", default=255
    )


@section("jmap.email")
class Email:
    """Limits of messages (RFC 8621 §1.3.1)."""

    max_attachment_size: int = option(
        "max-attachment-size",
        SIZE,
        "maxSizeAttachmentsPerEmail: size of all attachments of one message.",
        default=50_000_000,
    )
    max_size: int = option("max-size", SIZE, "Size of a whole message.", default=75_000_000)
    parse_max_items: int = option("parse.max-items", at_least(1), "Blobs that one Email/parse may name.", default=10)


@section("jmap.compat")
class Compat:
    """Leniencies towards clients that keep less than the RFCs ask for. All are off unless asked for."""

    lenient_content_type: bool = option(
        "lenient-content-type",
        BOOLEAN,
        "Accept requests to the API whose Content-Type is not application/json.",
        default=False,
    )


@section("directory.<id>.principals[]")
class Principal:
    """A person or a group of a directory in memory. One `[[directory.\"NAME\".principals]]` for each."""

    name: str = option("name", LOGIN, "The name to log in with, which also names the account. It never changes.")
    type: str = option(
        "type",
        choice("individual", "admin", "group"),
        "`individual` is a person, `admin` a person who may administer, `group` a shared account.",
        default="individual",
        aliases=("class",),
    )
    description: str = option("description", STRING, "The name that people see.", default="")
    secrets: tuple[str, ...] = option(
        "secret",
        many(SECRET),
        "Password, plain or as an argon2 hash; each of several is good. Without one there is no logging in.",
        default=(),
        secret=True,
    )
    emails: tuple[str, ...] = option(
        "email",
        many(EMAIL),
        "Addresses that receive mail here; the first is the sender of new mail.",
        default=(),
    )
    email_lists: tuple[str, ...] = option(
        "email-list", many(EMAIL), "Addresses of mailing lists that this principal is on.", default=()
    )
    quota: int = option("quota", SIZE, "Octets that the account may hold; 0 is without limit.", default=0)
    member_of: tuple[str, ...] = option(
        "member-of", many(LINE), "Groups whose accounts this principal sees.", default=()
    )
    tokens: tuple[str, ...] = option(
        "tokens",
        many(TOKEN),
        "Bearer tokens by their SHA-256 in hexadecimal, with or without a name in front.",
        default=(),
        secret=True,
    )


@section("directory.<id>")
class Directory:
    """A directory of users. One table for each; `jmap.directory` names the one in use."""

    id: str
    type: str = option("type", choice("memory"), "Where the users stand: `memory` is this file.")
    principals: tuple[Principal, ...] = rows(Principal)


@section("log")
class Log:
    """What is logged, to standard error."""

    level: str = option(
        "level",
        choice("debug", "info", "warning", "error"),
        "The least severity that is logged.",
        default="info",
    )
    format: str = option(
        "format", choice("text", "json"), "Lines for people, or one JSON object a line.", default="text"
    )


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole configuration. `path` is the file that it came from.

    Sizes are octets, durations seconds, paths absolute; what refers to something by name is known to exist.
    """

    path: Path
    jmap: Jmap
    listeners: tuple[Listener, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    directories: tuple[Directory, ...] = ()
    server: Server = field(default_factory=Server)
    store: Store = field(default_factory=Store)
    http: Http = field(default_factory=Http)
    limits: Limits = field(default_factory=Limits)
    mailbox: Mailbox = field(default_factory=Mailbox)
    email: Email = field(default_factory=Email)
    compat: Compat = field(default_factory=Compat)
    log: Log = field(default_factory=Log)

    @property
    def directory(self) -> Directory:
        """The directory in use."""
        return next(one for one in self.directories if one.id == self.jmap.directory)

    def certificate(self, name: str) -> Certificate:
        """A certificate by its name. Raises KeyError."""
        for one in self.certificates:
            if one.id == name:
                return one
        raise KeyError(name)


SINGLE: dict[str, type] = {
    "server": Server,
    "store": Store,
    "jmap": Jmap,
    "http": Http,
    "limits": Limits,
    "mailbox": Mailbox,
    "email": Email,
    "compat": Compat,
    "log": Log,
}
"""Sections that stand once, by their field in Config."""

REPEATED: dict[str, type] = {"listeners": Listener, "certificates": Certificate, "directories": Directory}
"""Sections that repeat for each name, by their field in Config."""
