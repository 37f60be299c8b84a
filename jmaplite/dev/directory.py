"""The users of a fixture: those of the configuration, those made at run time, and whoever logs in if that is wanted."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections import OrderedDict
from dataclasses import replace

from jmaplite.directory import Directory, Principal
from jmaplite.directory.memory import Entry, MemoryDirectory

PAGE = "inspector"
"""The `credential` of whoever has logged in by a token of the inspector."""

_MOST_PAGES = 1000

_NAME = re.compile(r"[^\s\x00-\x1f\x7f/]{1,255}")


class NoSuchName(ValueError):
    """A name that nobody can have, or that somebody has already; the only argument is a sentence."""


class FixtureDirectory:
    """Implements Directory. What was made at run time stands beside what a configuration says, which may change.

    With `auto_provision` a log-in by any name that is not taken makes its user, whatever the password.
    """

    def __init__(self, base: Directory, *, auto_provision: bool = False) -> None:
        self.base = base
        self.auto_provision = auto_provision
        self._lock = threading.Lock()
        self._made: dict[str, Entry] = {}
        self._own = MemoryDirectory(())
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
        """Make a user (or a group), with the name as its address if that is one. Raises NoSuchName."""
        if not _NAME.fullmatch(name):
            raise NoSuchName("a name has 1 to 255 characters, and no white space or slash among them")
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
            if self.principal(name) is not None:
                raise NoSuchName(f"there is a {name} already")
            self._made = {**self._made, name: Entry(principal, (password,) if password else (), tokens)}
            self._own = MemoryDirectory(self._made.values())
        return principal

    def remove(self, name: str) -> bool:
        """Take away a user that was made at run time; answers whether there was one."""
        with self._lock:
            made = dict(self._made)
            found = made.pop(name, None) is not None
            self._made = made
            self._own = MemoryDirectory(made.values())
        return found

    def clear(self) -> None:
        """Take away all that were made at run time."""
        with self._lock:
            self._made = {}
            self._own = MemoryDirectory(())

    @property
    def made(self) -> list[Principal]:
        """Who was made at run time."""
        return self._own.principals()

    def verify_password(self, name: str, password: str) -> Principal | None:
        """The principal of this log-in name (or address) and password, or None."""
        found = self._own.verify_password(name, password) or self.base.verify_password(name, password)
        if found is None and self.auto_provision and name and self._is_nobody(name):
            try:
                return self.make(name, password)
            except NoSuchName:
                return None
        return found

    def verify_token(self, token: str) -> Principal | None:
        """The principal that a bearer token belongs to, or None."""
        name = self._pages.get(token)
        if name is not None:
            found = self.principal(name)
            return found and replace(found, credential=PAGE)
        return self._own.verify_token(token) or self.base.verify_token(token)

    def principal(self, name: str) -> Principal | None:
        """A principal by its name."""
        return self._own.principal(name) or self.base.principal(name)

    def principals(self) -> list[Principal]:
        """Every principal, by name."""
        return sorted([*self._own.principals(), *self.base.principals()], key=lambda one: one.name)

    def by_email(self, address: str) -> Principal | None:
        """The principal whose own an address is."""
        return self._own.by_email(address) or self.base.by_email(address)

    def recipients(self, address: str) -> tuple[Principal, ...]:
        """Everybody who receives mail for an address."""
        return self._own.recipients(address) or self.base.recipients(address)

    def is_local(self, domain: str) -> bool:
        """Whether a domain is one of those here."""
        return self._own.is_local(domain) or self.base.is_local(domain)

    def close(self) -> None:
        """Let go of every connection of the configuration's directory."""
        self.base.close()

    def _is_nobody(self, name: str) -> bool:
        return self.principal(name) is None and self.by_email(name) is None
