"""Tokens that stand beside a directory: each is good as a bearer token, and in place of its user's password."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from jmaplite.directory.credentials import PASSWORD
from jmaplite.directory.port import Directory, KnowsCredentials, Principal
from jmaplite.directory.tokens import Tokens, credential_of


@dataclass(frozen=True, slots=True)
class AppToken:
    """A token of a user: `stored` is `sha256:HEX`; `expires` is in seconds since the epoch (None: never)."""

    user: str
    stored: str = field(repr=False)
    expires: float | None = None


class AppTokens:
    """Implements Directory and KnowsCredentials: another directory whose principals have these tokens as well.

    Whom the directory does not know any more, a token does not let in. Raises ValueError for what is no hashed token.
    """

    def __init__(self, directory: Directory, tokens: Iterable[AppToken], clock: Callable[[], float]) -> None:
        self._directory = directory
        self._clock = clock
        self._tokens: Tokens[AppToken] = Tokens()
        self._by_user: dict[str, list[AppToken]] = {}
        for token in tokens:
            self._tokens.add(token.stored, token)
            self._by_user.setdefault(token.user, []).append(token)
        self.principal = directory.principal
        self.principals = directory.principals
        self.by_email = directory.by_email
        self.recipients = directory.recipients
        self.is_local = directory.is_local
        self.close = directory.close

    def verify_password(self, name: str, password: str) -> Principal | None:
        """The principal of a log-in name (or address) and a password or token, or None."""
        token = self._good(password)
        owner = self._owner(token) if token else None
        if owner is not None and _normalized(name) in {_normalized(owner.name), *map(_normalized, owner.emails)}:
            return owner
        return self._directory.verify_password(name, password)

    def verify_token(self, token: str) -> Principal | None:
        """The principal that a bearer token belongs to, or None."""
        found = self._good(token)
        return self._owner(found) if found else self._directory.verify_token(token)

    def credentials(self, name: str) -> frozenset[str]:
        """What a principal may log in with. Whether a password holds, not every directory can tell: then it may."""
        tokens = {credential_of(one.stored) for one in self._by_user.get(name, ()) if self._is_good(one)}
        if isinstance(self._directory, KnowsCredentials):
            return self._directory.credentials(name) | tokens
        return frozenset({PASSWORD, *tokens}) if self._directory.principal(name) else frozenset()

    def _good(self, token: str) -> AppToken | None:
        found = self._tokens.find(token)
        return found if found and self._is_good(found) else None

    def _is_good(self, token: AppToken) -> bool:
        return token.expires is None or self._clock() < token.expires

    def _owner(self, token: AppToken) -> Principal | None:
        principal = self._directory.principal(token.user)
        return principal and replace(principal, credential=credential_of(token.stored), expires=token.expires)


def _normalized(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
