"""Every option, declared once: its name, kind, default, meaning and other names. A module for each theme."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from jmaplite.config.mistakes import Mistake
from jmaplite.config.table.capabilities import Capabilities
from jmaplite.config.table.delivery import Queue, Recipients, Relay, Sieve
from jmaplite.config.table.directories import Database, Directory, Group, Ldap, Principal, Sql, Token, User
from jmaplite.config.table.jmap import (
    Compat,
    Conversations,
    Cors,
    Email,
    Folder,
    Http,
    Jmap,
    Limits,
    Mailbox,
    RateLimit,
    SessionCache,
    Submission,
)
from jmaplite.config.table.listeners import Certificate, Include, Listener, Network, Server, ServerHttp, ServerName
from jmaplite.config.table.push import EventSource, Push, WebSocket
from jmaplite.config.table.refused import REFUSED
from jmaplite.config.table.storage import Dev, Log, LogLevels, Store

__all__ = [
    "REFUSED",
    "REPEATED",
    "SINGLE",
    "Capabilities",
    "Certificate",
    "Compat",
    "Config",
    "Conversations",
    "Cors",
    "Database",
    "Dev",
    "Directory",
    "Email",
    "EventSource",
    "Folder",
    "Group",
    "Http",
    "Include",
    "Jmap",
    "Ldap",
    "Limits",
    "Listener",
    "Log",
    "LogLevels",
    "Mailbox",
    "Network",
    "Principal",
    "Push",
    "Queue",
    "RateLimit",
    "Recipients",
    "Relay",
    "Server",
    "ServerHttp",
    "ServerName",
    "SessionCache",
    "Sieve",
    "Sql",
    "Store",
    "Submission",
    "Token",
    "User",
    "WebSocket",
]


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole configuration. `path` is the file that it came from, `files` are that and all that were read with it.

    `sources` are these and what else decided what they say: files that macros stand for, folders of included files.
    `remarks` are warnings and notes. Sizes are octets, durations seconds, paths absolute; what refers to something
    by name is known to exist.
    """

    path: Path
    files: tuple[Path, ...] = ()
    sources: tuple[Path, ...] = ()
    remarks: tuple[Mistake, ...] = field(default=(), compare=False)
    jmap: Jmap
    include: Include = field(default_factory=Include)
    listeners: tuple[Listener, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    directories: tuple[Directory, ...] = ()
    databases: tuple[Database, ...] = ()
    folders: tuple[Folder, ...] = ()
    relays: tuple[Relay, ...] = ()
    server: Server = field(default_factory=Server)
    server_http: ServerHttp = field(default_factory=ServerHttp)
    store: Store = field(default_factory=Store)
    http: Http = field(default_factory=Http)
    cors: Cors = field(default_factory=Cors)
    limits: Limits = field(default_factory=Limits)
    mailbox: Mailbox = field(default_factory=Mailbox)
    email: Email = field(default_factory=Email)
    compat: Compat = field(default_factory=Compat)
    capabilities: Capabilities = field(default_factory=Capabilities)
    session_cache: SessionCache = field(default_factory=SessionCache)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    conversations: Conversations = field(default_factory=Conversations)
    submission: Submission = field(default_factory=Submission)
    event_source: EventSource = field(default_factory=EventSource)
    web_socket: WebSocket = field(default_factory=WebSocket)
    push: Push = field(default_factory=Push)
    queue: Queue = field(default_factory=Queue)
    recipients: Recipients = field(default_factory=Recipients)
    sieve: Sieve = field(default_factory=Sieve)
    log: Log = field(default_factory=Log)
    log_levels: LogLevels = field(default_factory=LogLevels)
    dev: Dev = field(default_factory=Dev)

    @property
    def directory(self) -> Directory:
        """The directory in use."""
        return next(one for one in self.directories if one.id == self.jmap.directory)

    def certificate(self, name: str) -> Certificate:
        """A certificate by its name, or the default one for an empty name. Raises KeyError."""
        for one in self.certificates:
            if one.id == name or (not name and (one.default or len(self.certificates) == 1)):
                return one
        raise KeyError(name)

    def has_certificate(self, name: str) -> bool:
        """Whether there is a certificate of a name, or a default one for an empty name."""
        return any(one.id == name or (not name and one.default) for one in self.certificates) or (
            not name and len(self.certificates) == 1
        )


SINGLE: dict[str, type] = {
    "include": Include,
    "server": Server,
    "server_http": ServerHttp,
    "store": Store,
    "jmap": Jmap,
    "http": Http,
    "cors": Cors,
    "limits": Limits,
    "mailbox": Mailbox,
    "email": Email,
    "compat": Compat,
    "capabilities": Capabilities,
    "session_cache": SessionCache,
    "rate_limit": RateLimit,
    "conversations": Conversations,
    "submission": Submission,
    "event_source": EventSource,
    "web_socket": WebSocket,
    "push": Push,
    "queue": Queue,
    "recipients": Recipients,
    "sieve": Sieve,
    "log": Log,
    "log_levels": LogLevels,
    "dev": Dev,
}
"""Sections that stand once, by their field in Config."""

REPEATED: dict[str, type] = {
    "listeners": Listener,
    "certificates": Certificate,
    "directories": Directory,
    "databases": Database,
    "folders": Folder,
    "relays": Relay,
}
"""Sections that repeat for each name, by their field in Config."""
