"""What every driver of the blobs' port must do. A driver's test module subclasses `BlobsContract`."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jmaplite.blobs import DIGEST_OCTETS, Blobs, BlobTooLarge, Staged, UnknownBlob
from jmaplite.store import Account, Store, UnknownAccount, Writer

LARGE = 300_000
"""More octets than any driver keeps in the database."""


@dataclass(frozen=True, slots=True)
class Place:
    """Blobs, and an account to put them into."""

    blobs: Blobs
    store: Store
    account: Account

    def put(self, octets: bytes, user: str | None = "ann", now: int = 1000) -> bytes:
        """Make octets a blob of the account; answers its digest."""
        staged = self.blobs.stage(self.account.id, octets)
        self.account.write(lambda tx: self._enter(tx, staged, user, now))
        return staged.digest

    def _enter(self, tx: Writer, staged: Staged, user: str | None, now: int) -> None:
        self.blobs.put(tx, staged)
        if user is not None:
            self.blobs.note_upload(tx, staged.digest, user, now)

    def read(self, digest: bytes, start: int = 0, length: int | None = None) -> bytes:
        with self.account.read() as tx:
            return self.blobs.read(tx, digest, start, length)

    def opened(self, digest: bytes, start: int = 0, length: int | None = None) -> list[bytes]:
        """The pieces of a blob, read after its snapshot is closed."""
        with self.account.read() as tx:
            pieces = self.blobs.open(tx, digest, start, length)
        with pieces as iterator:
            return list(iterator)

    def may_read(self, digest: bytes, user: str) -> bool:
        with self.account.read() as tx:
            return self.blobs.may_read(tx, digest, user)

    def refer(self, digest: bytes, number: int = 1) -> None:
        self.account.write(lambda tx: self.blobs.refer(tx, digest, "Email", number))

    def unrefer(self, digest: bytes, number: int = 1) -> None:
        self.account.write(lambda tx: self.blobs.unrefer(tx, digest, "Email", number))

    def make_room(self, user: str, files: int, octets: int) -> int:
        return self.account.write(lambda tx: self.blobs.make_room(tx, user, files, octets))

    def expire(self, before: int) -> int:
        return self.account.write(lambda tx: self.blobs.expire(tx, before))

    def there(self, digest: bytes) -> bool:
        try:
            with self.account.read() as tx:
                self.blobs.size(tx, digest)
        except UnknownBlob:
            return False
        return True

    def verify(self) -> list[str]:
        with self.account.read() as tx:
            return self.blobs.verify(tx)


def octets(count: int, seed: int = 0) -> bytes:
    """So many octets, the same ones each time."""
    return random.Random(seed).randbytes(count)


SIZES = [0, 1, 65_536, 131_072, 131_073, LARGE]


class BlobsContract:
    """The truths about blobs; `opened` opens a new place, empty. Its clock says 5000."""

    opened: Callable[[], AbstractContextManager[Place]]

    @pytest.fixture
    def place(self) -> Iterator[Place]:
        with self.opened() as place:
            yield place


class ReadingTruths(BlobsContract):
    @pytest.mark.parametrize("count", SIZES)
    def test_octets_come_back_whole(self, place: Place, count: int) -> None:
        digest = place.put(octets(count))
        assert digest == hashlib.sha256(octets(count)).digest()
        assert len(digest) == DIGEST_OCTETS
        assert place.read(digest) == octets(count)
        assert b"".join(place.opened(digest)) == octets(count)
        with place.account.read() as tx:
            assert place.blobs.size(tx, digest) == count

    @settings(max_examples=25)
    @given(
        st.sampled_from([0, 1, 50, LARGE]),
        st.sampled_from([0, 1, 49, 50, 51, LARGE - 1, LARGE, LARGE + 1]),
        st.sampled_from([None, 0, 1, 50, 65_536, LARGE, 2 * LARGE]),
    )
    def test_any_part_may_be_read(self, count: int, start: int, length: int | None) -> None:
        with self.opened() as place:
            digest = place.put(octets(count))
            expected = octets(count)[start : None if length is None else start + length]
            assert place.read(digest, start, length) == expected
            assert b"".join(place.opened(digest, start, length)) == expected

    def test_large_blobs_come_in_pieces(self, place: Place) -> None:
        assert max(map(len, place.opened(place.put(octets(LARGE))))) <= 65_536

    @pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
    def test_there_is_nothing_before_the_first_octet(self, place: Place, start: int, length: int | None) -> None:
        with pytest.raises(ValueError, match="octets"):
            place.read(place.put(b"abc"), start, length)

    def test_an_unknown_blob_raises(self, place: Place) -> None:
        with place.account.read() as tx:
            for ask in (place.blobs.size, place.blobs.read, place.blobs.open):
                with pytest.raises(UnknownBlob):
                    ask(tx, bytes(DIGEST_OCTETS))

    def test_accounts_do_not_share_blobs(self, place: Place) -> None:
        digest = place.put(octets(LARGE))
        other = place.store.account(place.store.create_account("bob", lambda tx: None))
        with other.read() as tx:
            assert not place.blobs.may_read(tx, digest, "ann")
            with pytest.raises(UnknownBlob):
                place.blobs.read(tx, digest)

    @pytest.mark.parametrize("name", ["unknown", "../accounts", "a/../b", ""])
    def test_large_octets_need_an_account(self, place: Place, name: str) -> None:
        with pytest.raises(UnknownAccount):
            place.blobs.stage(name, octets(LARGE))


class UploadTruths(BlobsContract):
    @pytest.mark.parametrize("count", SIZES)
    @pytest.mark.parametrize("piece", [1000, 70_000, LARGE])
    def test_an_upload_is_staged_like_octets_at_hand(self, place: Place, count: int, piece: int) -> None:
        upload = place.blobs.upload(place.account.id, LARGE)
        for start in range(0, count, piece):
            upload.write(octets(count)[start : start + piece])
        staged = upload.finish()
        upload.abort()
        assert staged == place.blobs.stage(place.account.id, octets(count))
        place.account.write(lambda tx: place.blobs.put(tx, staged))
        assert place.read(staged.digest) == octets(count)

    @pytest.mark.parametrize("limit", [0, 10, 200_000])
    def test_an_upload_beyond_its_limit_is_refused(self, place: Place, limit: int) -> None:
        upload = place.blobs.upload(place.account.id, limit)
        upload.write(octets(limit))
        with pytest.raises(BlobTooLarge) as caught:
            upload.write(b"x")
        assert caught.value.args == (limit,)

    def test_staged_octets_are_no_blob_until_they_are_put(self, place: Place) -> None:
        for count in (10, LARGE):
            staged = place.blobs.stage(place.account.id, octets(count))
            assert not place.there(staged.digest)

    def test_work_that_is_undone_leaves_no_blob(self, place: Place) -> None:
        staged = place.blobs.stage(place.account.id, octets(LARGE))

        def work(tx: Writer) -> None:
            place.blobs.put(tx, staged)
            raise KeyError

        with pytest.raises(KeyError):
            place.account.write(work)
        assert not place.there(staged.digest)


class AccessTruths(BlobsContract):
    def test_the_uploader_may_read_and_others_may_not(self, place: Place) -> None:
        digest = place.put(b"abc", "ann")
        assert place.may_read(digest, "ann")
        assert not place.may_read(digest, "bob")
        assert not place.may_read(digest, "")

    def test_a_blob_that_an_object_refers_to_may_be_read_through_the_account(self, place: Place) -> None:
        digest = place.put(b"abc", None)
        place.refer(digest)
        assert place.may_read(digest, "bob")
        place.unrefer(digest)
        assert not place.may_read(digest, "bob")
        assert not place.may_read(digest, "")

    def test_what_refers_to_a_blob_is_known_by_type(self, place: Place) -> None:
        digest, other = place.put(b"octets"), place.put(b"other")
        for number in (3, 1, 2):
            place.refer(digest, number)
        place.account.write(lambda tx: place.blobs.refer(tx, digest, "FileNode", 7))
        place.unrefer(digest, 2)
        with place.account.read() as tx:
            assert place.blobs.referring(tx, digest, "Email") == [1, 3]
            assert place.blobs.referring(tx, digest, "FileNode") == [7]
            assert place.blobs.referring(tx, other, "Email") == []

    def test_what_is_not_there_may_not_be_read(self, place: Place) -> None:
        digest = hashlib.sha256(b"abc").digest()
        place.refer(digest)
        place.account.write(lambda tx: place.blobs.note_upload(tx, digest, "ann", 1000))
        assert not place.may_read(digest, "ann")


class RoomTruths(BlobsContract):
    def test_the_oldest_uploads_go_first_until_as_many_are_left_as_may_be(self, place: Place) -> None:
        old, middle, new = (place.put(bytes([at]) * 10, now=1000 + at) for at in range(3))

        assert place.make_room("ann", files=2, octets=1000) == 1
        assert [place.there(digest) for digest in (old, middle, new)] == [False, True, True]
        assert place.make_room("ann", files=2, octets=19) == 1
        assert [place.there(digest) for digest in (middle, new)] == [False, True]
        assert place.make_room("ann", files=0, octets=0) == 1

    def test_what_an_object_refers_to_takes_no_room_and_stays(self, place: Place) -> None:
        referred, again, other = place.put(b"one", now=1), place.put(b"two", now=2), place.put(b"three", "bob", now=3)
        place.refer(referred)
        place.refer(again)
        place.put(b"two", now=4)

        assert place.make_room("ann", files=0, octets=0) == 0
        assert all(map(place.there, (referred, again, other)))

    def test_what_nothing_refers_to_any_more_takes_room_when_it_is_uploaded_again(self, place: Place) -> None:
        digest = place.put(b"one", now=1)
        place.refer(digest)
        place.unrefer(digest)
        assert place.make_room("ann", files=0, octets=0) == 0

        place.put(b"one", now=2)
        place.make_room("ann", files=0, octets=0)
        assert not place.may_read(digest, "ann")

    def test_a_blob_that_somebody_else_uploaded_too_stays_with_them(self, place: Place) -> None:
        digest = place.put(b"both", "ann")
        place.put(b"both", "bob")

        assert place.make_room("ann", files=0, octets=0) == 0
        assert place.may_read(digest, "bob")
        assert not place.may_read(digest, "ann")


class ExpiryTruths(BlobsContract):
    @pytest.mark.parametrize("count", [10, LARGE])
    def test_an_upload_expires(self, place: Place, count: int) -> None:
        digest = place.put(octets(count), now=1000)
        assert place.expire(1000) == 0
        assert place.there(digest)
        assert place.expire(1001) == 1
        assert not place.there(digest)
        assert not place.may_read(digest, "ann")

    def test_uploading_again_begins_anew(self, place: Place) -> None:
        digest = place.put(b"abc", now=1000)
        place.put(b"abc", now=2000)
        assert place.expire(1500) == 0
        assert place.there(digest)

    def test_the_latest_of_several_uploaders_counts(self, place: Place) -> None:
        digest = place.put(b"abc", "ann", now=1000)
        place.put(b"abc", "bob", now=2000)
        assert place.expire(1500) == 0
        assert place.may_read(digest, "bob")
        assert place.expire(2500) == 1

    def test_a_blob_that_is_referred_to_stays(self, place: Place) -> None:
        digest = place.put(b"abc", now=1000)
        place.refer(digest)
        assert place.expire(10_000) == 0
        assert place.read(digest) == b"abc"

    def test_a_blob_expires_some_time_after_its_last_reference_went(self, place: Place) -> None:
        digest = place.put(b"abc", now=1000)
        place.refer(digest, 1)
        place.refer(digest, 2)
        place.refer(digest, 2)
        assert place.expire(2000) == 0
        place.unrefer(digest, 1)
        assert place.expire(10_000) == 0
        place.unrefer(digest, 2)
        assert place.expire(5000) == 0
        assert place.there(digest)
        assert place.expire(5001) == 1
        assert not place.there(digest)

    def test_a_blob_referred_to_again_stays(self, place: Place) -> None:
        digest = place.put(b"abc", None)
        place.refer(digest, 1)
        place.unrefer(digest, 1)
        place.refer(digest, 2)
        assert place.expire(10_000) == 0
        assert place.there(digest)

    @pytest.mark.parametrize("count", [10, LARGE])
    def test_an_expired_blob_can_be_put_again(self, place: Place, count: int) -> None:
        digest = place.put(octets(count), now=1000)
        place.expire(2000)
        assert place.put(octets(count), now=3000) == digest
        with place.account.read() as tx:
            place.blobs.sweep(tx)
        assert place.read(digest) == octets(count)

    def test_octets_staged_before_an_expiry_are_there_after_it(self, place: Place) -> None:
        place.put(octets(LARGE), now=1000)
        staged = place.blobs.stage(place.account.id, octets(LARGE))
        assert place.expire(2000) == 1
        with place.account.read() as tx:
            place.blobs.sweep(tx)
        place.account.write(lambda tx: place.blobs.put(tx, staged))
        assert place.read(staged.digest) == octets(LARGE)

    def test_sound_blobs_have_no_faults(self, place: Place) -> None:
        for count in SIZES:
            place.put(octets(count))
        assert place.verify() == []
