"""A directory whose users stand in a database of somebody else's, found by queries that the administrator writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeVar

from jmaplite.directory.passwords import Verifier, credential
from jmaplite.directory.port import Principal

T = TypeVar("T")

Kind = Literal["individual", "admin", "group"]
Row = Mapping[str, object]
"""The values of a row by the names of its columns, in lower case; the first column comes first."""

MAX_ROWS = 1000
"""Rows of one answer that are looked at."""

KINDS: dict[str, Kind] = {
    "admin": "admin",
    "administrator": "admin",
    "superuser": "admin",
    "group": "group",
}
"""What a type column may hold, in lower case. Everything else is an individual."""

_PIECE = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|(?P<dollar>\$1(?!\d))|(?P<mark>\?1?(?!\d))""", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Queries:
    """Each is asked with one value, which stands for every `?` (or `$1`) in it. What is empty is not asked.

    `name`: the row of a principal by its log-in name. `members`: names of the groups that somebody is a member of.
    `recipients`: names of all who receive mail for an address. `emails`: the addresses of somebody, the primary first.
    `expand`: the addresses behind a mailing list's. `domains`: a row if a domain is local. `secrets`: further
    passwords of somebody. `principals` is asked without a value: the names of all.
    """

    name: str
    members: str = ""
    recipients: str = ""
    emails: str = ""
    expand: str = ""
    domains: str = ""
    secrets: str = ""
    principals: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that `Queries.name` answers. One that it does not answer is as if it were empty."""

    name: str = "name"
    description: str = "description"
    secret: str = "secret"  # noqa: S105 - the name of a column
    email: str = "email"
    quota: str = "quota"
    type: str = "type"


class Session(Protocol):
    """A connection to a database. May raise Disconnected or DirectoryUnavailable."""

    def rows(self, query: str, value: str = "") -> Sequence[Row]:
        """The first rows that a query answers. It may have a parameter, written `?` or `$1`, and then has a value."""


class Database(Protocol):
    """Where sessions come from."""

    def use(self, work: Callable[[Session], T]) -> T:
        """What `work` makes of a session. Raises DirectoryUnavailable."""

    def close(self) -> None:
        """Let go of every connection."""


def numbered(query: str, mark: str) -> tuple[str, int]:
    """A query with its parameter written as `mark`, be it `?` or `$1` there, and how many parameters it has: 1 or 0.

    Where there is a `$1`, a `?` is left as it is: PostgreSQL has operators of that name.
    """
    found = [match.lastgroup for match in _PIECE.finditer(query) if match.lastgroup]
    wanted = "dollar" if "dollar" in found else "mark"
    return _PIECE.sub(lambda match: mark if match.lastgroup == wanted else match[0], query), bool(found)


class SQLDirectory:
    """Implements Directory over queries. Nothing is written; who may log in is decided by what `name` answers."""

    def __init__(self, database: Database, queries: Queries, columns: Columns) -> None:
        self._database = database
        self._queries = queries
        self._columns = columns
        self._example: tuple[str, ...] = ()

    def verify_password(self, name: str, password: str) -> Principal | None:
        """The principal of a log-in name (or address) and a password, or None."""
        found = self._database.use(lambda session: self._login(session, name))
        if found is None or not found[1]:
            Verifier([self._example]).fitting((), password)
            return None
        principal, secrets = found
        self._example = secrets
        secret = Verifier(()).fitting(secrets, password)
        return None if secret is None else replace(principal, credential=credential(principal.name, secret))

    def verify_token(self, token: str) -> Principal | None:
        """Tokens stand elsewhere."""

    def principal(self, name: str) -> Principal | None:
        """A principal by its name."""
        found = self._database.use(lambda session: self._found(session, name))
        return found[0] if found else None

    def credentials(self, name: str) -> frozenset[str]:
        """What a principal may log in with."""
        found = self._database.use(lambda session: self._found(session, name))
        return frozenset(credential(found[0].name, secret) for secret in found[1]) if found else frozenset()

    def principals(self) -> list[Principal]:
        """Every principal that the query for them answers, by name."""

        def work(session: Session) -> list[Principal]:
            names = [_text(_first(row)) for row in session.rows(self._queries.principals)]
            found = [self._found(session, name) for name in names]
            return [one[0] for one in found if one]

        found = self._database.use(work) if self._queries.principals else []
        return sorted(set(found), key=lambda one: one.name)

    def by_email(self, address: str) -> Principal | None:
        """The principal whose own an address is."""
        folded = address.casefold()
        for one in self.recipients(address):
            if folded in (own.casefold() for own in one.emails):
                return one
        return None

    def recipients(self, address: str) -> tuple[Principal, ...]:
        """Everybody who receives mail for an address."""
        return self._database.use(lambda session: self._recipients(session, address))

    def is_local(self, domain: str) -> bool:
        """Whether the query for domains answers anything."""
        return self._database.use(lambda session: bool(self._asked(session, self._queries.domains, domain.lower())))

    def close(self) -> None:
        """Let go of every connection."""
        self._database.close()

    def _login(self, session: Session, name: str) -> tuple[Principal, tuple[str, ...]] | None:
        found = self._found(session, name)
        if found is None and "@" in name:
            folded = name.casefold()
            owners = [
                one for one in self._recipients(session, name) if folded in (own.casefold() for own in one.emails)
            ]
            found = self._found(session, owners[0].name) if len(owners) == 1 else None
        return found

    def _recipients(self, session: Session, address: str) -> tuple[Principal, ...]:
        names = self._names(session, address)
        if not names:
            for row in self._asked(session, self._queries.expand, address.lower()):
                names += self._names(session, _text(_first(row)))
        found = [self._found(session, name) for name in dict.fromkeys(names)]
        return tuple(dict.fromkeys(one[0] for one in found if one))

    def _names(self, session: Session, address: str) -> list[str]:
        """The names of who receives mail for an address, as it is written or in lower case."""
        for spelling in dict.fromkeys([address.lower(), address]):
            rows = self._asked(session, self._queries.recipients, spelling)
            if rows:
                return [_text(_first(row)) for row in rows]
        return []

    def _found(self, session: Session, name: str) -> tuple[Principal, tuple[str, ...]] | None:
        """A principal by its name, with its secrets."""
        rows = self._asked(session, self._queries.name, name)
        if not rows:
            return None
        columns = self._columns
        one = {column.lower(): _text(value) for column, value in rows[0].items()}
        own = one.get(columns.name.lower()) or name
        emails = [_text(row.get(columns.email.lower())) for row in rows]
        emails += [_text(_first(row)) for row in self._asked(session, self._queries.emails, own)]
        secrets = [_text(row.get(columns.secret.lower())) for row in rows]
        secrets += [_text(_first(row)) for row in self._asked(session, self._queries.secrets, own)]
        groups = [_text(_first(row)) for row in self._asked(session, self._queries.members, own)]
        principal = Principal(
            own,
            KINDS.get(one.get(columns.type.lower(), "").lower(), "individual"),
            one.get(columns.description.lower(), ""),
            tuple(dict.fromkeys(filter(None, emails))),
            _octets(one.get(columns.quota.lower(), "")),
            tuple(dict.fromkeys(filter(None, groups))),
        )
        return principal, tuple(dict.fromkeys(filter(None, secrets)))

    def _asked(self, session: Session, query: str, value: str) -> Sequence[Row]:
        """What a query answers; nothing for none, and for a value that no database can hold."""
        if not query or not value or "\0" in value or not _is_text(value):
            return ()
        return session.rows(query, value)


def _first(row: Row) -> object:
    return next(iter(row.values()), None)


def _text(value: object) -> str:
    """A value as text; octets that are none are no text at all."""
    match value:
        case None:
            return ""
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode(errors="replace")
        case _:
            return str(value)


def _octets(text: str) -> int:
    """A quota; what is none is without limit."""
    return int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else 0


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
