"""Passwords, plain or as argon2 hashes: making and verifying them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

import argon2


def hash_password(password: str) -> str:
    """An argon2id hash of a password, to be kept in its place."""
    return _hasher().hash(_octets(password))


def is_hash(secret: str) -> bool:
    """Whether a secret is an argon2 hash rather than the password itself."""
    return secret.startswith("$argon2")


def verify(secret: str, password: str) -> bool:
    """Whether a password is the one that a secret (plain, or an argon2 hash) stands for.

    The time depends on the kind of secret alone. A damaged hash fits no password.
    """
    if not is_hash(secret):
        return hmac.compare_digest(_digest(secret), _digest(password))
    try:
        return _hasher().verify(secret, _octets(password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


class Verifier:
    """Tries a password on somebody's secrets with as much work as it would take for anybody else.

    `known` are the secrets of each who may log in: the most hashes that one of them has is the work that a
    refusal costs for everybody, the unknown included, so that its time tells nothing.
    """

    def __init__(self, known: Iterable[Sequence[str]]) -> None:
        known = list(known)
        hashes = [secret for one in known for secret in one if is_hash(secret)]
        self._work = max((sum(map(is_hash, one)) for one in known), default=0)
        self._dummy = _dummy(hashes) if hashes else ""

    def any_fits(self, stored: Sequence[str], password: str) -> bool:
        """Whether any of the secrets fits."""
        if any(verify(secret, password) for secret in stored):
            return True
        for _ in range(self._work - sum(map(is_hash, stored))):
            verify(self._dummy, password)
        return False


@cache
def _hasher() -> argon2.PasswordHasher:
    return argon2.PasswordHasher()


def _dummy(hashes: Iterable[str]) -> str:
    """A hash of nothing that costs as much to verify as most of these."""
    [(settings, _)] = Counter(one.rsplit("$", 2)[0] for one in hashes).most_common(1)
    salt, digest = (b64encode(secrets.token_bytes(n)).rstrip(b"=").decode() for n in (16, 32))
    return f"{settings}${salt}${digest}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(_octets(text)).digest()


def _octets(password: str) -> bytes:
    """In Normalization Form C and UTF-8, as clients are told to send passwords (RFC 7617 §2.1)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
