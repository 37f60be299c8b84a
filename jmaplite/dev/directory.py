"""The users of a fixture: those of the configuration, those made at run time, and whoever logs in if that is wanted."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from jmaplite.delivery.paths import is_taken
from jmaplite.directory import Directory, KnowsCredentials, Principal
from jmaplite.directory.memory import Entry, MemoryDirectory

PAGE = "inspector"
"""The `credential` of whoever has logged in by a token of the inspector."""

_MOST_PAGES = 1000
_MOST_OF_A_PART = 50

T = TypeVar("T")

_NAME = re.compile(r"[^\s\x00-\x1f\x7f/]{1,255}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,500}=*")
"""What can be a bearer token (RFC 6750 §2.1)."""


class NoSuchName(ValueError):
    """A name that nobody can have, or that somebody has already; the only argument is a sentence."""


class BadUser(ValueError):
    """A user cannot be like that; the only argument is a sentence that begins with the name of what is wrong."""


class _Part(tuple[Entry, ...]):
    """Some of those made at run time: to make one more costs no more than to make a part of them anew."""

    directory: MemoryDirectory

    def __new__(cls, entries: Iterable[Entry]) -> _Part:
        made = super().__new__(cls, entries)
        made.directory = MemoryDirectory(made)
        return made


Made = tuple[_Part, ...]
"""All those made at run time."""


class FixtureDirectory:
    """Implements Directory and KnowsCredentials.

    What was made at run time stands beside what a configuration says, which may change. With `auto_provision` a
    log-in by any name that is not taken makes its user, whatever the password.
    """

    def __init__(self, base: Directory, *, auto_provision: bool = False) -> None:
        self.base = base
        self.auto_provision = auto_provision
        self._lock = threading.Lock()
        self._parts: Made = ()
        self._pages: OrderedDict[str, str] = OrderedDict()

    def admit(self, name: str) -> str:
        """A token by which the inspector is a user, whatever that user's password. Raises NoSuchName."""
        if self.principal(name) is None:
            raise NoSuchName(f"there is no user {name!r}")
        token = f"{PAGE}-{secrets.token_urlsafe(16)}"
        with self._lock:
            self._pages[token] = name
            while len(self._pages) > _MOST_PAGES:
                self._pages.popitem(last=False)
        return token

    def is_page(self, authorization: str) -> bool:
        """Whether a request with this Authorization header comes from the inspector."""
        return authorization.removeprefix("Bearer ") in self._pages

    def make(
        self,
        name: str,
        password: str,
        *,
        token: str | None = None,
        kind: str = "individual",
        description: str = "",
        emails: tuple[str, ...] | None = None,
        groups: tuple[str, ...] = (),
        quota: int = 0,
    ) -> Principal:
        """Make a user (or a group), with the name as its address if that is one. Raises NoSuchName, BadUser."""
        if not _NAME.fullmatch(name):
            raise BadUser("name must be 1 to 255 characters, and no white space or slash among them")
        if token is not None and not _TOKEN.fullmatch(token):
            raise BadUser("token must be letters, digits, and - . _ ~ + / with = at the end (RFC 6750 §2.1)")
        wrong = [one for one in emails or () if not is_taken(one)]
        if wrong:
            raise BadUser(f"emails must be addresses, and {wrong[0]!r} is none")
        for one in groups:
            group = self.principal(one)
            if group is None or group.kind != "group":
                raise BadUser(f"groups must be names of groups, and {one!r} is none")
        addresses = emails if emails is not None else ((name,) if "@" in name else (f"{name}@example.org",))
        principal = Principal(
            name,
            "group" if kind == "group" else "individual",
            description=description,
            emails=addresses,
            quota=quota,
            member_of=groups,
        )
        tokens = () if token is None else (f"sha256:{hashlib.sha256(token.encode()).hexdigest()}",)
        with self._lock:
            self._check_free(name, addresses, token)
            *full, last = self._parts or (_Part(()),)
            if len(last) >= _MOST_OF_A_PART:
                full, last = [*full, last], _Part(())
            entry = Entry(principal, (password,) if password else (), tokens)
            self._parts = (*full, _Part((*last, entry)))
        return principal

    def remove(self, name: str) -> bool:
        """Take away a user that was made at run time; answers whether there was one."""
        with self._lock:
            part = next((one for one in self._parts if one.directory.principal(name) is not None), None)
            if part is None:
                return False
            left = _Part(entry for entry in part if entry.principal.name != name)
            self._parts = tuple(left if one is part else one for one in self._parts if one is not part or left)
        return True

    def _check_free(self, name: str, addresses: tuple[str, ...], token: str | None) -> None:
        """Raise NoSuchName if something that is to be one's own is somebody else's."""
        if self.principal(name) is not None:
            raise NoSuchName(f"there is a {name} already")
        for address in addresses:
            owner = self.by_email(address)
            if owner is not None and address.lower() in map(str.lower, owner.emails):
                raise NoSuchName(f"{address} is an address of {owner.name} already")
        if token is not None and self.verify_token(token) is not None:
            raise NoSuchName("this token is somebody's already")

    @property
    def made_so_far(self) -> Made:
        """All that were made at run time, with what they log in with."""
        return self._parts

    def bring_back(self, made: Made) -> None:
        """Have just these."""
        with self._lock:
            self._parts = made

    @property
    def made(self) -> list[Principal]:
        """Who was made at run time."""
        return [one for part in self._parts for one in part.directory.principals()]

    def verify_password(self, name: str, password: str) -> Principal | None:
        """The principal of this log-in name (or address) and password, or None."""
        found = self._asked(lambda part: part.verify_password(name, password)) or self.base.verify_password(
            name, password
        )
        if found is None and self.auto_provision and name and self._is_nobody(name):
            try:
                return self.make(name, password)
            except (NoSuchName, BadUser):
                return None
        return found

    def verify_token(self, token: str) -> Principal | None:
        """The principal that a bearer token belongs to, or None."""
        name = self._pages.get(token)
        if name is not None:
            found = self.principal(name)
            return found and replace(found, credential=PAGE)
        return self._asked(lambda part: part.verify_token(token)) or self.base.verify_token(token)

    def credentials(self, name: str) -> frozenset[str]:
        """What a principal may log in with; the inspector may be anybody."""
        found = self._asked(lambda part: part.credentials(name))
        if found is None and isinstance(self.base, KnowsCredentials):
            found = self.base.credentials(name)
        return frozenset({PAGE}) | (found or frozenset())

    def principal(self, name: str) -> Principal | None:
        """A principal by its name."""
        return self._asked(lambda part: part.principal(name)) or self.base.principal(name)

    def principals(self) -> list[Principal]:
        """Every principal, by name."""
        return sorted([*self.made, *self.base.principals()], key=lambda one: one.name)

    def by_email(self, address: str) -> Principal | None:
        """The principal whose own an address is."""
        return self._asked(lambda part: part.by_email(address)) or self.base.by_email(address)

    def recipients(self, address: str) -> tuple[Principal, ...]:
        """Everybody who receives mail for an address."""
        return self._asked(lambda part: part.recipients(address)) or self.base.recipients(address)

    def is_local(self, domain: str) -> bool:
        """Whether a domain is one of those here."""
        return any(part.directory.is_local(domain) for part in self._parts) or self.base.is_local(domain)

    def close(self) -> None:
        """Let go of every connection of the configuration's directory."""
        self.base.close()

    def _asked(self, ask: Callable[[MemoryDirectory], T]) -> T | None:
        """What the first part answers that knows."""
        return next((found for part in self._parts if (found := ask(part.directory))), None)

    def _is_nobody(self, name: str) -> bool:
        return self.principal(name) is None and self.by_email(name) is None
