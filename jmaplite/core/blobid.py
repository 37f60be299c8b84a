"""The grammar of a blobId: which octets it names, so that no table has to be asked (RFC 8620 §6).

A whole blob is "G" and the SHA-256 of its octets in hexadecimal; a part of one goes on with where it starts, how
long it is (both in hexadecimal) and which transfer encoding is to be undone: "G<digest>-<start>-<length>-<encoding>".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLOB_ID = re.compile(r"G([0-9a-f]{64})(?:-(0|[1-9a-f][0-9a-f]{0,12})-(0|[1-9a-f][0-9a-f]{0,12})-([nbq]))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class BlobRef:
    """The octets that a blobId names: a whole blob, or `length` of its octets from `start` on.

    `encoding` is the transfer encoding to undo: "n" (none), "b" (base64) or "q" (quoted-printable).
    """

    digest: bytes
    start: int | None = None
    length: int | None = None
    encoding: str = "n"


def format(digest: bytes, start: int | None = None, length: int | None = None, encoding: str = "n") -> str:  # noqa: A001
    """The blobId of a blob by its digest, or of a part of it if `start` and `length` (octets) are given."""
    if start is None:
        return f"G{digest.hex()}"
    return f"G{digest.hex()}-{start:x}-{length:x}-{encoding}"


def parse(text: str) -> BlobRef | None:
    """What a blobId names, or None if `format` cannot have written it."""
    match = _BLOB_ID.fullmatch(text)
    if match is None:
        return None
    digest, start, length, encoding = match.groups()
    if start is None:
        return BlobRef(bytes.fromhex(digest))
    return BlobRef(bytes.fromhex(digest), int(start, 16), int(length, 16), encoding)
