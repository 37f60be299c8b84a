"""The octets that a blobId names, and ranges of them (RFC 8620 §6, RFC 9404 §4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

from jmaplite.blobs import Blobs, Staged, UnknownBlob
from jmaplite.core.blobid import BlobRef
from jmaplite.core.context import Context
from jmaplite.core.named_blobs import find_blob
from jmaplite.formats import mime
from jmaplite.store import Reader

Pieces = AbstractContextManager[Iterator[bytes]]
"""Octets that come piece by piece once this is entered."""


class Octets:
    """The octets of a blob, or of a part of one with its transfer encoding undone, in one snapshot.

    `raw_size` is how many octets they are before anything is undone; until `decode` has been called, nothing else is
    known of those that are encoded. Raises UnknownBlob if they are not all there.
    """

    def __init__(self, blobs: Blobs, tx: Reader, ref: BlobRef) -> None:
        self._blobs, self._tx, self.ref = blobs, tx, ref
        self._start = ref.start or 0
        whole = blobs.size(tx, ref.digest)
        self.raw_size = whole if ref.length is None else ref.length
        if self._start + self.raw_size > whole:
            raise UnknownBlob(str(ref))
        self.size = self.raw_size
        """How many octets there are."""
        self._decoded: bytes | None = None

    @property
    def is_encoded(self) -> bool:
        """Whether all octets have to be read before their number is known."""
        return self.ref.encoding != "n"

    def decode(self) -> None:
        """Undo every encoding. Raises UnknownBlob if what was encoded has no such part."""
        raw = self._blobs.read(self._tx, self.ref.digest, self._start, self.raw_size)
        self._decoded = self.ref.decoded(raw, mime.decode)
        if self._decoded is None:
            raise UnknownBlob(str(self.ref))
        self.size = len(self._decoded)

    def pieces(self, start: int, length: int) -> Pieces:
        """`length` octets from `start` on, which are there; may be entered after the snapshot is closed."""
        if self._decoded is not None:
            return at_hand(self._decoded[start : start + length])
        return self._blobs.open(self._tx, self.ref.digest, self._start + start, length)


def find_octets(ctx: Context, tx: Reader, blob_id: str) -> Octets | None:
    """What a blobId (or # and a creation id) names, if the user may read it."""
    ref = find_blob(ctx, tx, blob_id)
    try:
        return None if ref is None else Octets(ctx.services.blobs, tx, ref)
    except UnknownBlob:
        return None


def at_hand(octets: bytes) -> Pieces:
    """Octets at hand as pieces."""
    return nullcontext(iter((octets,)))


def stage(blobs: Blobs, account_id: str, size: int, sources: Iterable[Pieces]) -> Staged:
    """The octets of all sources, `size` altogether, made ready to be a blob; never in memory as a whole when large."""
    upload = blobs.upload(account_id, size)
    try:
        for source in sources:
            with source as pieces:
                for octets in pieces:
                    upload.write(octets)
        return upload.finish()
    finally:
        upload.abort()


class Budget:
    """Bounds the octets that one call reads: no small request keeps a server busy for long."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._spent = 0

    def allows(self, octets: int) -> bool:
        """Count octets that are about to be read; the first ones may be any number."""
        if self._spent and self._spent + octets > self.most:
            return False
        self._spent += octets
        return True
