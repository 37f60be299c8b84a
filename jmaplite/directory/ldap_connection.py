"""Connections to an LDAP server, by ldap3."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPInvalidDnError, LDAPSASLPrepError
from ldap3.operation.search import parse_filter
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn

from jmaplite.directory.pool import Disconnected
from jmaplite.directory.port import DirectoryUnavailable

logger = logging.getLogger(__name__)

MAX_ENTRIES = 1000
"""Entries of one answer that are looked at."""

PAGE = 500
"""Entries that are asked for at a time where all are wanted."""

_SUCCESS, _SIZE_EXCEEDED, _NO_SUCH_OBJECT, _INVALID_DN = 0, 4, 32, 34
_REFUSALS = frozenset({19, 32, 34, 48, 49, 50, 53})
"""Answers to a bind by which a server refuses somebody, rather than fails (RFC 4511 §4.1.9, appendix A)."""


def in_filter(value: str) -> str:
    """A value as it stands in a search filter (RFC 4515 §3)."""
    return str(escape_filter_chars(value))


def in_dn(value: str) -> str:
    """A value as it stands in a DN (RFC 4514 §2.4)."""
    return str(escape_rdn(value))


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry: its DN, and its values by attribute in lower case."""

    dn: str
    attributes: Mapping[str, Sequence[str]]

    def values(self, names: Sequence[str]) -> list[str]:
        """All values of some attributes."""
        return [value for name in names for value in self.attributes.get(name.lower(), ())]

    def first(self, names: Sequence[str]) -> str:
        """The first value of the first of some attributes that there is, or ""."""
        return next(iter(self.values(names)), "")


class _TLS(ldap3.Tls):
    """TLS as the standard library speaks it, which also looks whether the certificate is for the host."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        super().__init__()
        self._context = context
        self._host = host

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        """Speak TLS on a connection from now on."""
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=self._host)


class LDAPServer:
    """Where a server is: `ldap://HOST:PORT`, `ldaps://HOST:PORT` or `ldapi://PATH`, with or without StartTLS.

    `timeout` is how many seconds connecting may take, and any answer; `ca` is a file of certificates that are believed,
    instead of those that the system believes. Raises ValueError.
    """

    def __init__(
        self,
        url: str,
        *,
        start_tls: bool = False,
        allow_invalid_certs: bool = False,
        ca: Path | None = None,
        timeout: float = 30.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("ldap", "ldaps", "ldapi") or not (parts.hostname or parts.scheme == "ldapi"):
            raise ValueError("an LDAP server is named as ldap://HOST:PORT or ldaps://HOST:PORT")
        self._timeout = max(1, round(timeout))
        self._start_tls = start_tls and parts.scheme == "ldap"
        context = ssl.create_default_context(cafile=ca)
        if allow_invalid_certs:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        where: dict[str, Any] = {"host": url}
        if parts.scheme != "ldapi":
            port = parts.port or (636 if parts.scheme == "ldaps" else 389)
            where = {"host": parts.hostname, "port": port, "use_ssl": parts.scheme == "ldaps"}
        self._where = where | {"tls": _TLS(context, parts.hostname or "")}
        self.shown = f"{parts.scheme}://{unquote(parts.netloc.rpartition('@')[2])}"

    def check(self, search: str) -> None:
        """Raise ValueError for what is no search filter."""
        try:
            parse_filter(search, None, False, None, False, False)  # type: ignore[no-untyped-call]
        except LDAPException as error:
            raise ValueError(f"not a search filter: {search!r} ({error})") from None

    def connect(self, dn: str, secret: str) -> Connection:
        """A connection bound for searches. Raises Disconnected."""
        try:
            connection, refusal = self._bound(dn, secret)
        except (LDAPException, OSError) as error:
            raise Disconnected(f"{self.shown}: {_reason(error)}") from None
        if connection is None:
            raise Disconnected(f"{self.shown} refuses to let {dn or 'anybody'} in for searches: {refusal[1]}")
        return connection

    def bound(self, dn: str, password: str) -> Connection | None:
        """A connection bound as somebody; None if the password is refused. Raises DirectoryUnavailable."""
        if not dn or not password:
            return None  # a server would let anybody in as nobody
        try:
            connection, refusal = self._bound(dn, password)
        except LDAPSASLPrepError:
            return None  # a password with characters that none can have (RFC 4513 §5.1.3, RFC 4013 §2.3)
        except (LDAPException, OSError) as error:
            raise DirectoryUnavailable(f"{self.shown}: {_reason(error)}") from None
        if connection is None and refusal[0] not in _REFUSALS:
            raise DirectoryUnavailable(f"{self.shown} cannot tell whether a password is right: {refusal[1]}")
        return connection

    def accepts(self, dn: str, password: str) -> bool:
        """Whether somebody may bind with a password. Raises DirectoryUnavailable."""
        connection = self.bound(dn, password)
        if connection is not None:
            connection.close()
        return connection is not None

    def _bound(self, dn: str, secret: str) -> tuple[Connection | None, tuple[int, str]]:
        """A bound connection, or None and the code and the word by which that is refused.

        Raises LDAPException, OSError; nothing is left open then.
        """
        connection = ldap3.Connection(
            # Each has its own: ldap3 remembers which addresses of a server did not answer, and avoids them.
            ldap3.Server(**self._where, get_info=ldap3.NONE, connect_timeout=self._timeout),
            user=dn or None,
            password=secret or None,
            receive_timeout=self._timeout,
            auto_referrals=False,
            check_names=False,
            read_only=True,
        )
        made = Connection(connection)
        is_bound = False
        try:
            connection.open(read_server_info=False)
            if self._start_tls:
                connection.start_tls(read_server_info=False)
            is_bound = connection.bind()
            result = connection.result
            return (made if is_bound else None), (result.get("result", 0), result.get("description", ""))
        finally:
            if not is_bound:
                made.close()


class Connection:
    """A bound connection, for one thread at a time."""

    def __init__(self, connection: ldap3.Connection) -> None:
        self._connection = connection

    def search(self, base: str, search: str, attributes: Sequence[str]) -> list[Entry]:
        """The first entries that a filter finds beneath a DN. Raises Disconnected, DirectoryUnavailable."""
        return self._search(base, search, attributes, ldap3.SUBTREE, size_limit=MAX_ENTRIES)

    def entry(self, dn: str, attributes: Sequence[str]) -> Entry | None:
        """The entry of a DN. Raises Disconnected, DirectoryUnavailable."""
        return next(iter(self._search(dn, "(objectClass=*)", attributes, ldap3.BASE)), None)

    def all(self, base: str, search: str, attributes: Sequence[str]) -> list[Entry]:
        """Every entry that a filter finds, page by page (RFC 2696). Raises Disconnected, DirectoryUnavailable."""
        found: list[Entry] = []
        cookie: bytes | None = None
        while cookie != b"":
            found += self._search(base, search, attributes, ldap3.SUBTREE, paged_size=PAGE, paged_cookie=cookie)
            control = (self._connection.result.get("controls") or {}).get("1.2.840.113556.1.4.319", {})
            cookie = control.get("value", {}).get("cookie") or b""
        return found

    def close(self) -> None:
        """End the connection."""
        try:
            self._connection.unbind()
        except (LDAPException, OSError) as error:
            logger.debug("an LDAP connection did not end well: %s", error)
        finally:
            left = self._connection.socket  # ldap3 forgets it where it could not be opened, or written to
            if left is not None:
                left.close()

    def _search(self, base: str, search: str, attributes: Sequence[str], scope: Any, **more: Any) -> list[Entry]:
        connection = self._connection
        try:
            connection.search(base, search, scope, attributes=list(attributes), **more)
        except LDAPInvalidDnError:
            return []
        except (LDAPException, OSError) as error:
            raise Disconnected(_reason(error)) from None
        code = connection.result["result"]
        if code in (_NO_SUCH_OBJECT, _INVALID_DN):
            return []
        if code not in (_SUCCESS, _SIZE_EXCEEDED):
            raise DirectoryUnavailable(f"a search failed: {connection.result['description']}")
        return [_entry(one) for one in connection.response or () if one["type"] == "searchResEntry"]


def _entry(found: Mapping[str, Any]) -> Entry:
    raw = found["raw_attributes"].items()
    return Entry(
        found["dn"], {name.lower(): [value.decode(errors="replace") for value in values] for name, values in raw}
    )


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
