"""A directory whose users stand in an LDAP server (RFC 4511)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field

from jmaplite.directory.ldap_connection import Connection, Entry, LDAPServer, in_dn, in_filter
from jmaplite.directory.passwords import Verifier
from jmaplite.directory.pool import Disconnected, Pool
from jmaplite.directory.port import DirectoryUnavailable, Principal

MAX_GROUPS = 100
"""Groups of one entry that are looked at."""

_ADMINS = frozenset({"admin", "administrator", "root", "superuser"})
_GROUPS = frozenset({"group", "groupofnames", "groupofuniquenames", "posixgroup"})
_DN = re.compile(r"[A-Za-z0-9.-]+ *= *[^=]")


@dataclass(frozen=True, slots=True)
class Filters:
    """Search filters (RFC 4515), in which `?` stands for what is looked for. What is empty finds nothing.

    `name`: an entry by the log-in name; `email`: everybody who receives mail for an address; `expand`: everybody who is
    on a mailing list; `domains`: anybody with an address of a domain; `groups`: the groups of a member, by its DN,
    and `groups_by_name` by its name, where entries do not name their groups.
    """

    name: str
    email: str = ""
    expand: str = ""
    domains: str = ""
    groups: str = ""
    groups_by_name: str = ""


@dataclass(frozen=True, slots=True)
class Attributes:
    """Attributes of entries; of several for a single value, the first that an entry has.

    `groups` holds names of groups, or their DNs. `type` tells groups and administrators, by the words for them.
    """

    name: tuple[str, ...] = ("uid",)
    type: tuple[str, ...] = ("objectClass",)
    description: tuple[str, ...] = ("displayName", "cn", "description")
    secret: tuple[str, ...] = ("userPassword",)
    groups: tuple[str, ...] = ("memberOf",)
    email: tuple[str, ...] = ("mail",)
    email_alias: tuple[str, ...] = ()
    quota: tuple[str, ...] = ()

    def all(self) -> tuple[str, ...]:
        """Every attribute but those that hold passwords."""
        single = (self.name, self.type, self.description, self.groups, self.email, self.email_alias, self.quota)
        return tuple(dict.fromkeys(name for names in single for name in names))


@dataclass(frozen=True, slots=True)
class Bind:
    """How to bind (RFC 4513): as `dn` with `secret` for searches, or as nobody where `dn` is empty.

    Where `as_user`, a password is proven by binding with it: as the entry that a search finds, or, where there is a
    `user_dn`, as that with the log-in name in place of `?`; the entry is then searched for as that user, or not.
    Else passwords are compared with those in entries.
    """

    dn: str = ""
    secret: str = field(default="", repr=False)
    as_user: bool = False
    user_dn: str = ""
    search_as_user: bool = True


class LDAPDirectory:
    """Implements Directory. Nothing is written. `classes` are further words for groups in their `type`.

    Where `people` are given, an entry that has none of these words, and is no group or administrator, is nobody.

    `size`, `wait` and `recycle` are those of the pool. Raises ValueError for a filter that is none.
    """

    def __init__(
        self,
        server: LDAPServer,
        base_dn: str,
        filters: Filters,
        attributes: Attributes,
        bind: Bind,
        *,
        classes: Iterable[str] = (),
        people: Iterable[str] = (),
        size: int = 10,
        wait: float = 30.0,
        recycle: float = 30.0,
    ) -> None:
        for one in astuple(filters):
            if one:
                server.check(one.replace("?", "x"))
        self._server = server
        self._base = base_dn
        self._filters = filters
        self._attributes = attributes
        self._bind = bind
        self._groups = _GROUPS | {one.lower() for one in classes}
        self._people = {one.lower() for one in people}
        self._example: tuple[str, ...] = ()
        self._pool: Pool[Connection] = Pool(
            lambda: server.connect(bind.dn, bind.secret), Connection.close, size=size, wait=wait, recycle=recycle
        )

    def verify_password(self, name: str, password: str) -> Principal | None:
        """The principal of a log-in name (or address) and a password, or None.

        No empty password ever proves anything: a server takes it for a wish to be nobody (RFC 4513 §5.1.2).
        """
        if not name or not password or not _can_be_asked(name) or not _can_be_asked(password):
            return None
        if not self._bind.as_user:
            return self._compared(name, password)
        if self._bind.user_dn:
            return self._bound_directly(name, password)
        entry = self._pool.use(lambda connection: self._login(connection, name))
        if entry is None or not self._server.accepts(entry.dn, password):
            return None
        return self._pool.use(lambda connection: self._principal(connection, entry))

    def verify_token(self, token: str) -> Principal | None:
        """Tokens stand elsewhere."""

    def principal(self, name: str) -> Principal | None:
        """A principal by its name."""
        return self._pool.use(lambda connection: self._named(connection, name))

    def principals(self) -> list[Principal]:
        """Every principal that the filter for names finds, by name."""

        def work(connection: Connection) -> list[Principal]:
            everybody = self._filters.name.replace("?", "*")
            found = connection.all(self._base, everybody, self._attributes.all())
            return [one for entry in found if (one := self._principal(connection, entry))]

        return sorted(set(self._pool.use(work)), key=lambda one: one.name)

    def by_email(self, address: str) -> Principal | None:
        """The principal whose own an address is."""
        return next((one for one in self.recipients(address) if _has(one, address)), None)

    def recipients(self, address: str) -> tuple[Principal, ...]:
        """Everybody who receives mail for an address."""
        return self._pool.use(lambda connection: self._recipients(connection, address))

    def is_local(self, domain: str) -> bool:
        """Whether the filter for domains finds anybody."""
        return bool(self._pool.use(lambda connection: self._found(connection, self._filters.domains, domain)))

    def close(self) -> None:
        """Let go of every connection that is not in use."""
        self._pool.close()

    def _compared(self, name: str, password: str) -> Principal | None:
        """Who has a password, by the hashes in its entry."""

        def work(connection: Connection) -> tuple[Principal | None, tuple[str, ...]]:
            entry = self._login(connection, name, self._attributes.secret)
            if entry is None:
                return None, ()
            return self._principal(connection, entry), tuple(entry.values(self._attributes.secret))

        principal, secrets = self._pool.use(work)
        if principal is None or not secrets:
            Verifier([self._example]).fitting((), password)
            return None
        self._example = secrets
        return principal if Verifier(()).fitting(secrets, password) is not None else None

    def _bound_directly(self, name: str, password: str) -> Principal | None:
        """Who binds with a password as the DN that the log-in name makes; of an address, the name of whose it is."""
        owner = self.by_email(name) if "@" in name else None
        name = owner.name if owner else name
        connection = self._server.bound(self._bind.user_dn.replace("?", in_dn(name)), password)
        if connection is None:
            return None
        try:
            return self._named(connection, name) if self._bind.search_as_user else self.principal(name)
        except Disconnected as error:
            raise DirectoryUnavailable(str(error)) from None
        finally:
            connection.close()

    def _named(self, connection: Connection, name: str) -> Principal | None:
        entry = self._one(connection, self._filters.name, name)
        return self._principal(connection, entry) if entry else None

    def _login(self, connection: Connection, name: str, further: Sequence[str] = ()) -> Entry | None:
        """The entry of a log-in name; or of an address, where it is somebody's own."""
        entry = self._one(connection, self._filters.name, name, further)
        if entry is None and "@" in name:
            found = self._found(connection, self._filters.email, name, further)
            own = [one for one in found if name.casefold() in (address.casefold() for address in self._emails(one))]
            entry = own[0] if len(own) == 1 else None
        return entry

    def _one(self, connection: Connection, search: str, value: str, further: Sequence[str] = ()) -> Entry | None:
        """The entry that is looked for. Several are as good as none: nobody could tell whose password it is."""
        found = self._found(connection, search, value, further)
        return found[0] if len(found) == 1 else None

    def _found(self, connection: Connection, search: str, value: str, further: Sequence[str] = ()) -> Sequence[Entry]:
        if not search or not value or not _can_be_asked(value):
            return ()
        wanted = (*self._attributes.all(), *further)
        return connection.search(self._base, search.replace("?", in_filter(value)), wanted)

    def _recipients(self, connection: Connection, address: str) -> tuple[Principal, ...]:
        found = self._found(connection, self._filters.email, address) or self._found(
            connection, self._filters.expand, address
        )
        everybody = [self._principal(connection, entry) for entry in found]
        return tuple(dict.fromkeys(one for one in everybody if one))

    def _principal(self, connection: Connection, entry: Entry) -> Principal | None:
        """Who an entry describes; None where it has no name, or is not of a kind that is wanted."""
        name = entry.first(self._attributes.name)
        words = {value.lower() for value in entry.values(self._attributes.type)}
        if not name or (self._people and not words & (self._people | self._groups | _ADMINS)):
            return None
        quota = entry.first(self._attributes.quota)
        return Principal(
            name,
            "group" if words & self._groups else "admin" if words & _ADMINS else "individual",
            entry.first(self._attributes.description),
            tuple(dict.fromkeys(self._emails(entry))),
            int(quota) if re.fullmatch(r"\d{1,18}", quota, re.ASCII) else 0,
            self._groups_of(connection, entry),
        )

    def _emails(self, entry: Entry) -> list[str]:
        return [*entry.values(self._attributes.email), *entry.values(self._attributes.email_alias)]

    def _groups_of(self, connection: Connection, entry: Entry) -> tuple[str, ...]:
        """The names of the groups that an entry names, or that name it."""
        names: list[str] = []
        for value in entry.values(self._attributes.groups)[:MAX_GROUPS]:
            group = connection.entry(value, self._attributes.name) if _DN.match(value) else None
            if group is not None:
                names.append(group.first(self._attributes.name))
            elif not _DN.match(value):
                names.append(value)
        for search, value in (
            (self._filters.groups, entry.dn),
            (self._filters.groups_by_name, entry.first(self._attributes.name)),
        ):
            found = self._found(connection, search, value)
            names += [group.first(self._attributes.name) for group in found[:MAX_GROUPS]]
        return tuple(dict.fromkeys(filter(None, names)))


def _has(principal: Principal, address: str) -> bool:
    return address.casefold() in (own.casefold() for own in principal.emails)


def _can_be_asked(value: str) -> bool:
    """Whether a value can be sent at all."""
    if "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
