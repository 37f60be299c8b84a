"""The directory of an embedded store: what is made, what a crash may leave, how old files become new ones."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from jmaplite.store import Column, Index, Schema, StoreDamaged, StoreError, StoreUnavailable, Table, TextIndex, Writer
from jmaplite.store import sqlite as sqlite_module
from jmaplite.store.ddl import Migration
from jmaplite.store.sqlite import SQLiteStore
from tests.store.contract import PATIENCE, SCHEMA, add_note, found, notes, nothing, noting

NOTE, TAG = SCHEMA.tables
TEXT = SCHEMA.texts[0]


def made(path: Path, owner: str = "ann", schema: Schema = SCHEMA) -> str:
    """Make a store with an account that has a note, and close it; answers the account's id."""
    store = SQLiteStore(path, schema)
    account_id = store.create_account(owner, noting("first"))
    store.close()
    return account_id


def account_file(path: Path, account_id: str) -> Path:
    return path / "accounts" / account_id / "account.sqlite"


def bodies(store: SQLiteStore, account_id: str) -> list[str]:
    with store.account(account_id).read() as tx:
        return notes(tx)


class TestDirectory:
    def test_nobody_else_may_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "store"
        account_id = made(path)
        store = SQLiteStore(path, SCHEMA)
        store.account(account_id).write(lambda tx: add_note(tx, "second"))
        for entry in (path, *path.rglob("*")):
            wanted = 0o700 if entry.is_dir() else 0o600
            assert stat.S_IMODE(entry.stat().st_mode) == wanted, entry
        store.close()

    def test_an_account_whose_filling_fails_leaves_no_files(self, tmp_path: Path) -> None:
        store = SQLiteStore(tmp_path, SCHEMA)
        with pytest.raises(ZeroDivisionError):
            store.create_account("ann", lambda tx: tx.execute("SELECT ?", 1 // 0))
        assert list((tmp_path / "accounts").iterdir()) == []
        store.close()

    @pytest.mark.parametrize("call", ["open", "mkdir", "fsync", "rename"])
    def test_a_full_disk_makes_no_account_until_there_is_room(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        store = SQLiteStore(tmp_path, SCHEMA)
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            with pytest.raises(StoreUnavailable, match="No space"):
                store.create_account("ann", noting("first"))
        account_id = store.create_account("ann", noting("first"))
        assert bodies(store, account_id) == ["first"]
        assert store.verify(account_id) == []
        store.close()

    def test_a_directory_that_is_gone_for_a_while_is_no_unknown_account(self, tmp_path: Path) -> None:
        account_id = made(tmp_path / "store")
        store = SQLiteStore(tmp_path / "store", SCHEMA)
        (tmp_path / "store").rename(tmp_path / "elsewhere")
        with pytest.raises(StoreUnavailable):
            store.account(account_id)
        (tmp_path / "elsewhere").rename(tmp_path / "store")
        assert bodies(store, account_id) == ["first"]
        store.close()

    def test_account_ids_are_random_and_short(self, tmp_path: Path) -> None:
        store = SQLiteStore(tmp_path, SCHEMA)
        made = {store.create_account(f"owner {n}", nothing) for n in range(5)}
        store.close()
        assert len(made) == 5
        assert all(re.fullmatch("u[0-9a-f]{12}", account_id) for account_id in made)

    def test_account_ids_can_be_chosen_and_are_not_taken_twice(self, tmp_path: Path) -> None:
        chosen = iter(["ua", "ua", "ub"])
        store = SQLiteStore(tmp_path, SCHEMA, new_id=lambda: next(chosen))
        assert [store.create_account(owner, nothing) for owner in ("ann", "bob")] == ["ua", "ub"]
        store.close()

    def test_everything_is_there_when_it_is_opened_again(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        store = SQLiteStore(tmp_path, SCHEMA)
        epoch = store.epoch
        assert store.account_of("ann") == account_id
        assert bodies(store, account_id) == ["first"]
        store.close()
        store = SQLiteStore(tmp_path, SCHEMA)
        assert store.epoch == epoch
        store.close()

    def test_the_epoch_can_be_renewed_for_good(self, tmp_path: Path) -> None:
        store = SQLiteStore(tmp_path, SCHEMA)
        before, after = store.epoch, store.renew_epoch()
        store.close()
        store = SQLiteStore(tmp_path, SCHEMA)
        assert before != after == store.epoch
        store.close()

    def test_a_store_that_must_exist_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailable, match="there is no store"):
            SQLiteStore(tmp_path / "none", SCHEMA, create=False)
        assert not (tmp_path / "none").exists()

    def test_an_sqlite_too_old_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_module, "_LEAST_SQLITE", 9_000_000)
        with pytest.raises(StoreError, match="SQLite"):
            SQLiteStore(tmp_path, SCHEMA)

    def test_templates_of_other_schemas_do_not_pile_up(self, tmp_path: Path) -> None:
        made(tmp_path)
        made(tmp_path, "bob", Schema((NOTE,)))
        assert len(list((tmp_path / "templates").iterdir())) == 1


class TestListOfAccounts:
    """The system file can be made anew; crashes and people may leave it behind the truth."""

    def test_it_is_made_anew_when_it_is_missing(self, tmp_path: Path) -> None:
        made_ids = {made(tmp_path, owner): owner for owner in ("ann", "bob")}
        for file in tmp_path.glob("system.sqlite*"):
            file.unlink()
        store = SQLiteStore(tmp_path, SCHEMA)
        assert {info.id: info.owner for info in store.accounts()} == made_ids
        assert all(store.verify(account_id) == [] for account_id in made_ids)
        store.close()

    def test_an_account_brought_here_is_listed(self, tmp_path: Path) -> None:
        account_id = made(tmp_path / "old")
        made(tmp_path / "new", "bob")
        source = tmp_path / "old" / "accounts" / account_id
        source.rename(tmp_path / "new" / "accounts" / account_id)
        store = SQLiteStore(tmp_path / "new", SCHEMA)
        assert store.account_of("ann") == account_id
        assert bodies(store, account_id) == ["first"]
        store.close()

    def test_an_account_taken_away_is_not_listed(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        (tmp_path / "accounts" / account_id).rename(tmp_path / "elsewhere")
        store = SQLiteStore(tmp_path, SCHEMA)
        assert store.accounts() == []
        store.close()

    def test_two_accounts_of_one_owner_are_an_error(self, tmp_path: Path) -> None:
        account_id = made(tmp_path / "old")
        made(tmp_path / "new")
        source = tmp_path / "old" / "accounts" / account_id
        source.rename(tmp_path / "new" / "accounts" / account_id)
        with pytest.raises(StoreDamaged, match="both belong to ann"):
            SQLiteStore(tmp_path / "new", SCHEMA)

    def test_a_directory_of_another_name_is_an_error(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        (tmp_path / "accounts" / account_id).rename(tmp_path / "accounts" / "uother")
        with pytest.raises(StoreDamaged, match=account_id):
            SQLiteStore(tmp_path, SCHEMA)

    def test_verify_tells_when_a_file_says_something_else(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        change(account_file(tmp_path, account_id), "UPDATE store_account SET owner = 'eve'")
        store = SQLiteStore(tmp_path, SCHEMA)
        assert "eve" in str(store.verify(account_id))
        change(account_file(tmp_path, account_id), "UPDATE store_account SET owner = 'ann', id = 'ux'")
        assert "ux" in str(store.verify(account_id))
        store.close()

    def test_an_account_that_was_not_finished_is_swept_away(self, tmp_path: Path) -> None:
        made(tmp_path)
        (tmp_path / "accounts" / ".new-uhalf").mkdir()
        (tmp_path / "accounts" / ".new-uhalf" / "account.sqlite").write_bytes(b"half")
        store = SQLiteStore(tmp_path, SCHEMA)
        assert [info.owner for info in store.accounts()] == ["ann"]
        assert not (tmp_path / "accounts" / ".new-uhalf").exists()
        store.close()

    @pytest.mark.parametrize("opened_before", [True, False])
    def test_an_account_that_was_finished_but_not_named_gets_its_name(
        self, tmp_path: Path, opened_before: bool
    ) -> None:
        account_id = made(tmp_path)
        store = SQLiteStore(tmp_path, SCHEMA) if opened_before else None
        directory = tmp_path / "accounts" / account_id
        directory.rename(directory.with_name(f".new-{account_id}"))
        store = store or SQLiteStore(tmp_path, SCHEMA)
        assert bodies(store, account_id) == ["first"]
        store.close()

    def test_a_damaged_list_is_refused_with_advice(self, tmp_path: Path) -> None:
        made(tmp_path)
        (tmp_path / "system.sqlite").write_bytes(b"not a database" * 1000)
        with pytest.raises(StoreDamaged, match="made anew"):
            SQLiteStore(tmp_path, SCHEMA)

    def test_a_damaged_account_brought_here_is_named(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        account_file(tmp_path, account_id).write_bytes(b"not a database" * 1000)
        (tmp_path / "system.sqlite").unlink()
        with pytest.raises(StoreDamaged, match=account_id):
            SQLiteStore(tmp_path, SCHEMA)

    def test_a_store_of_a_newer_version_is_refused(self, tmp_path: Path) -> None:
        made(tmp_path)
        change(tmp_path / "system.sqlite", "PRAGMA user_version = 99")
        with pytest.raises(StoreDamaged, match="newer version"):
            SQLiteStore(tmp_path, SCHEMA)

    def test_processes_that_make_the_same_account_get_one(self, tmp_path: Path) -> None:
        script = (
            "import sys; from pathlib import Path; from jmaplite.store.sqlite import SQLiteStore\n"
            "from tests.store.contract import SCHEMA, noting\n"
            "store = SQLiteStore(Path(sys.argv[1]), SCHEMA)\n"
            "print(store.create_account('ann', noting('first')))\n"
            "store.close()\n"
        )
        command = [sys.executable, "-c", script, str(tmp_path)]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        answers = [process.communicate(timeout=PATIENCE)[0] for process in running]
        assert len(set(answers)) == 1
        store = SQLiteStore(tmp_path, SCHEMA)
        assert bodies(store, answers[0].strip()) == ["first"]
        store.close()


def change(path: Path, sql: str) -> None:
    """Meddle with a file."""
    connection = apsw.Connection(str(path))
    connection.execute(sql).fetchall()
    connection.close()


COLOUR = Column("colour", "text", default="it's white")
SHAPE = Column("shape", "blob", null=True)
NEWER = Schema(
    (
        replace(NOTE, columns=(*NOTE.columns, COLOUR, SHAPE), indexes=(Index("note_colour", ("colour",)),)),
        replace(TAG, indexes=(Index("tag_note", ("note", "name"), unique=True),)),
        Table("extra", (Column("id", "integer"), Column("x", "real")), ("id",), clustered=False),
    ),
    (TEXT, TextIndex("extra_text", ("words",))),
)
MIGRATIONS = (
    Migration(2, "notes are louder", ("UPDATE note SET body = body || '!'",)),
    Migration(4, "notes are upper case", ("UPDATE note SET body = upper(body)", "DELETE FROM tag")),
)


class TestUpgrades:
    def test_a_file_of_an_older_schema_gets_what_it_lacks(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        store = SQLiteStore(tmp_path, NEWER)
        with store.account(account_id).read() as tx:
            assert tx.rows("SELECT body, colour, shape FROM note") == [("first", "it's white", None)]
            assert found(tx, "anything") == []
            indexes = {row[0] for row in tx.rows("SELECT name FROM sqlite_schema WHERE type = 'index'")}
            assert indexes >= {"note_colour", "tag_note"}
            assert "note_size" not in indexes
            assert tx.value("SELECT sql FROM sqlite_schema WHERE name = 'tag_note'").startswith("CREATE UNIQUE")

        def work(tx: Writer) -> None:
            tx.text_put("extra_text", 1, ("word",))
            tx.execute("INSERT INTO extra (account, id, x) VALUES (?, 1, 0.5)", tx.account)

        store.account(account_id).write(work)
        assert store.verify(account_id) == []
        store.close()

    def test_an_upgraded_file_plans_like_a_new_one(self, tmp_path: Path) -> None:
        statistics = []
        for path, first in ((tmp_path / "old", SCHEMA), (tmp_path / "new", NEWER)):
            account_id = made(path, schema=first)
            store = SQLiteStore(path, NEWER)
            with store.account(account_id).read() as tx:
                statistics.append(tx.rows("SELECT tbl, idx, stat FROM sqlite_stat1 ORDER BY tbl, idx"))
            store.close()
        assert statistics[0] == statistics[1]

    def test_what_an_older_schema_does_not_know_stays(self, tmp_path: Path) -> None:
        account_id = made(tmp_path, schema=NEWER)
        for schema in (SCHEMA, NEWER):
            store = SQLiteStore(tmp_path, schema)
            store.account(account_id).write(lambda tx: add_note(tx, f"{tx.state('Note')}"))
            assert store.verify(account_id) == []
            store.close()

    def test_migrations_run_once_and_in_order_after_a_copy_was_made(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        for _ in range(2):
            store = SQLiteStore(tmp_path, SCHEMA, migrations=MIGRATIONS)
            assert bodies(store, account_id) == ["FIRST!"]
            store.close()
        copy = account_file(tmp_path, account_id).with_name("account.sqlite.format-1")
        connection = apsw.Connection(str(copy))
        assert connection.execute("SELECT body FROM note").fetchall() == [("first",)]
        connection.close()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600

    def test_only_the_migrations_that_are_missing_run(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        for migrations, expected in ((MIGRATIONS[:1], "first!"), (MIGRATIONS, "FIRST!")):
            store = SQLiteStore(tmp_path, SCHEMA, migrations=migrations)
            assert bodies(store, account_id) == [expected]
            store.close()

    def test_a_new_account_needs_no_migration(self, tmp_path: Path) -> None:
        store = SQLiteStore(tmp_path, SCHEMA, migrations=MIGRATIONS)
        account_id = store.create_account("ann", noting("first"))
        assert bodies(store, account_id) == ["first"]
        store.close()

    def test_a_migration_that_fails_leaves_the_file_as_it_was(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        broken = (*MIGRATIONS, Migration(5, "broken", ("UPDATE nothing SET at = all",)))
        store = SQLiteStore(tmp_path, SCHEMA, migrations=broken)
        with pytest.raises(StoreError, match="nothing"):
            bodies(store, account_id)
        store.close()
        store = SQLiteStore(tmp_path, SCHEMA)
        assert bodies(store, account_id) == ["first"]
        store.close()

    def test_a_file_of_a_newer_version_is_refused(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        store = SQLiteStore(tmp_path, SCHEMA, migrations=MIGRATIONS)
        bodies(store, account_id)
        store.close()
        store = SQLiteStore(tmp_path, SCHEMA)
        with pytest.raises(StoreDamaged, match="newer version"):
            bodies(store, account_id)
        store.close()

    def test_a_file_that_is_not_ours_is_refused(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        change(account_file(tmp_path, account_id), "PRAGMA application_id = 1")
        store = SQLiteStore(tmp_path, SCHEMA)
        with pytest.raises(StoreDamaged, match="not the database of an account"):
            bodies(store, account_id)
        store.close()

    @pytest.mark.parametrize(
        ("changed", "complaint"),
        [
            (replace(NOTE, columns=(*NOTE.columns, Column("late", "text"))), "late"),
            (replace(NOTE, columns=(*NOTE.columns[:2], Column("size", "text"))), "size"),
            (replace(NOTE, columns=(NOTE.columns[0],), indexes=()), "body"),
            (replace(NOTE, clustered=True), "key"),
            (replace(TAG, key=("note", "name")), "key"),
        ],
    )
    def test_what_cannot_be_fitted_is_refused(self, tmp_path: Path, changed: Table, complaint: str) -> None:
        account_id = made(tmp_path)
        store = SQLiteStore(tmp_path, Schema((changed,)))
        with pytest.raises(StoreDamaged, match=complaint):
            bodies(store, account_id)
        store.close()

    def test_a_text_index_of_other_columns_is_refused(self, tmp_path: Path) -> None:
        account_id = made(tmp_path)
        store = SQLiteStore(tmp_path, Schema((NOTE,), (replace(TEXT, columns=("body",)),)))
        with pytest.raises(StoreDamaged, match="note_text"):
            bodies(store, account_id)
        store.close()


class TestSchemas:
    @pytest.mark.parametrize(
        "table",
        [
            Table("store_thing", NOTE.columns, ("id",)),
            Table("no such", NOTE.columns, ("id",)),
            Table('x"; DROP TABLE y', NOTE.columns, ("id",)),
            Table("fine", (Column("Not", "text"),), ("Not",)),
            Table("fine", NOTE.columns, ("id",), (Index("not fine", ("id",)),)),
            Table("fine", NOTE.columns, ("id", "body"), clustered=False),
            Table("fine", NOTE.columns, ("body",), clustered=False),
        ],
    )
    def test_names_and_keys_that_cannot_be_are_refused(self, tmp_path: Path, table: Table) -> None:
        with pytest.raises(ValueError, match=r"fine|no such|store_thing|DROP|Not"):
            SQLiteStore(tmp_path, Schema((table,)))
        assert not (tmp_path / "accounts").exists()

    def test_words_of_sql_may_be_names(self, tmp_path: Path) -> None:
        columns = (Column("order", "integer"), Column("group", "text", default=""), Column("x", "blob", default=b"\0"))
        schema = Schema((Table("table", columns, ("order",), (Index("index", ("group",), where='"group" > 0'),)),))
        store = SQLiteStore(tmp_path, schema)
        account = store.account(store.create_account("ann", nothing))
        account.write(lambda tx: tx.execute('INSERT INTO "table" (account, "order") VALUES (?, 1)', tx.account))
        with account.read() as tx:
            assert tx.rows('SELECT * FROM "table"') == [(tx.account, 1, "", b"\0")]
        store.close()

    def test_kinds_are_enforced(self, tmp_path: Path) -> None:
        store = SQLiteStore(tmp_path, SCHEMA)
        account = store.account(store.create_account("ann", nothing))
        wrong: list[Callable[[], object]] = [
            lambda: account.write(lambda tx: tx.execute("INSERT INTO tag VALUES (1, 'x', 'text')")),
            lambda: account.write(lambda tx: tx.execute("INSERT INTO tag VALUES (1, NULL, 1)")),
            lambda: account.write(lambda tx: tx.execute("INSERT INTO tag VALUES (2, 'x', 1)")),
        ]
        for work in wrong:
            with pytest.raises(StoreError):
                work()
        store.close()
