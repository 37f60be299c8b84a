"""The grammar of a blobId: which octets it names, so that no table has to be asked (RFC 8620 §6).

A whole blob is "G" and the SHA-256 of its octets in hexadecimal; a part of one goes on with where it starts, how
long it is (both in hexadecimal) and which transfer encoding is to be undone: "G<digest>-<start>-<length>-<encoding>".
A part of what is encoded as a whole goes on with the same for the decoded octets, and so forth. Only the last
encoding may be none, so that nothing has two names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

MOST_CUTS = 6
"""How many parts within parts a blobId of 255 characters can name; all but the innermost are encoded."""

_NUMBER = "(?:0|[1-9a-f][0-9a-f]{0,12})"
_CUT = re.compile(f"-({_NUMBER})-({_NUMBER})-([nbq])")
_BLOB_ID = re.compile(
    rf"G([0-9a-f]{{64}})((?:-{_NUMBER}-{_NUMBER}-[bq]){{0,{MOST_CUTS - 1}}}(?:-{_NUMBER}-{_NUMBER}-[nbq])?)", re.ASCII
)

Decode = Callable[[bytes, str], bytes]
"""Undoes a transfer encoding, named as in a blobId."""


@dataclass(frozen=True, slots=True)
class Cut:
    """`length` octets from `start` on; `encoding` is to be undone: "n" (none), "b" (base64), "q" (quoted-printable)."""

    start: int
    length: int
    encoding: str


@dataclass(frozen=True, slots=True)
class BlobRef:
    """The octets that a blobId names: a whole blob, or `length` of its octets from `start` on, decoded.

    `encoding` is as in a Cut; `then` are cuts to be made one after the other of what was decoded.
    """

    digest: bytes
    start: int | None = None
    length: int | None = None
    encoding: str = "n"
    then: tuple[Cut, ...] = ()

    def __str__(self) -> str:
        """The blobId."""
        return format(self.digest, self.start, self.length, self.encoding) + "".join(
            f"-{cut.start:x}-{cut.length:x}-{cut.encoding}" for cut in self.then
        )

    @property
    def is_innermost(self) -> bool:
        """Whether no blobId can name a part of these octets."""
        return len(self.then) == MOST_CUTS - 1 and self.then[-1].encoding != "n"

    def part(self, start: int, length: int, encoding: str) -> BlobRef:
        """A part of these octets."""
        if self.start is None:
            return BlobRef(self.digest, start, length, encoding)
        if not self.then and self.encoding == "n":
            return BlobRef(self.digest, self.start + start, length, encoding)
        then, before = self.then, 0
        if then and then[-1].encoding == "n":
            then, before = then[:-1], then[-1].start
        cut = Cut(before + start, length, encoding)
        return BlobRef(self.digest, self.start, self.length, self.encoding, (*then, cut))

    def decoded(self, octets: bytes, decode: Decode) -> bytes | None:
        """What the blobId names, of the blob's octets between start and length; None if it is not all there."""
        if self.length is not None and len(octets) != self.length:
            return None
        if self.encoding != "n":
            octets = decode(octets, self.encoding)
        for cut in self.then:
            if cut.start + cut.length > len(octets):
                return None
            octets = octets[cut.start : cut.start + cut.length]
            if cut.encoding != "n":
                octets = decode(octets, cut.encoding)
        return octets


def format(digest: bytes, start: int | None = None, length: int | None = None, encoding: str = "n") -> str:  # noqa: A001
    """The blobId of a blob by its digest, or of a part of it if `start` and `length` (octets) are given."""
    if start is None:
        return f"G{digest.hex()}"
    return f"G{digest.hex()}-{start:x}-{length:x}-{encoding}"


def parse(text: str) -> BlobRef | None:
    """What a blobId names, or None if it is none."""
    match = _BLOB_ID.fullmatch(text)
    if match is None:
        return None
    digest = bytes.fromhex(match[1])
    cuts = [Cut(int(start, 16), int(length, 16), encoding) for start, length, encoding in _CUT.findall(match[2])]
    if not cuts:
        return BlobRef(digest)
    return BlobRef(digest, cuts[0].start, cuts[0].length, cuts[0].encoding, tuple(cuts[1:]))
