"""The blobs' port: octets by digest, small ones in the account's database, large ones where a driver will.

A blob is named by the SHA-256 of its octets. RFC 8620 §6: it is immutable, it may be referred to by any
number of objects, and one that nothing refers to any more (or yet) expires.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from jmaplite.store import Reader, Writer

DIGEST_OCTETS = 32


class UnknownBlob(Exception):
    """The account holds no blob of this digest."""


class BlobTooLarge(Exception):
    """An upload grew beyond its limit; the number of octets allowed is the only argument."""


@dataclass(frozen=True, slots=True)
class Staged:
    """Octets not yet part of an account: `data` if they are few, else durable where the driver keeps them."""

    digest: bytes
    size: int
    data: bytes | None


class Upload(Protocol):
    """An upload under way, fed as it arrives."""

    def write(self, octets: bytes) -> None:
        """Take more octets. Raises BlobTooLarge."""

    def finish(self) -> Staged:
        """All octets are here; answers them staged, durable if large."""

    def abort(self) -> None:
        """Throw away what came so far. Harmless after finish."""


class Blobs(Protocol):
    """Where the octets of one store's accounts are."""

    def stage(self, account_id: str, octets: bytes) -> Staged:
        """Octets at hand, made ready for `put`."""

    def upload(self, account_id: str, limit: int) -> Upload:
        """Begin an upload of at most `limit` octets, never held in memory as a whole when large."""

    def put(self, tx: Writer, staged: Staged) -> None:
        """Make staged octets part of the account (again: harmless); note the upload, or refer, with it."""

    def note_upload(self, tx: Writer, digest: bytes, user: str, now: int) -> None:
        """Remember who uploaded a blob and when (seconds since the epoch); again resets the expiry."""

    def make_room(self, tx: Writer, user: str, files: int, octets: int, spared: Collection[bytes] = ()) -> int:
        """Take out a user's oldest uploads that nothing refers to, until at most `files` of `octets` in all are left.

        Those of the digests in `spared` stay whatever they take. Answers how many blobs went (RFC 8620 §6).
        """

    def refer(self, tx: Writer, digest: bytes, type_name: str, number: int) -> None:
        """An object of a type (by its number) refers to the blob from now on."""

    def unrefer(self, tx: Writer, digest: bytes, type_name: str, number: int) -> None:
        """The object does not refer to the blob any more. The blob stays until it is expired."""

    def referring(self, tx: Reader, digest: bytes, type_name: str) -> list[int]:
        """The numbers of the objects of a type that refer to the blob, in ascending order."""

    def size(self, tx: Reader, digest: bytes) -> int:
        """Octets of a blob. Raises UnknownBlob."""

    def may_read(self, tx: Reader, digest: bytes, user: str) -> bool:
        """Whether a blob is there that the user uploaded or an object refers to (RFC 8620 §6.1)."""

    def read(self, tx: Reader, digest: bytes, start: int = 0, length: int | None = None) -> bytes:
        """Octets of a blob, from `start`, at most `length`. Raises UnknownBlob."""

    def open(
        self, tx: Reader, digest: bytes, start: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The same piece by piece; may be entered after the snapshot is closed. Raises UnknownBlob."""

    def expire(self, tx: Writer, before: int) -> int:
        """Take out blobs that nothing refers to, uploaded or unreferred before a time; answers how many."""

    def sweep(self, tx: Reader) -> int:
        """Free the room of blobs taken out an hour ago, and of uploads cut short; answers how many."""

    def verify(self, tx: Reader) -> list[str]:
        """Read every blob of an account; answers the faults found, a sentence each."""
