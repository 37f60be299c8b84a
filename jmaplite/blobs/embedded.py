"""Blobs in the embedded store: small ones in the account's database, large ones in files beside it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from jmaplite.blobs.files import AccountFiles, Spill, on_disk, sweep_uploads
from jmaplite.blobs.port import BlobTooLarge, Staged, UnknownBlob
from jmaplite.store import Column, Index, Reader, StoreDamaged, StoreUnavailable, Table, Writer

INLINE_LIMIT = 131_072
"""Octets up to which a blob is kept in the database."""

GRACE_SECONDS = 3600
"""How long a file that no blob needs is left alone: an upload or a slow download may still be at it."""

TABLES: tuple[Table, ...] = (
    Table(
        "blob",
        (
            Column("id", "integer"),
            Column("digest", "blob"),
            Column("size", "integer"),
            Column("data", "blob", null=True),
        ),
        ("id",),
        (Index("blob_digest", ("digest",), unique=True),),
        clustered=False,
    ),
    Table(
        "blob_upload",
        (
            Column("digest", "blob"),
            Column("user", "text"),
            Column("time", "integer"),
            Column("waiting", "integer", default=1),
        ),
        ("digest", "user"),
        (
            Index("blob_upload_time", ("time",)),
            Index("blob_upload_waiting", ("user", "time", "digest"), where="waiting = 1"),
        ),
    ),
    Table(
        "blob_reference",
        (Column("digest", "blob"), Column("type", "text"), Column("number", "integer")),
        ("digest", "type", "number"),
    ),
)

_PIECE = 65_536
_NOBODY = ""
"""Stands for a user where a blob lost a reference: if it was the last, it expires like an upload."""

_WAITING = (
    "SELECT u.digest, b.size FROM blob_upload u JOIN blob b ON b.account = u.account AND b.digest = u.digest "
    'WHERE u.account = ? AND u."user" = ? AND u.waiting = 1 ORDER BY u.time, b.id'
)
_DROP_UPLOAD = 'DELETE FROM blob_upload WHERE account = ? AND digest = ? AND "user" = ?'
_WHOLE = "SELECT size, data FROM blob WHERE account = ? AND digest = ?"
_PART = "SELECT size, substr(data, ?, ?) FROM blob WHERE account = ? AND digest = ?"
_REFERENCE = "SELECT 1 FROM blob_reference WHERE account = ? AND digest = ? LIMIT 1"
_MAY_READ = (
    "SELECT 1 FROM blob WHERE account = ? AND digest = ? AND ("
    "EXISTS (SELECT 1 FROM blob_reference WHERE account = ? AND digest = ?) OR "
    'EXISTS (SELECT 1 FROM blob_upload WHERE account = ? AND digest = ? AND "user" = ?))'
)
_NOTE_UPLOAD = (
    'INSERT INTO blob_upload (account, digest, "user", time, waiting) VALUES (?, ?, ?, ?, CASE WHEN EXISTS '
    "(SELECT 1 FROM blob_reference WHERE account = ? AND digest = ?) THEN 0 ELSE 1 END) "
    'ON CONFLICT (account, digest, "user") DO UPDATE SET time = excluded.time, waiting = excluded.waiting'
)
_REFERRING = "SELECT number FROM blob_reference WHERE account = ? AND digest = ? AND type = ? ORDER BY number"
_REFER = (
    "INSERT INTO blob_reference (account, digest, type, number) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (account, digest, type, number) DO NOTHING"
)
_UNREFER = "DELETE FROM blob_reference WHERE account = ? AND digest = ? AND type = ? AND number = ?"


class EmbeddedUpload:
    """An upload to one account: in memory while it is small, then in a file of the account."""

    def __init__(self, files: AccountFiles, limit: int, inline_limit: int) -> None:
        self._files = files
        self._limit = limit
        self._inline_limit = inline_limit
        self._hash = hashlib.sha256()
        self._size = 0
        self._pieces: list[bytes] = []
        self._spill: Spill | None = None

    def write(self, octets: bytes) -> None:
        """Take more octets. Raises BlobTooLarge, StoreUnavailable; nothing is left of the upload then."""
        self._size += len(octets)
        if self._size > self._limit:
            self.abort()
            raise BlobTooLarge(self._limit)
        self._hash.update(octets)
        self._pieces.append(octets)
        if self._size > self._inline_limit:
            with self._storing():
                if self._spill is None:
                    self._spill = self._files.spill()
                self._spill.write(b"".join(self._pieces))
            self._pieces.clear()

    def finish(self) -> Staged:
        """Answers the octets staged; a large blob is a durable file of its final name."""
        digest = self._hash.digest()
        if self._spill is None:
            return Staged(digest, self._size, b"".join(self._pieces))
        with self._storing():
            self._spill.keep(digest)
        self._spill = None
        return Staged(digest, self._size, None)

    def abort(self) -> None:
        """Throw away what came so far."""
        self._pieces.clear()
        if self._spill is not None:
            self._spill.discard()
            self._spill = None

    @contextmanager
    def _storing(self) -> Iterator[None]:
        """A full disk leaves nothing of the upload."""
        try:
            with on_disk():
                yield
        except StoreUnavailable:
            self.abort()
            raise


class EmbeddedBlobs:
    """Implements Blobs in the directory of a store; `clock` tells seconds since the epoch."""

    def __init__(self, root: Path, *, inline_limit: int = INLINE_LIMIT, clock: Callable[[], float] = time.time) -> None:
        self._accounts = root / "accounts"
        self._inline_limit = inline_limit
        self._clock = clock
        sweep_uploads(self._accounts)

    def stage(self, account_id: str, octets: bytes) -> Staged:
        """Octets at hand, made ready for `put`; a file at once if they are many. Raises UnknownAccount."""
        if len(octets) <= self._inline_limit:
            return Staged(hashlib.sha256(octets).digest(), len(octets), octets)
        upload = self.upload(account_id, len(octets))
        try:
            upload.write(octets)
            return upload.finish()
        finally:
            upload.abort()

    def upload(self, account_id: str, limit: int) -> EmbeddedUpload:
        """Begin an upload of at most `limit` octets."""
        return EmbeddedUpload(self._files(account_id), limit, self._inline_limit)

    def put(self, tx: Writer, staged: Staged) -> None:
        """Make staged octets part of the account; note the upload, or refer, in the same transaction."""
        if tx.value("SELECT 1 FROM blob WHERE account = ? AND digest = ?", tx.account, staged.digest):
            return
        tx.execute(
            "INSERT INTO blob (account, id, digest, size, data) "
            "SELECT ?, COALESCE(MAX(id), 0) + 1, ?, ?, ? FROM blob WHERE account = ?",
            tx.account,
            staged.digest,
            staged.size,
            staged.data,
            tx.account,
        )

    def note_upload(self, tx: Writer, digest: bytes, user: str, now: int) -> None:
        """Remember who uploaded a blob and when."""
        tx.execute(_NOTE_UPLOAD, tx.account, digest, user, now, tx.account, digest)

    def make_room(self, tx: Writer, user: str, files: int, octets: int, spared: Collection[bytes] = ()) -> int:
        """Take out the user's oldest uploads that nothing refers to, until at most so many are left."""
        waiting = tx.rows(_WAITING, tx.account, user)
        count, size, removed = len(waiting), sum(row[1] for row in waiting), 0
        for digest, one in waiting:
            if count <= files and size <= octets:
                break
            if digest in spared:
                continue
            tx.execute(_DROP_UPLOAD, tx.account, digest, user)
            removed += self._forget(tx, digest)
            count, size = count - 1, size - one
        return removed

    def refer(self, tx: Writer, digest: bytes, type_name: str, number: int) -> None:
        """An object refers to the blob from now on; again: harmless."""
        tx.execute(_REFER, tx.account, digest, type_name, number)
        tx.execute("UPDATE blob_upload SET waiting = 0 WHERE account = ? AND digest = ?", tx.account, digest)

    def unrefer(self, tx: Writer, digest: bytes, type_name: str, number: int) -> None:
        """The object does not refer to the blob any more; unless another does, it begins to expire."""
        tx.execute(_UNREFER, tx.account, digest, type_name, number)
        tx.execute(_NOTE_UPLOAD, tx.account, digest, _NOBODY, int(self._clock()), tx.account, digest)

    def referring(self, tx: Reader, digest: bytes, type_name: str) -> list[int]:
        """The numbers of the objects of a type that refer to the blob, in ascending order."""
        return [row[0] for row in tx.rows(_REFERRING, tx.account, digest, type_name)]

    def size(self, tx: Reader, digest: bytes) -> int:
        """Octets of a blob. Raises UnknownBlob."""
        size = tx.value("SELECT size FROM blob WHERE account = ? AND digest = ?", tx.account, digest)
        if size is None:
            raise UnknownBlob(digest.hex())
        return int(size)

    def may_read(self, tx: Reader, digest: bytes, user: str) -> bool:
        """Whether the user uploaded the blob or an object refers to it."""
        key = (tx.account, digest)
        return user != _NOBODY and tx.value(_MAY_READ, *key, *key, *key, user) is not None

    def read(self, tx: Reader, digest: bytes, start: int = 0, length: int | None = None) -> bytes:
        """Octets of a blob. Raises UnknownBlob, StoreUnavailable, and StoreDamaged when its file is missing."""
        size, octets = self._find(tx, digest, start, length)
        if octets is not None:
            return octets
        with self._opened(tx.account_id, digest, start, size) as pieces:
            return b"".join(pieces)

    def open(
        self, tx: Reader, digest: bytes, start: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Octets of a blob in pieces of 64 KiB; to be entered within the hour."""
        size, octets = self._find(tx, digest, start, length)
        if octets is not None:
            return _sliced(octets)
        return self._opened(tx.account_id, digest, start, size)

    def expire(self, tx: Writer, before: int) -> int:
        """Take out blobs without references that were last uploaded, or lost the last one, before a time.

        Their files stay for `sweep`: the transaction may yet fail.
        """
        sql = "SELECT digest FROM blob_upload WHERE account = ? AND time < ? ORDER BY time"
        digests = dict.fromkeys(digest for (digest,) in tx.rows(sql, tx.account, before))
        tx.execute("DELETE FROM blob_upload WHERE account = ? AND time < ?", tx.account, before)
        return sum(self._forget(tx, digest) for digest in digests)

    def copy_to(self, account_id: str, directory: Path) -> None:
        """Put the files of an account's large blobs into a directory: linked where that can be, else copied.

        Copy the account's database first: then every blob of the copy has its file. Raises StoreUnavailable.
        """
        with on_disk():
            self._files(account_id).copy_to(directory)

    def put_back(self, account_id: str, directory: Path) -> None:
        """Put files of such a directory, of those that are missing, where an account has them."""
        with on_disk():
            self._files(account_id).put_back(directory)

    def sweep(self, tx: Reader) -> int:
        """Remove files that no blob needs, an hour after they were last needed; answers how many.

        They come from expired blobs, and from uploads that a crash kept from becoming blobs.
        """
        files = self._files(tx.account_id)
        with on_disk():
            return sum(files.remove(digest, GRACE_SECONDS) for digest in self.orphans(tx))

    def orphans(self, tx: Reader) -> list[bytes]:
        """Digests of the files that no blob of this snapshot needs."""
        return [digest for digest in self._files(tx.account_id).digests() if not self._has_file(tx, digest)]

    def verify(self, tx: Reader) -> list[str]:
        """Faults found by reading every blob of an account, a sentence each; empty when all are sound."""
        faults = []
        last = 0
        while (row := tx.row(_NEXT, tx.account, last)) is not None:
            last, digest, size = row
            fault = self._fault(tx, digest, size)
            if fault:
                faults.append(f"blob {digest.hex()} {fault}")
        return faults

    def _fault(self, tx: Reader, digest: bytes, size: int) -> str | None:
        found, octets = hashlib.sha256(), 0
        try:
            with self.open(tx, digest) as pieces:
                for piece in pieces:
                    found.update(piece)
                    octets += len(piece)
        except StoreDamaged:
            return "has lost its file"
        if octets != size:
            return f"has {octets} octets, not {size}"
        return None if found.digest() == digest else "has other octets than when it was stored"

    def _forget(self, tx: Writer, digest: bytes) -> int:
        """Take a blob out unless it is referred to or was uploaded again; answers 1 if it was taken out."""
        again = "SELECT 1 FROM blob_upload WHERE account = ? AND digest = ? LIMIT 1"
        if tx.value(_REFERENCE, tx.account, digest) or tx.value(again, tx.account, digest):
            return 0
        key = (tx.account, digest)
        found = tx.row("SELECT id, data IS NULL FROM blob WHERE account = ? AND digest = ?", *key)
        if found is None:
            return 0
        if found[1]:
            with on_disk():
                self._files(tx.account_id).touch(digest)
        tx.execute("DELETE FROM blob WHERE account = ? AND id = ?", tx.account, found[0])
        return 1

    def _find(self, tx: Reader, digest: bytes, start: int, length: int | None) -> tuple[int, bytes | None]:
        """How many octets are asked for and there, and those octets unless they are in a file."""
        if start < 0 or (length is not None and length < 0):
            raise ValueError("a blob has no octets before its first")
        if start == 0 and length is None:
            row = tx.row(_WHOLE, tx.account, digest)
        else:
            row = tx.row(_PART, start + 1, _ENDLESS if length is None else length, tx.account, digest)
        if row is None:
            raise UnknownBlob(digest.hex())
        size: int = max(row[0] - start, 0)
        if length is not None:
            size = min(size, length)
        return size, row[1] if size else b""

    def _has_file(self, tx: Reader, digest: bytes) -> bool:
        sql = "SELECT data IS NULL FROM blob WHERE account = ? AND digest = ?"
        return bool(tx.value(sql, tx.account, digest))

    @contextmanager
    def _opened(self, account_id: str, digest: bytes, start: int, length: int) -> Iterator[Iterator[bytes]]:
        with on_disk():
            try:
                file = self._files(account_id).path(digest).open("rb")
            except FileNotFoundError as error:
                self._accounts.stat()  # fails where the whole store is gone
                raise StoreDamaged(f"the file of blob {digest.hex()} is missing") from error
        with file:
            file.seek(start)
            yield _pieces(file.read, length)

    def _files(self, account_id: str) -> AccountFiles:
        return AccountFiles(self._accounts, account_id)


_ENDLESS = 2**30
_NEXT = "SELECT id, digest, size FROM blob WHERE account = ? AND id > ? ORDER BY id LIMIT 1"


@contextmanager
def _sliced(octets: bytes) -> Iterator[Iterator[bytes]]:
    yield (octets[start : start + _PIECE] for start in range(0, len(octets), _PIECE))


def _pieces(read: Callable[[int], bytes], length: int) -> Iterator[bytes]:
    while length > 0:
        with on_disk():
            piece = read(min(length, _PIECE))
        if not piece:
            return
        length -= len(piece)
        yield piece
