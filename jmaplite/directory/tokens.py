"""Bearer tokens, of which only the SHA-256 is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Generic, TypeVar

T = TypeVar("T")

_SCHEME = "sha256:"


def hash_token(token: str) -> str:
    """What is kept in place of a token: `sha256:` and 64 hexadecimal digits."""
    return _SCHEME + _digest(token).hex()


def credential(token: str) -> str:
    """The `Principal.credential` of whoever has logged in with a token."""
    return credential_of(hash_token(token))


def credential_of(stored: str) -> str:
    """The same of what is kept in place of a token, `NAME:sha256:HEX` included."""
    return "token:" + stored.rpartition(_SCHEME)[2].lower()


def new_token() -> str:
    """A token that nobody can guess, in characters that a Bearer header may hold (RFC 6750 §2.1)."""
    return secrets.token_urlsafe(32)


class Tokens(Generic[T]):
    """Finds whose a token is, in a time that tells nothing about the tokens that exist."""

    def __init__(self) -> None:
        # Hashed once more under a key of this process: nobody can steer which entries a look-up compares.
        self._key = secrets.token_bytes(32)
        self._owners: dict[bytes, T] = {}

    def add(self, stored: str, owner: T) -> None:
        """Let a token in: `sha256:HEX`, or `NAME:sha256:HEX` with any name. Raises ValueError."""
        _, scheme, digits = stored.rpartition(_SCHEME)
        digest = bytes.fromhex(digits)
        if not scheme or len(digest) != 32:
            raise ValueError("not a hashed token")
        self._owners[self._place(digest)] = owner

    def find(self, token: str) -> T | None:
        """The owner of a token, or None."""
        return self._owners.get(self._place(_digest(token)))

    def _place(self, digest: bytes) -> bytes:
        return hmac.digest(self._key, digest, "sha256")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
