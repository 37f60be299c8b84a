"""One account's file: grouped commits, failures of the disk, checkpoints, connections that come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from jmaplite.store import Account, Change, StoreDamaged, StoreError, StoreUnavailable, Words, Writer
from jmaplite.store import sqlite_account as sqlite_account_module
from jmaplite.store import sqlite_connection as sqlite_connection_module
from jmaplite.store.sqlite import SQLiteStore
from jmaplite.store.sqlite_account import SQLiteAccount
from tests.store.contract import PATIENCE, SCHEMA, Refused, add_note, found, notes, nothing, noting
from tests.store.test_group import until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "store", SCHEMA)
    yield store
    store.close()


@pytest.fixture
def account(store: SQLiteStore) -> SQLiteAccount:
    return store.account(store.create_account("ann", nothing))


def file_of(store: SQLiteStore, account: Account) -> Path:
    return store.path / "accounts" / account.id / "account.sqlite"


@contextmanager
def batch(account: SQLiteAccount, *works: Callable[[Writer], Any]) -> Iterator[list[Future[Any]]]:
    """Have works queued, in order, while a transaction before them is under way; they become one at the end."""
    entered, gate = threading.Event(), threading.Event()

    def hold(tx: Writer) -> None:
        entered.set()
        assert gate.wait(PATIENCE)

    with ThreadPoolExecutor(len(works) + 1) as pool:
        pool.submit(account.write, hold)
        assert entered.wait(PATIENCE)
        futures: list[Future[Any]] = []
        for work in works:
            futures.append(pool.submit(account.write, work))
            until(lambda: len(account._group._waiting) == len(futures))
        try:
            yield futures
        finally:
            gate.set()


def refused(tx: Writer) -> None:
    add_note(tx, "never")
    tx.text_put("note_text", 1, ("never", ""))
    raise Refused


class TestGroupedCommits:
    def test_works_that_wait_share_a_transaction(self, store: SQLiteStore, account: SQLiteAccount) -> None:
        heard: list[Change] = []
        store.feed.listen(heard.append)
        works = [lambda tx, body=body: add_note(tx, body) for body in "abc"]
        with batch(account, *works) as futures:
            pass
        assert [future.result(PATIENCE) for future in futures] == [1, 2, 3]
        assert [dict(change.types) for change in heard] == [{"Note": 3}]

    def test_work_that_raises_undoes_only_itself(self, account: SQLiteAccount) -> None:
        with batch(account, lambda tx: add_note(tx, "a"), refused, lambda tx: add_note(tx, "b"), refused) as futures:
            pass
        assert [type(future.exception(PATIENCE)) for future in futures] == [
            type(None),
            Refused,
            type(None),
            Refused,
        ]
        with account.read() as tx:
            assert notes(tx) == ["a", "b"]
            assert found(tx, "never") == []
            assert tx.state("Note") == 2

    def test_an_interrupt_undoes_the_whole_transaction(self, account: SQLiteAccount) -> None:
        def interrupt(tx: Writer) -> None:
            raise KeyboardInterrupt

        with batch(account, lambda tx: add_note(tx, "a"), interrupt) as futures:
            pass
        errors = [type(future.exception(PATIENCE)) for future in futures]
        assert errors in ([KeyboardInterrupt, StoreUnavailable], [KeyboardInterrupt, KeyboardInterrupt])
        with account.read() as tx:
            assert notes(tx) == []
        assert account.write(lambda tx: add_note(tx, "b")) == 1


def test_a_commit_waits_for_the_disk(account: SQLiteAccount) -> None:
    full = 2
    assert account.write(lambda tx: tx.value("PRAGMA synchronous")) == full


class TestFailingDisk:
    """A page limit stands for a full disk: SQLite meets both with the same error."""

    @pytest.fixture
    def full(self, store: SQLiteStore, account: SQLiteAccount) -> Iterator[Callable[[], None]]:
        account.write(nothing)

        def fill() -> None:
            assert account._writer is not None
            pages = account._writer.rows("PRAGMA page_count")[0][0]
            account._writer.rows(f"PRAGMA max_page_count = {pages}")

        yield fill
        account.park()
        assert store.verify(account.id) == []

    def test_a_full_disk_makes_the_store_unavailable(self, account: SQLiteAccount, full: Callable[[], None]) -> None:
        full()
        with pytest.raises(StoreUnavailable, match="full"):
            account.write(lambda tx: add_note(tx, "x" * 1_000_000))
        with account.read() as tx:
            assert notes(tx) == []
            assert tx.state("Note") == 0

    def test_a_full_disk_fails_everybody_in_the_transaction(
        self, account: SQLiteAccount, full: Callable[[], None]
    ) -> None:
        full()
        with batch(account, lambda tx: add_note(tx, "a"), lambda tx: add_note(tx, "x" * 1_000_000), nothing) as futures:
            pass
        kept = [future.exception(PATIENCE) is None for future in futures]
        with account.read() as tx:
            assert len(notes(tx)) == kept[0]
        assert isinstance(futures[1].exception(PATIENCE), StoreUnavailable)

    def test_work_cannot_go_on_after_sqlite_undid_its_transaction(self, account: SQLiteAccount) -> None:
        def lose(tx: Writer) -> None:
            add_note(tx, "before")
            with pytest.raises(StoreError):
                tx.execute("INSERT OR ROLLBACK INTO note (account, id, body) VALUES (?, 1, 'x')", tx.account)
            add_note(tx, "after")

        with pytest.raises(StoreUnavailable, match="undo"):
            account.write(lose)
        with account.read() as tx:
            assert notes(tx) == []

    def test_an_account_can_be_written_again_after_it_could_only_be_read(
        self, account: SQLiteAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account.write(lambda tx: add_note(tx, "before"))
        account.park()
        with monkeypatch.context() as patch:
            patch.setattr(apsw, "SQLITE_OPEN_READWRITE", apsw.SQLITE_OPEN_READONLY)
            with account.read() as tx:
                assert notes(tx) == ["before"]
            with pytest.raises(StoreUnavailable, match="readonly"):
                account.write(lambda tx: add_note(tx, "meanwhile"))
        assert account._idle == []
        account.write(lambda tx: add_note(tx, "after"))
        with account.read() as tx:
            assert notes(tx) == ["before", "after"]

    def test_a_write_that_finds_its_file_readonly_lets_go_of_it(self, account: SQLiteAccount) -> None:
        def refused(tx: Writer) -> None:
            raise StoreUnavailable("readonly") from apsw.ReadOnlyError("readonly")

        with account.read() as tx:
            notes(tx)
        with pytest.raises(StoreUnavailable, match="readonly"):
            account.write(refused)
        assert (account._idle, account._writer) == ([], None)
        account.write(lambda tx: add_note(tx, "after"))

    def test_a_file_locked_by_somebody_else_makes_the_store_unavailable(
        self, store: SQLiteStore, account: SQLiteAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_connection_module, "BUSY_MILLISECONDS", 1)
        other = apsw.Connection(str(file_of(store, account)))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            account.write(lambda tx: add_note(tx, "a"))
        with account.read() as tx:
            assert notes(tx) == []
        other.execute("ROLLBACK")
        other.close()
        assert account.write(lambda tx: add_note(tx, "a")) == 1

    def test_a_damaged_file_is_found_out(self, store: SQLiteStore, account: SQLiteAccount) -> None:
        account.write(lambda tx: [add_note(tx, f"{number}" * 500) for number in range(100)])
        account.park()
        octets = bytearray(file_of(store, account).read_bytes())
        octets[4096:] = b"\xff" * len(octets[4096:])
        file_of(store, account).write_bytes(octets)
        assert store.verify(account.id)
        with pytest.raises(StoreDamaged):
            account.write(lambda tx: add_note(tx, "a"))

    def test_a_file_that_is_no_database_is_found_out(self, store: SQLiteStore, account: SQLiteAccount) -> None:
        file_of(store, account).write_bytes(b"no database" * 1000)
        assert "not a database" in str(store.verify(account.id))
        file_of(store, account).unlink()
        assert store.verify(account.id)

    def test_a_damaged_text_index_is_found_out(self, store: SQLiteStore, account: SQLiteAccount) -> None:
        account.write(lambda tx: tx.text_put("note_text", 1, ("some words", "here")))
        account.park()
        other = apsw.Connection(str(file_of(store, account)))
        other.execute("UPDATE note_text_data SET block = zeroblob(length(block)) WHERE id > 100")
        other.close()
        assert store.verify(account.id)


class TestWriteAheadLog:
    @pytest.fixture(autouse=True)
    def _short_log(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_account_module, "CHECKPOINT_PAGES", 50)

    @pytest.fixture
    def account(self, store: SQLiteStore, _short_log: None) -> SQLiteAccount:
        return store.account(store.create_account("ann", nothing))

    def test_the_log_does_not_grow_while_readers_come_and_go(self, store: SQLiteStore, account: SQLiteAccount) -> None:
        log = file_of(store, account).with_name("account.sqlite-wal")
        sizes = []
        for round_ in range(12):
            with account.read() as tx:
                notes(tx)
                account.write(noting(f"{round_}" * 300_000))
            store.settle()
            sizes.append(log.stat().st_size)
        assert sizes[-1] <= 3 * sizes[0]

    def test_a_long_read_delays_the_checkpoint_only(self, store: SQLiteStore, account: SQLiteAccount) -> None:
        account.write(lambda tx: add_note(tx, "first"))
        with account.read() as tx:
            assert notes(tx) == ["first"]
            for number in range(4):
                account.write(noting(f"{number}" * 300_000))
                store.settle()
            assert notes(tx) == ["first"]
        with account.read() as tx:
            assert len(notes(tx)) == 5

    def test_nothing_is_left_of_the_log_when_the_store_is_closed(
        self, store: SQLiteStore, account: SQLiteAccount
    ) -> None:
        account.write(lambda tx: add_note(tx, "a"))
        store.close()
        assert sorted(path.name for path in file_of(store, account).parent.iterdir()) == [
            "account.sqlite",
            "blobs",
        ]


class TestConnections:
    @pytest.fixture
    def descriptors(self) -> Callable[[], int]:
        here = Path("/proc/self/fd")
        if not here.is_dir():
            pytest.skip("needs /proc")
        return lambda: len(list(here.iterdir()))

    def test_closing_lets_go_of_every_descriptor(self, tmp_path: Path, descriptors: Callable[[], int]) -> None:
        before = descriptors()
        for _ in range(3):
            store = SQLiteStore(tmp_path, SCHEMA)
            for owner in ("ann", "bob"):
                account = store.account(store.create_account(owner, nothing))
                account.write(lambda tx: tx.change("A"))
                with account.read() as first, account.read() as second:
                    notes(first)
                    notes(second)
            store.close()
        assert descriptors() == before

    def test_a_reader_in_use_is_closed_when_it_is_handed_back(
        self, store: SQLiteStore, account: SQLiteAccount, descriptors: Callable[[], int]
    ) -> None:
        with account.read() as tx:
            assert notes(tx) == []
            account.park()
            assert notes(tx) == []
            before = descriptors()
        assert descriptors() < before
        with account.read() as tx:
            assert notes(tx) == []
            store.close()
            before = descriptors()
        assert descriptors() < before

    def test_accounts_used_longest_ago_are_parked(self, tmp_path: Path, descriptors: Callable[[], int]) -> None:
        before = descriptors()
        store = SQLiteStore(tmp_path, SCHEMA, open_accounts=2)
        accounts = [store.account(store.create_account(f"owner {n}", nothing)) for n in range(12)]
        with accounts[0].read() as kept:
            notes(kept)
            for account in accounts:
                account.write(lambda tx: add_note(tx, "a"))
            store.settle()
            assert descriptors() - before < 24
            assert notes(kept) == []
        for account in accounts:
            with account.read() as tx:
                assert notes(tx) == ["a"]
        store.close()
        assert descriptors() == before

    def test_readers_at_the_same_time_leave_nothing_behind(
        self, account: SQLiteAccount, descriptors: Callable[[], int]
    ) -> None:
        counts = []
        for _ in range(3):
            with ExitStack() as stack:
                for _ in range(30):
                    notes(stack.enter_context(account.read()))
            counts.append(descriptors())
        assert counts[0] == counts[2]
        assert len(account._idle) < 30

    def test_a_closed_store_refuses_to_serve(self, store: SQLiteStore, account: SQLiteAccount) -> None:
        store.close()
        with pytest.raises(StoreError, match="closed"), account.read():
            pass
        with pytest.raises(StoreError, match="closed"):
            account.write(nothing)

    def test_readers_cannot_write(self, account: SQLiteAccount) -> None:
        with account.read() as tx, pytest.raises(StoreError, match="readonly"):
            tx.rows("DELETE FROM note WHERE account = ?", tx.account)


class TestForeignCommits:
    """A second store on the same directory stands for another process."""

    @pytest.fixture
    def other(self, store: SQLiteStore) -> Iterator[SQLiteStore]:
        other = SQLiteStore(store.path, SCHEMA)
        yield other
        other.close()

    def test_what_another_process_commits_is_announced_by_polling(
        self, store: SQLiteStore, account: SQLiteAccount, other: SQLiteStore
    ) -> None:
        account.write(lambda tx: tx.change("A"))
        heard: list[Change] = []
        store.feed.listen(heard.append)
        other.account(account.id).write(lambda tx: tx.change("B"))
        assert heard == []
        store.poll()
        store.poll()
        assert [(change.account_id, dict(change.types)) for change in heard] == [(account.id, {"B": 2})]

    def test_what_another_process_committed_before_our_own_commit_is_announced_with_it(
        self, store: SQLiteStore, account: SQLiteAccount, other: SQLiteStore
    ) -> None:
        account.write(lambda tx: tx.change("A"))
        heard: list[Change] = []
        store.feed.listen(heard.append)
        other.account(account.id).write(lambda tx: tx.change("B"))
        account.write(lambda tx: tx.change("A"))
        assert [dict(change.types) for change in heard] == [{"A": 3, "B": 2}]

    def test_our_own_commits_are_not_announced_again(self, store: SQLiteStore, account: SQLiteAccount) -> None:
        heard: list[Change] = []
        store.feed.listen(heard.append)
        account.write(lambda tx: tx.change("A"))
        store.poll()
        assert len(heard) == 1

    def test_an_account_made_by_another_process_is_known_at_once(self, store: SQLiteStore, other: SQLiteStore) -> None:
        account_id = other.create_account("bob", noting("a"))
        assert store.account_of("bob") == account_id
        with store.account(account_id).read() as tx:
            assert notes(tx) == ["a"]


class TestPlans:
    """The newest come first without looking at the rest."""

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT id FROM note WHERE account = ? ORDER BY id DESC LIMIT 50",
            "SELECT id, body FROM note WHERE account = ? AND id < 99 ORDER BY id DESC LIMIT 50",
            "SELECT id FROM note WHERE account = ? AND size > 7 ORDER BY size LIMIT 50",
            "SELECT note FROM tag WHERE account = ? AND name = 'x' ORDER BY note DESC LIMIT 50",
        ],
    )
    def test_pages_are_read_in_the_order_of_a_key_or_index(self, account: SQLiteAccount, sql: str) -> None:
        with account.read() as tx:
            plan = str(tx.rows(f"EXPLAIN QUERY PLAN {sql}", tx.account))
        assert "TEMP B-TREE" not in plan

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT {source}.{key} FROM {source} WHERE {where} ORDER BY {source}.{key} DESC LIMIT 50",
            "SELECT note.id FROM {source} CROSS JOIN note ON note.account = 1 AND note.id = {source}.{key} "
            "WHERE {where} ORDER BY {source}.{key} DESC LIMIT 50",
            "SELECT tag.note FROM {source} CROSS JOIN tag ON tag.account = 1 AND tag.name = 'x' "
            "AND tag.note = {source}.{key} WHERE {where} ORDER BY {source}.{key} DESC LIMIT 50",
        ],
    )
    def test_matches_are_read_newest_first(self, account: SQLiteAccount, sql: str) -> None:
        with account.read() as tx:
            match = tx.match("note_text", Words((("word",),)))
            sql = sql.format(source=match.source, key=match.key, where=match.where)
            plan = str(tx.rows(f"EXPLAIN QUERY PLAN {sql}", *match.parameters))
        assert "TEMP B-TREE" not in plan
        assert plan.index("VIRTUAL TABLE") < len(plan)
