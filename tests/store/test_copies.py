"""Copies of accounts: taken while others write, and put back as a whole."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from jmaplite.blobs.embedded import TABLES, EmbeddedBlobs
from jmaplite.store import Change, Schema, StoreError, StoreUnavailable, UnknownAccount
from jmaplite.store.sqlite import SQLiteStore
from jmaplite.store.sqlite_connection import translated
from tests.store.contract import PATIENCE, SCHEMA, add_note, notes, nothing, noting


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "store", Schema((*SCHEMA.tables, *TABLES), SCHEMA.texts))
    yield store
    store.close()


@pytest.fixture
def account_id(store: SQLiteStore) -> str:
    return store.create_account("ann", nothing)


def test_an_account_is_again_what_its_copy_was(store: SQLiteStore, account_id: str, tmp_path: Path) -> None:
    account = store.account(account_id)
    account.write(noting("kept"))
    account.copy_to(tmp_path / "copy")
    account.write(noting("lost"))
    account.put_back(tmp_path / "copy")
    with account.read() as tx:
        assert notes(tx) == ["kept"]
    account.write(noting("new"))
    with account.read() as tx:
        assert notes(tx) == ["kept", "new"]
    assert store.verify(account_id) == []


def test_a_reader_goes_on_with_what_it_saw(store: SQLiteStore, account_id: str, tmp_path: Path) -> None:
    account = store.account(account_id)
    account.copy_to(tmp_path / "copy")
    account.write(noting("seen"))
    with account.read() as tx:
        assert notes(tx) == ["seen"]
        account.put_back(tmp_path / "copy")
        assert notes(tx) == ["seen"]
    with account.read() as tx:
        assert notes(tx) == []


def test_putting_back_is_announced_though_values_go_back(store: SQLiteStore, account_id: str, tmp_path: Path) -> None:
    account = store.account(account_id)
    account.write(noting("one"))
    account.copy_to(tmp_path / "copy")
    account.write(noting("two"))
    heard: list[Change] = []
    store.feed.listen(heard.append)
    account.put_back(tmp_path / "copy")
    assert heard == [Change(account_id, {"Note": 1})]


def test_a_copy_taken_while_others_write_is_of_one_moment(store: SQLiteStore, account_id: str, tmp_path: Path) -> None:
    """Each write makes two notes: a copy has both or neither."""
    account = store.account(account_id)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            account.write(lambda tx, n=number: [add_note(tx, f"{n}-a"), add_note(tx, f"{n}-b")])  # type: ignore[misc]

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(10):
            account.copy_to(tmp_path / str(number))
    finally:
        stop.set()
        thread.join(PATIENCE)
    for number in range(10):
        with closing(sqlite3.connect(tmp_path / str(number))) as connection:
            (count,) = connection.execute("SELECT count(*) FROM note").fetchone()
            assert count % 2 == 0
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_copy_overwrites_nothing(store: SQLiteStore, account_id: str, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("precious")
    with pytest.raises(StoreError):
        store.account(account_id).copy_to(tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "precious"


def test_what_is_no_copy_changes_nothing(store: SQLiteStore, account_id: str, tmp_path: Path) -> None:
    account = store.account(account_id)
    account.write(noting("kept"))
    (tmp_path / "copy").write_text("nonsense " * 1000)
    with pytest.raises(StoreError):
        account.put_back(tmp_path / "copy")
    account.write(noting("more"))
    with account.read() as tx:
        assert notes(tx) == ["kept", "more"]


def test_large_blobs_come_along_and_back(store: SQLiteStore, account_id: str, tmp_path: Path) -> None:
    blobs = EmbeddedBlobs(store.path, inline_limit=10)
    account = store.account(account_id)
    staged = blobs.stage(account_id, b"x" * 100)
    account.write(lambda tx: blobs.put(tx, staged))
    account.write(lambda tx: blobs.note_upload(tx, staged.digest, "ann", 0))
    account.copy_to(tmp_path / "copy")
    blobs.copy_to(account_id, tmp_path / "files")
    for path in (store.path / "accounts" / account_id / "blobs").glob("??/*"):
        path.unlink()
    blobs.put_back(account_id, tmp_path / "files")
    blobs.put_back(account_id, tmp_path / "files")
    with account.read() as tx:
        assert blobs.read(tx, staged.digest) == b"x" * 100
        assert blobs.verify(tx) == []


def test_an_account_that_was_removed_is_not_there_and_may_be_made_again(store: SQLiteStore, account_id: str) -> None:
    store.account(account_id).write(noting("gone"))
    store.remove_account(account_id)
    with pytest.raises(UnknownAccount):
        store.account(account_id)
    assert (store.accounts(), store.account_of("ann")) == ([], None)
    assert list((store.path / "accounts").iterdir()) == []
    again = store.create_account("ann", nothing)
    with store.account(again).read() as tx:
        assert notes(tx) == []


def test_an_epoch_may_be_given(store: SQLiteStore) -> None:
    before = store.epoch
    assert store.renew_epoch() != before
    assert store.renew_epoch("abc") == store.epoch == "abc"


def test_a_mark_tells_whether_anything_was_committed(store: SQLiteStore, account_id: str, tmp_path: Path) -> None:
    account = store.account(account_id)
    account.copy_to(tmp_path / "copy")
    mark = account.put_back(tmp_path / "copy")
    with account.read() as tx:
        notes(tx)
    assert account.mark == mark
    account.write(noting("one"))
    changed = account.mark
    assert changed != mark
    with closing(SQLiteStore(tmp_path / "store", Schema((*SCHEMA.tables, *TABLES), SCHEMA.texts))) as other:
        other.account(account_id).write(noting("by another process"))
    assert account.mark != changed


def test_the_log_does_not_grow_with_each_time_that_an_account_is_put_back(
    store: SQLiteStore, account_id: str, tmp_path: Path
) -> None:
    account = store.account(account_id)
    account.copy_to(tmp_path / "copy")
    log = next((tmp_path / "store").glob("accounts/*/account.sqlite")).with_name("account.sqlite-wal")
    sizes = []
    for _ in range(3):
        account.write(noting("lost"))
        account.put_back(tmp_path / "copy")
        sizes.append(log.stat().st_size)
    assert sizes[2] <= sizes[0]


def test_a_store_that_is_not_durable_is_the_same_otherwise(tmp_path: Path) -> None:
    schema = Schema((*SCHEMA.tables, *TABLES), SCHEMA.texts)
    with closing(SQLiteStore(tmp_path / "quick", schema, durable=False)) as quick:
        account_id = quick.create_account("ann", nothing)
        quick.account(account_id).write(noting("one"))
    with closing(SQLiteStore(tmp_path / "quick", schema)) as again, again.account(account_id).read() as tx:
        assert notes(tx) == ["one"]


def test_a_full_disk_is_told_in_words() -> None:
    """A copy that does not fit fails with words of SQLite that say nothing."""
    told = translated(apsw.FullError("not an error"))
    assert isinstance(told, StoreUnavailable)
    assert "the disk is full" in str(told)
