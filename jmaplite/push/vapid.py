"""Who pushes: a key of the server's own, and tokens signed with it (RFC 8292)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from jmaplite.push.encryption import encode, point_of

LIFETIME = 12 * 3600
"""Seconds for which a token is good; a day is the most (RFC 8292 §2)."""

RENEWED = LIFETIME // 2
"""Seconds before its end from which on a token is not used any more."""

MOST_TOKENS = 1000
"""How many tokens are kept at hand, each for one push service."""

_HEADER = encode(b'{"typ":"JWT","alg":"ES256"}')


def new_key(secret: int | None = None) -> bytes:
    """A private key, as PEM: what a server keeps for good; a new one, or the one that a number stands for."""
    curve = ec.SECP256R1()
    key = ec.generate_private_key(curve) if secret is None else ec.derive_private_key(secret, curve)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class Vapid:
    """Signs for a server; safe to use from any thread.

    `load` answers its private key as PEM, and is called when that is first needed; `contact` is a mailto: or https: URI
    (or nothing) that tells push services whom to turn to; `clock` answers seconds since the epoch.
    """

    def __init__(self, load: Callable[[], bytes], contact: str, clock: Callable[[], float]) -> None:
        self._load = load
        self._contact = contact
        self._clock = clock
        self._tokens: dict[str, tuple[int, str]] = {}
        self._lock = threading.Lock()

    @cached_property
    def application_server_key(self) -> str:
        """The public key, as clients need it to subscribe (RFC 9749). Raises what `load` raises."""
        return encode(point_of(self._key.public_key()))

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        key = load_pem_private_key(self._load(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("the key for web push is not on P-256")
        return key

    def authorization(self, audience: str) -> str:
        """The Authorization header for a push service, by its origin (RFC 8292 §3)."""
        return f"vapid t={self._token(audience)}, k={self.application_server_key}"

    def _token(self, audience: str) -> str:
        now = int(self._clock())
        with self._lock:
            ends, token = self._tokens.get(audience, (0, ""))
            if not now + RENEWED <= ends <= now + LIFETIME:
                ends = now + LIFETIME
                token = self._signed(audience, ends)
                self._tokens.pop(audience, None)
                while len(self._tokens) >= MOST_TOKENS:
                    del self._tokens[next(iter(self._tokens))]
                self._tokens[audience] = ends, token
        return token

    def _signed(self, audience: str, ends: int) -> str:
        """A JWT signed by ES256 (RFC 7518 §3.4)."""
        claims: dict[str, str | int] = {"aud": audience, "exp": ends}
        if self._contact:
            claims["sub"] = self._contact
        signed = f"{_HEADER}.{encode(orjson.dumps(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
