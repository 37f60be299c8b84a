"""Large blobs as files of an account, named by their digest."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jmaplite.blobs.port import DIGEST_OCTETS
from jmaplite.store import StoreUnavailable, UnknownAccount

_PROVISIONAL = ".upload-"
_STALE_SECONDS = 60
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@contextmanager
def on_disk() -> Iterator[None]:
    """What the operating system refuses inside is an error of the store. Raises StoreUnavailable."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"the file of a blob cannot be used now: {error}") from error


class Spill:
    """A file that grows under a provisional name; it is locked meanwhile, which tells it from a dead one."""

    def __init__(self, files: AccountFiles) -> None:
        self._files = files
        descriptor, path = tempfile.mkstemp(prefix=_PROVISIONAL, dir=files.directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._path = Path(path)
        self._file = os.fdopen(descriptor, "wb")

    def write(self, octets: bytes) -> None:
        """Add octets."""
        self._file.write(octets)

    def keep(self, digest: bytes) -> None:
        """Make the file durable under its final name, in place of one that is there already."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._files.enter(self._path, digest)
        self._file.close()

    def discard(self) -> None:
        """Take the file away."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):  # what is left is swept when the blobs are opened
            self._path.unlink()


class AccountFiles:
    """The files of an account's large blobs: `accounts/ID/blobs/ab/ab...` by the hexadecimal digest."""

    def __init__(self, accounts: Path, account_id: str) -> None:
        if not _NAME.fullmatch(account_id):
            raise UnknownAccount(account_id)
        self.account_id = account_id
        self._accounts = accounts
        self.directory = accounts / account_id / "blobs"

    def path(self, digest: bytes) -> Path:
        """Where the file of a digest is, if there is one."""
        name = digest.hex()
        return self.directory / name[:2] / name

    def spill(self) -> Spill:
        """Begin a new file. Raises UnknownAccount, OSError."""
        try:
            self.directory.mkdir(mode=0o700, exist_ok=True)
        except FileNotFoundError:
            self._accounts.stat()  # fails where the whole store is gone
            raise UnknownAccount(self.account_id) from None
        return Spill(self)

    def digests(self) -> Iterator[bytes]:
        """The digests of all files."""
        for path in self.directory.glob("[0-9a-f][0-9a-f]/*"):
            with suppress(ValueError):
                digest = bytes.fromhex(path.name)
                if len(digest) == DIGEST_OCTETS:
                    yield digest

    def enter(self, made: Path, digest: bytes) -> None:
        """Give a finished file its final name, durably."""
        path = self.path(digest)
        with self._locked():
            if not path.parent.exists():
                path.parent.mkdir(mode=0o700)
                _sync(self.directory)
            os.utime(made)
            made.rename(path)
        _sync(path.parent)

    def touch(self, digest: bytes) -> None:
        """Note that a file was needed until now."""
        with suppress(FileNotFoundError):
            os.utime(self.path(digest))

    def remove(self, digest: bytes, seconds: int) -> bool:
        """Take a file away unless it was needed within so many seconds; answers whether it was."""
        path = self.path(digest)
        with suppress(FileNotFoundError), self._locked():
            if path.stat().st_mtime <= time.time() - seconds:
                path.unlink()
                return True
        return False

    def copy_to(self, directory: Path) -> None:
        """Put all files into a directory under the names that they have here; those that go meanwhile are left."""
        for digest in self.digests():
            with suppress(FileNotFoundError):
                _copy(self.path(digest), directory / self.path(digest).relative_to(self.directory))

    def put_back(self, directory: Path) -> None:
        """Take over the files of such a directory that are not here."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        for found in directory.glob("[0-9a-f][0-9a-f]/*"):
            _copy(found, self.directory / found.relative_to(directory))
            _sync((self.directory / found.relative_to(directory)).parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else, in this process or another, enters or removes a file meanwhile."""
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def sweep_uploads(accounts: Path) -> None:
    """Remove what uploads left that were under way when their process ended; what cannot be removed stays."""
    for path in accounts.glob(f"*/blobs/{_PROVISIONAL}*"):
        with suppress(OSError), path.open("rb") as file:
            # A live upload holds the lock, except for a moment after it made the file.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_mtime <= time.time() - _STALE_SECONDS:
                path.unlink()


def _copy(source: Path, target: Path) -> None:
    """Have a file, which never changes, in another place too; durably."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        try:
            os.link(source, target)
        except FileExistsError:
            raise
        except OSError:  # another file system, or one without links
            part = target.with_name(f".part-{target.name}")
            shutil.copyfile(source, part)
            part.chmod(0o600)
            _sync(part)
            part.rename(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
