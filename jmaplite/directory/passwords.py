"""Passwords, plain or hashed in one of the formats that people have: making and verifying them."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import argon2

if TYPE_CHECKING:
    from passlib.context import CryptContext

_HASH = re.compile(r"\$[A-Za-z0-9-]{1,20}\$|\$argon2|\{[A-Za-z0-9.-]{2,20}\}")
"""What a hash begins with, be it of a kind that is known here or not: such a thing is never a password itself."""

_PLAIN = re.compile(r"\{(?:PLAIN|CLEAR|CLEARTEXT)\}", re.IGNORECASE)
_WRAPPED = re.compile(r"\{(?:CRYPT|ARGON2(?:I|D|ID)?|BLF-CRYPT|MD5-CRYPT|SHA(?:256|512)-CRYPT)\}(?=\$)", re.IGNORECASE)
"""What LDAP servers and Dovecot write before a hash that tells its kind by itself."""

_BCRYPT = re.compile(r"\$2[abxy]?\$")
_BCRYPT_OCTETS = 72
"""What bcrypt looks at: those who hashed a longer password dropped the rest."""

_SCHEMES = (
    "sha512_crypt",
    "sha256_crypt",
    "md5_crypt",
    "pbkdf2_sha512",
    "pbkdf2_sha256",
    "pbkdf2_sha1",
    "scrypt",
    "ldap_salted_sha512",
    "ldap_salted_sha256",
    "ldap_salted_sha1",
    "ldap_sha1",
    "ldap_salted_md5",
    "ldap_md5",
)
"""Kinds that libpass knows, by its names."""

_COSTS = (
    (re.compile(r"\$[56]\$rounds=(\d+)"), 1_000_000),
    (re.compile(r"\$2[abxy]?\$(\d+)"), 16),
    (re.compile(r"\$pbkdf2[a-z0-9-]*\$(\d+)"), 5_000_000),
    (re.compile(r"\$scrypt\$ln=(\d+)"), 18),
    (re.compile(r"\$argon2\w+\$(?:v=\d+\$)?m=(\d+)"), 2**20),
    (re.compile(r"\$argon2\w+\$(?:v=\d+\$)?m=\d+,t=(\d+)"), 64),
)
"""The parameter of each kind that makes it dear, and how high it may be: people may write their own hashes."""


def hash_password(password: str) -> str:
    """An argon2id hash of a password, to be kept in its place."""
    return _hasher().hash(_octets(password))


def is_hash(secret: str) -> bool:
    """Whether a secret is a hash, of whatever kind, rather than the password itself."""
    return _HASH.match(secret) is not None and not _PLAIN.match(secret)


def verify(secret: str, password: str) -> bool:
    """Whether a password is the one that a secret (plain, or a hash) stands for.

    The time depends on the kind of secret alone. A damaged hash, or one of an unknown kind, fits no password.
    """
    if not is_hash(secret):
        return hmac.compare_digest(_digest(_PLAIN.sub("", secret, 1)), _digest(password))
    secret = _WRAPPED.sub("", secret, 1)
    if not _is_affordable(secret):
        return False
    try:
        return _fits(secret, _octets(password))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError, ValueError, TypeError):
        return False


@lru_cache(20_000)
def credential(name: str, secret: str) -> str:
    """The `Principal.credential` of whoever has logged in with the password that a secret stands for.

    It is kept with push subscriptions, in backups too: what it takes to guess a password by it is not little.
    """
    salt = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return "password:" + hashlib.scrypt(_octets(secret), salt=salt, n=2**12, r=8, p=1, dklen=16).hex()


class Verifier:
    """Tries a password on somebody's secrets with as much work as it would take for anybody else.

    `known` are the secrets of each who may log in: the most hashes that one of them has is the work that a
    refusal costs for everybody, the unknown included, so that its time tells nothing.
    """

    def __init__(self, known: Iterable[Sequence[str]]) -> None:
        known = list(known)
        hashes = [secret for one in known for secret in one if is_hash(secret)]
        self._work = max((sum(map(is_hash, one)) for one in known), default=0)
        self._dummy = _example(hashes) if hashes else ""

    def fitting(self, stored: Sequence[str], password: str) -> str | None:
        """The first of the secrets that fits, or None."""
        for secret in stored:
            if verify(secret, password):
                return secret
        for _ in range(self._work - sum(map(is_hash, stored))):
            verify(self._dummy, password)  # whatever comes of it
        return None


def _fits(secret: str, octets: bytes) -> bool:
    """Whether octets fit a hash. Raises several errors for what is none."""
    if secret.startswith("$argon2"):
        return _hasher().verify(secret, octets)
    if _BCRYPT.match(secret):
        import bcrypt  # only those who have such hashes wait for it

        return bcrypt.checkpw(octets[:_BCRYPT_OCTETS], secret.encode())
    scheme, brace, rest = secret.partition("}")
    fits: bool = _context().verify(octets, scheme.upper() + brace + rest if brace else secret)
    return fits


def _is_affordable(secret: str) -> bool:
    """Whether trying a password on a hash takes a bounded time and memory."""
    return all((found := cost.match(secret)) is None or int(found[1][:12]) <= most for cost, most in _COSTS)


@cache
def _hasher() -> argon2.PasswordHasher:
    return argon2.PasswordHasher()


@cache
def _context() -> CryptContext:
    from passlib.context import CryptContext  # the same

    return CryptContext(schemes=list(_SCHEMES))


def _example(hashes: Sequence[str]) -> str:
    """One of these that costs as much to verify as most of them."""
    kinds = [one.partition("}")[0] if one.startswith("{") else one.rsplit("$", 2)[0] for one in hashes]
    [(kind, _)] = Counter(kinds).most_common(1)
    return hashes[kinds.index(kind)]


def _digest(text: str) -> bytes:
    return hashlib.sha256(_octets(text)).digest()


def _octets(password: str) -> bytes:
    """In Normalization Form C and UTF-8, as clients are told to send passwords (RFC 7617 §2.1)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
