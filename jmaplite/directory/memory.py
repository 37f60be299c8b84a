"""A directory whose principals all stand in the configuration."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from jmaplite.directory.passwords import Verifier, credential
from jmaplite.directory.port import Principal
from jmaplite.directory.tokens import Tokens, credential_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A principal with what proves who it is.

    `secrets` are passwords, plain or hashed, of which each is good; `tokens` are `sha256:HEX` or `NAME:sha256:HEX`;
    `lists` are addresses of mailing lists that the principal is on.
    """

    principal: Principal
    secrets: tuple[str, ...] = field(default=(), repr=False)
    tokens: tuple[str, ...] = field(default=(), repr=False)
    lists: tuple[str, ...] = ()


_NOBODY = Entry(Principal(""))


class MemoryDirectory:
    """Implements Directory. Never changes: a new configuration is a new directory.

    Who has no secret (most groups) cannot log in with a password. Names are compared with case, addresses
    without.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.principal.name: entry for entry in entries}
        self._by_login = {_normalized(name): entry for name, entry in self._entries.items()}
        self._by_email: dict[str, Entry] = {}
        self._lists: dict[str, tuple[Principal, ...]] = {}
        self._tokens: Tokens[Principal] = Tokens()
        for entry in self._entries.values():
            for address in entry.principal.emails:
                self._by_email.setdefault(_folded(address), entry)
            for address in entry.lists:
                self._lists[_folded(address)] = (*self._lists.get(_folded(address), ()), entry.principal)
            for token in entry.tokens:
                self._tokens.add(token, entry.principal)
        self._domains = {address.rpartition("@")[2] for address in (*self._by_email, *self._lists)}
        self._verifier = Verifier(entry.secrets for entry in self._entries.values())

    def verify_password(self, name: str, password: str) -> Principal | None:
        """The principal that a log-in name or address and a password belong to, or None."""
        entry = self._by_login.get(_normalized(name)) or self._by_email.get(_folded(name))
        secret = self._verifier.fitting(entry.secrets if entry else (), password)
        if entry is None or secret is None:
            return None
        return replace(entry.principal, credential=credential(entry.principal.name, secret))

    def verify_token(self, token: str) -> Principal | None:
        """The principal that a bearer token belongs to, or None."""
        return self._tokens.find(token)

    def principal(self, name: str) -> Principal | None:
        """A principal by its name."""
        entry = self._entries.get(name)
        return entry.principal if entry else None

    def credentials(self, name: str) -> frozenset[str]:
        """What a principal may log in with."""
        entry = self._entries.get(name, _NOBODY)
        return frozenset({*map(credential_of, entry.tokens), *(credential(name, secret) for secret in entry.secrets)})

    def principals(self) -> list[Principal]:
        """Every principal, by name."""
        return sorted((entry.principal for entry in self._entries.values()), key=lambda one: one.name)

    def by_email(self, address: str) -> Principal | None:
        """The principal whose own an address is."""
        entry = self._by_email.get(_folded(address))
        return entry.principal if entry else None

    def recipients(self, address: str) -> tuple[Principal, ...]:
        """Everybody who receives mail for an address."""
        owner = self.by_email(address)
        return (owner,) if owner else self._lists.get(_folded(address), ())

    def is_local(self, domain: str) -> bool:
        """Whether a domain is one of those here."""
        return _folded(domain) in self._domains

    def close(self) -> None:
        """There is nothing to let go of."""


def _normalized(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(address: str) -> str:
    return _normalized(address).casefold()
