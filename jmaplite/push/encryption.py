"""Messages that only the subscriber can read (RFC 8291), in the content coding aes128gcm (RFC 8188)."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MOST_OCTETS = 4096
"""What every push service takes (RFC 8030 §7.2)."""

RECORD_SIZE = 4096
POINT_OCTETS = 65
AUTH_OCTETS = 16
_SALT_OCTETS = 16
_HEADER_OCTETS = _SALT_OCTETS + 4 + 1 + POINT_OCTETS
_TAG_OCTETS = 16
_LAST = b"\x02"
"""What follows the text in the last record (RFC 8188 §2)."""

MOST_TEXT = MOST_OCTETS - _HEADER_OCTETS - _TAG_OCTETS - len(_LAST)
"""Octets of a text that fits, encrypted, into one message (RFC 8291 §4)."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Keys:
    """A subscriber's public key on P-256, and the secret that it shares with us."""

    point: bytes
    auth: bytes

    @classmethod
    def parse(cls, keys: Mapping[str, str]) -> Keys:
        """The keys of a PushSubscription (RFC 8620 §7.2). Raises ValueError with a sentence."""
        point, auth = (decode(keys[name], name) for name in ("p256dh", "auth"))
        if len(auth) != AUTH_OCTETS:
            raise ValueError(f"auth must have {AUTH_OCTETS} octets")
        if len(point) != POINT_OCTETS or point[:1] != b"\x04":
            raise ValueError("p256dh must be a point on P-256, not compressed")
        _public(point)
        return cls(point, auth)


def encrypt(
    text: bytes, keys: Keys, *, private: ec.EllipticCurvePrivateKey | None = None, salt: bytes | None = None
) -> bytes:
    """The body of a push message that says `text`, in one record.

    A `private` key and a `salt` are made for each message; they are given only to compare with known ones. Raises
    ValueError for a text of more than `MOST_TEXT` octets.
    """
    if len(text) > MOST_TEXT:
        raise ValueError("the text is too long for one message")
    private = private or ec.generate_private_key(ec.SECP256R1())
    salt = salt or secrets.token_bytes(_SALT_OCTETS)
    own = point_of(private.public_key())
    shared = private.exchange(ec.ECDH(), _public(keys.point))
    material = _derive(shared, keys.auth, b"WebPush: info\0" + keys.point + own, 32)
    key = _derive(material, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(material, salt, b"Content-Encoding: nonce\0", 12)
    header = salt + RECORD_SIZE.to_bytes(4, "big") + bytes([len(own)]) + own
    return header + AESGCM(key).encrypt(nonce, text + _LAST, None)


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as the octets of its point, not compressed."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encode(octets: bytes) -> str:
    """Octets in base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode(text: str, name: str) -> bytes:
    """The octets of base64url, with padding or without (RFC 4648 §5). Raises ValueError."""
    try:
        if not _BASE64URL.fullmatch(text):
            raise ValueError(f"{name} must be base64url")
        bare = text.rstrip("=")
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error as error:
        raise ValueError(f"{name} must be base64url") from error


def _public(point: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def _derive(material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(material)
