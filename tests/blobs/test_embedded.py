"""The embedded driver keeps the contract of the blobs' port, and its files in order."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jmaplite.blobs import BlobTooLarge, Staged, UnknownBlob
from jmaplite.blobs.embedded import TABLES, EmbeddedBlobs
from jmaplite.store import Schema, StoreDamaged, StoreUnavailable
from jmaplite.store.sqlite import SQLiteStore
from tests.blobs import contract
from tests.blobs.contract import LARGE, Place, octets
from tests.store.test_sqlite_contract import IN_MEMORY


@contextmanager
def opened_in(path: Path) -> Iterator[Place]:
    store = SQLiteStore(path, Schema(TABLES))
    try:
        account = store.account(store.create_account("ann", lambda tx: None))
        yield Place(EmbeddedBlobs(path, clock=lambda: 5000.5), store, account)
    finally:
        store.close()


@contextmanager
def opened() -> Iterator[Place]:
    parent = IN_MEMORY if IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=parent) as directory, opened_in(Path(directory)) as place:
        yield place


class TestEmbedded(
    contract.ReadingTruths,
    contract.UploadTruths,
    contract.AccessTruths,
    contract.RoomTruths,
    contract.ExpiryTruths,
):
    opened = staticmethod(opened)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with opened_in(tmp_path) as place:
        yield place


@pytest.fixture
def directory(place: Place, tmp_path: Path) -> Path:
    return tmp_path / "accounts" / place.account.id / "blobs"


def files(directory: Path) -> list[str]:
    """Names of all files of large blobs, unfinished ones too."""
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


def age(directory: Path, seconds: int) -> None:
    """Make all files older."""
    for path in directory.rglob("*"):
        if path.is_file():
            before = path.stat().st_mtime - seconds
            os.utime(path, (before, before))


def sweep(place: Place) -> int:
    with place.account.read() as tx:
        return place.blobs.sweep(tx)


def orphans(place: Place) -> list[bytes]:
    assert isinstance(place.blobs, EmbeddedBlobs)
    with place.account.read() as tx:
        return place.blobs.orphans(tx)


class TestFiles:
    def test_only_large_blobs_are_files(self, place: Place, directory: Path) -> None:
        place.put(octets(1000))
        assert files(directory) == []
        digest = place.put(octets(LARGE))
        path = directory / digest.hex()[:2] / digest.hex()
        assert path.read_bytes() == octets(LARGE)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_the_same_octets_are_one_file(self, place: Place, directory: Path) -> None:
        for user in ("ann", "bob"):
            digest = place.put(octets(LARGE), user)
        assert files(directory) == [digest.hex()]

    def test_the_limit_of_small_blobs_can_be_set(self, place: Place, directory: Path, tmp_path: Path) -> None:
        other = EmbeddedBlobs(tmp_path, inline_limit=10)
        assert other.stage(place.account.id, octets(10)).data is not None
        assert other.stage(place.account.id, octets(11)).data is None
        assert len(files(directory)) == 1

    def test_an_aborted_upload_leaves_nothing(self, place: Place, directory: Path) -> None:
        upload = place.blobs.upload(place.account.id, LARGE)
        upload.write(octets(LARGE))
        assert len(files(directory)) == 1
        upload.abort()
        upload.abort()
        assert files(directory) == []

    def test_an_upload_that_is_too_large_leaves_nothing(self, place: Place, directory: Path) -> None:
        upload = place.blobs.upload(place.account.id, LARGE)
        upload.write(octets(LARGE))
        with pytest.raises(BlobTooLarge):
            upload.write(b"x")
        assert files(directory) == []

    def test_a_disk_that_is_full_leaves_nothing(
        self, place: Place, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreUnavailable, match="No space"):
            place.blobs.stage(place.account.id, octets(LARGE))
        assert files(directory) == []

    @pytest.mark.parametrize("call", ["mkdir", "rename", "unlink"])
    def test_a_disk_that_cannot_be_written_makes_the_store_unavailable(
        self, place: Place, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        def refused(*_: object, **__: object) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        digest = place.put(octets(LARGE))
        with monkeypatch.context() as patch:
            for name in {call, "utime"}:
                patch.setattr(os, name, refused)
            with pytest.raises(StoreUnavailable):
                place.blobs.stage(place.account.id, octets(LARGE + 1))
        assert place.read(digest) == octets(LARGE)

    def test_a_store_that_was_moved_away_is_unavailable(self, place: Place, tmp_path: Path) -> None:
        digest = place.put(octets(LARGE))
        upload = place.blobs.upload(place.account.id, LARGE)
        with place.account.read() as tx:
            (tmp_path / "accounts").rename(tmp_path / "elsewhere")
            with pytest.raises(StoreUnavailable):
                place.blobs.read(tx, digest)
        with pytest.raises(StoreUnavailable):
            upload.write(octets(LARGE))
        (tmp_path / "elsewhere").rename(tmp_path / "accounts")
        assert place.read(digest) == octets(LARGE)

    def test_what_a_killed_process_was_uploading_is_swept_when_blobs_are_opened(
        self, place: Place, directory: Path, tmp_path: Path
    ) -> None:
        script = (
            "import os, sys; from pathlib import Path; from jmaplite.blobs.embedded import EmbeddedBlobs\n"
            "upload = EmbeddedBlobs(Path(sys.argv[1])).upload(sys.argv[2], 10**6)\n"
            "upload.write(bytes(500_000))\n"
            "os.kill(os.getpid(), 9)\n"
        )
        subprocess.run([sys.executable, "-c", script, str(tmp_path), place.account.id], check=False)
        assert len(files(directory)) == 1
        EmbeddedBlobs(tmp_path)
        assert len(files(directory)) == 1, "it may belong to a process that has just begun"
        age(directory, 100)
        EmbeddedBlobs(tmp_path)
        assert files(directory) == []

    def test_an_upload_under_way_is_not_swept(self, place: Place, directory: Path, tmp_path: Path) -> None:
        upload = place.blobs.upload(place.account.id, LARGE)
        upload.write(octets(LARGE))
        age(directory, 100)
        EmbeddedBlobs(tmp_path)
        assert upload.finish().size == LARGE
        assert len(files(directory)) == 1

    def test_a_large_download_needs_little_memory(self, place: Place) -> None:
        digest = place.put(bytes(20_000_000))
        with place.account.read() as tx, place.blobs.open(tx, digest) as pieces:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            assert sum(map(len, pieces)) == 20_000_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


class TestSweeping:
    def test_the_file_of_an_expired_blob_goes_an_hour_later(self, place: Place, directory: Path) -> None:
        digest = place.put(octets(LARGE), now=1000)
        age(directory, 4000)
        place.expire(2000)
        assert orphans(place) == [digest]
        assert sweep(place) == 0
        age(directory, 4000)
        assert sweep(place) == 1
        assert files(directory) == []
        assert orphans(place) == []

    def test_a_download_goes_on_after_the_blob_has_expired(self, place: Place) -> None:
        digest = place.put(octets(LARGE), now=1000)
        with place.account.read() as tx:
            pieces = place.blobs.open(tx, digest)
        place.expire(2000)
        sweep(place)
        with pieces as iterator:
            assert b"".join(iterator) == octets(LARGE)

    def test_a_file_whose_blob_was_never_put_goes_an_hour_later(self, place: Place, directory: Path) -> None:
        staged = place.blobs.stage(place.account.id, octets(LARGE))
        assert orphans(place) == [staged.digest]
        assert sweep(place) == 0
        age(directory, 4000)
        assert sweep(place) == 1

    def test_an_upload_that_took_hours_counts_from_its_end(self, place: Place, directory: Path) -> None:
        upload = place.blobs.upload(place.account.id, LARGE)
        upload.write(octets(LARGE))
        age(directory, 4000)
        upload.finish()
        assert sweep(place) == 0

    def test_staging_again_keeps_an_old_file(self, place: Place, directory: Path) -> None:
        place.blobs.stage(place.account.id, octets(LARGE))
        age(directory, 4000)
        staged = place.blobs.stage(place.account.id, octets(LARGE))
        assert sweep(place) == 0
        place.account.write(lambda tx: place.blobs.put(tx, staged))
        assert place.read(staged.digest) == octets(LARGE)

    def test_files_of_blobs_stay(self, place: Place, directory: Path) -> None:
        digest = place.put(octets(LARGE))
        age(directory, 100_000)
        assert sweep(place) == 0
        assert place.read(digest) == octets(LARGE)

    def test_files_that_are_not_ours_are_left_alone(self, place: Place, directory: Path) -> None:
        (directory / "ab").mkdir()
        for name in ("ab/notes.txt", "ab/abcd", "README"):
            (directory / name).write_bytes(b"mine")
        age(directory, 100_000)
        assert sweep(place) == 0
        assert files(directory) == ["README", "abcd", "notes.txt"]


class TestDamage:
    def test_a_changed_file_is_found(self, place: Place, directory: Path) -> None:
        digest = place.put(octets(LARGE))
        path = directory / digest.hex()[:2] / digest.hex()
        path.write_bytes(octets(LARGE, seed=1))
        assert place.verify() == [f"blob {digest.hex()} has other octets than when it was stored"]
        path.write_bytes(octets(LARGE)[:-1])
        assert place.verify() == [f"blob {digest.hex()} has {LARGE - 1} octets, not {LARGE}"]

    def test_a_missing_file_is_found(self, place: Place, directory: Path) -> None:
        digest = place.put(octets(LARGE))
        (directory / digest.hex()[:2] / digest.hex()).unlink()
        assert place.verify() == [f"blob {digest.hex()} has lost its file"]
        with pytest.raises(StoreDamaged, match="missing"):
            place.read(digest)

    def test_putting_the_octets_again_heals_a_file(self, place: Place, directory: Path) -> None:
        digest = place.put(octets(LARGE))
        (directory / digest.hex()[:2] / digest.hex()).write_bytes(b"")
        place.put(octets(LARGE))
        assert place.verify() == []

    def test_changed_octets_in_the_database_are_found(self, place: Place) -> None:
        digest = place.put(b"abc")
        place.account.write(lambda tx: tx.execute("UPDATE blob SET data = ? WHERE account = ?", b"xyz", tx.account))
        assert place.verify() == [f"blob {digest.hex()} has other octets than when it was stored"]

    def test_expiry_does_not_mind_a_missing_file(self, place: Place, directory: Path) -> None:
        digest = place.put(octets(LARGE), now=1000)
        (directory / digest.hex()[:2] / digest.hex()).unlink()
        assert place.expire(2000) == 1

    def test_a_blob_that_was_put_but_never_staged_is_damage_not_a_crash(self, place: Place) -> None:
        place.account.write(lambda tx: place.blobs.put(tx, Staged(bytes(32), 5, None)))
        with pytest.raises(StoreDamaged):
            place.read(bytes(32))
        with pytest.raises(UnknownBlob):
            place.read(bytes(31) + b"x")
