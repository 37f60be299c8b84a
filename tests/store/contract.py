"""What every driver of the store's port must do. A driver's test module subclasses `StoreContract`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jmaplite.store import (
    Account,
    Change,
    Column,
    Index,
    Reader,
    Schema,
    Store,
    Table,
    TextIndex,
    UnknownAccount,
    Words,
    Writer,
)

SCHEMA = Schema(
    tables=(
        Table(
            "note",
            (
                Column("id", "integer"),
                Column("body", "text"),
                Column("size", "integer", null=True),
                Column("data", "blob", null=True),
                Column("score", "real", null=True),
            ),
            ("id",),
            (Index("note_size", ("size",)), Index("note_body", ("body",), unique=True)),
            clustered=False,
        ),
        Table(
            "tag",
            (Column("name", "text"), Column("note", "integer")),
            ("name", "note"),
            (Index("tag_note", ("note",)),),
        ),
    ),
    texts=(TextIndex("note_text", ("subject", "body")),),
)

PATIENCE = 30.0
"""Seconds after which a thread that should have moved counts as hung."""


class Refused(Exception):
    """Raised by work that wants to be undone."""


def nothing(tx: Writer) -> None:
    """An account left empty."""


def add_note(tx: Writer, body: str, size: int | None = None) -> int:
    """Make a note; answers its id, which is its change value."""
    number = tx.change("Note")
    tx.execute("INSERT INTO note (account, id, body, size) VALUES (?, ?, ?, ?)", tx.account, number, body, size)
    return number


def noting(body: str) -> Callable[[Writer], None]:
    """Work that makes a note."""

    def work(tx: Writer) -> None:
        add_note(tx, body)

    return work


@contextmanager
def undone(tx: Writer) -> Iterator[None]:
    """A savepoint that is undone at its end."""
    with suppress(Refused), tx.savepoint():
        yield
        raise Refused


def notes(tx: Reader) -> list[str]:
    """The bodies of all notes, in the order they were made."""
    return [row[0] for row in tx.rows("SELECT body FROM note WHERE account = ? ORDER BY id", tx.account)]


def found(tx: Reader, *phrases: str, columns: tuple[str, ...] = ()) -> list[int]:
    """Keys of the texts that have all phrases, newest first."""
    match = tx.match("note_text", Words(tuple(tuple(phrase.split()) for phrase in phrases), columns))
    sql = f"SELECT {match.key} FROM {match.source} WHERE {match.where} ORDER BY {match.key} DESC"
    return [row[0] for row in tx.rows(sql, *match.parameters)]


class StoreContract:
    """The truths about a store; `opened` opens a new one, empty, with SCHEMA."""

    opened: Callable[[], AbstractContextManager[Store]]

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with self.opened() as store:
            yield store

    @pytest.fixture
    def account(self, store: Store) -> Account:
        return store.account(store.create_account("ann", nothing))


class AccountTruths(StoreContract):
    def test_values_that_were_left_out_are_never_used(self, store: Store) -> None:
        account = store.account(store.create_account("ann", noting("welcome")))
        account.write(lambda tx: tx.skip(1000))
        account.write(noting("again"))
        with account.read() as tx:
            assert (tx.state("Note"), notes(tx)) == (1002, ["welcome", "again"])

    def test_an_account_is_filled_before_anybody_sees_it(self, store: Store) -> None:
        account_id = store.create_account("ann", noting("welcome"))
        with store.account(account_id).read() as tx:
            assert notes(tx) == ["welcome"]
            assert tx.account_id == account_id
            assert tx.state("Note") == 1

    def test_fill_knows_the_id_of_the_account_that_it_fills(self, store: Store) -> None:
        seen: list[str] = []
        assert store.create_account("ann", lambda tx: seen.append(tx.account_id)) == seen[0]

    def test_making_the_account_of_an_owner_again_answers_the_first(self, store: Store) -> None:
        first = store.create_account("ann", nothing)
        assert store.create_account("ann", lambda tx: pytest.fail("filled again")) == first
        assert store.account_of("ann") == first

    def test_threads_that_make_the_same_account_get_one(self, store: Store) -> None:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: store.create_account("ann", nothing), range(8)))
        assert len(set(made)) == 1
        assert [info.owner for info in store.accounts()] == ["ann"]

    def test_accounts_are_listed_by_id(self, store: Store) -> None:
        made = {store.create_account(owner, nothing): owner for owner in ("ann", "bob", "Ünicode \U0001f600")}
        assert [(info.id, info.owner) for info in store.accounts()] == sorted(made.items())

    def test_an_owner_without_account_has_none(self, store: Store) -> None:
        assert store.account_of("nobody") is None

    @pytest.mark.parametrize("name", ["nobody", "", "../accounts", "u\0", "é" * 300])
    def test_an_unknown_account_raises(self, store: Store, name: str) -> None:
        with pytest.raises(UnknownAccount):
            store.account(name)

    def test_an_account_whose_filling_fails_is_not_made(self, store: Store) -> None:
        def fill(tx: Writer) -> None:
            add_note(tx, "lost")
            raise Refused

        with pytest.raises(Refused):
            store.create_account("ann", fill)
        assert store.account_of("ann") is None
        assert store.accounts() == []
        with store.account(store.create_account("ann", nothing)).read() as tx:
            assert notes(tx) == []

    def test_accounts_do_not_see_each_other(self, store: Store) -> None:
        ann, bob = (store.account(store.create_account(owner, nothing)) for owner in ("ann", "bob"))
        ann.write(lambda tx: add_note(tx, "mine"))
        with bob.read() as tx:
            assert notes(tx) == []
            assert tx.state("Note") == 0

    def test_a_new_account_is_sound(self, store: Store, account: Account) -> None:
        account.write(lambda tx: tx.text_put("note_text", 1, ("some", "words")))
        assert store.verify(account.id) == []

    def test_the_epoch_is_a_word(self, store: Store) -> None:
        assert store.epoch.isalnum()


class SnapshotTruths(StoreContract):
    def test_values_come_back_as_they_were_put_in(self, account: Account) -> None:
        row = (7, "héllo\n\U0001f600", -(2**63), b"\x00\xff", 0.1)

        def work(tx: Writer) -> None:
            tx.execute(
                "INSERT INTO note (account, id, body, size, data, score) VALUES (?, ?, ?, ?, ?, ?)",
                tx.account,
                *row,
            )

        account.write(work)
        with account.read() as tx:
            sql = "SELECT id, body, size, data, score FROM note WHERE account = ? AND id = ?"
            assert tx.row(sql, tx.account, 7) == row
            assert tx.rows(sql, tx.account, 7) == [row]
            assert tx.value(sql, tx.account, 7) == 7
            assert (
                tx.rows(sql, tx.account, 8),
                tx.row(sql, tx.account, 8),
                tx.value(sql, tx.account, 8),
            ) == (
                [],
                None,
                None,
            )

    def test_a_snapshot_does_not_see_later_commits(self, account: Account) -> None:
        account.write(lambda tx: add_note(tx, "old"))
        with account.read() as tx:
            assert notes(tx) == ["old"]
            account.write(lambda other: add_note(other, "new"))
            assert notes(tx) == ["old"]
            assert tx.state("Note") == 1
        with account.read() as tx:
            assert notes(tx) == ["old", "new"]

    def test_nothing_of_a_transaction_is_seen_before_its_end(self, account: Account) -> None:
        def work(tx: Writer) -> None:
            add_note(tx, "half")
            with account.read() as other:
                assert notes(other) == []
                assert other.state("Note") == 0
            assert notes(tx) == ["half"]

        account.write(work)

    def test_snapshots_may_be_open_at_the_same_time(self, account: Account) -> None:
        with account.read() as first, account.read() as second:
            assert notes(first) == notes(second) == []

    def test_a_snapshot_that_is_over_cannot_be_used(self, account: Account) -> None:
        with account.read() as tx:
            pass
        with pytest.raises(RuntimeError):
            notes(tx)

    def test_an_error_inside_a_snapshot_comes_out_and_the_account_still_serves(self, account: Account) -> None:
        with pytest.raises(Exception, match="no_such_table"), account.read() as tx:
            tx.rows("SELECT * FROM no_such_table")
        account.write(lambda tx: add_note(tx, "later"))


class WriteTruths(StoreContract):
    def test_a_write_answers_what_the_work_answered(self, account: Account) -> None:
        assert account.write(lambda tx: "done") == "done"

    def test_work_that_raises_is_undone_and_its_exception_comes_out(self, account: Account) -> None:
        def work(tx: Writer) -> None:
            add_note(tx, "never")
            tx.text_put("note_text", 1, ("never", ""))
            raise Refused

        with pytest.raises(Refused):
            account.write(work)
        with account.read() as tx:
            assert notes(tx) == []
            assert found(tx, "never") == []
            assert tx.state("Note") == 0

    def test_many_rows_are_put_in_at_once_and_may_come_from_the_table_itself(self, account: Account) -> None:
        def work(tx: Writer) -> None:
            insert = "INSERT INTO note (account, id, body) VALUES (?, ?, ?)"
            tx.executemany(insert, ((tx.account, number, str(number)) for number in range(3)))
            tx.executemany(insert, ((tx.account, number + 3, body(tx, number)) for number in range(3)))

        def body(tx: Writer, number: int) -> str:
            return f"{tx.value('SELECT body FROM note WHERE account = ? AND id = ?', tx.account, number)}!"

        account.write(work)
        with account.read() as tx:
            assert notes(tx) == ["0", "1", "2", "0!", "1!", "2!"]

    def test_a_writer_that_is_over_cannot_be_used(self, account: Account) -> None:
        kept: list[Writer] = []
        account.write(kept.append)
        for use in (
            lambda: notes(kept[0]),
            lambda: kept[0].change("Note"),
            lambda: kept[0].executemany("DELETE FROM note WHERE account = ?", [(1,)]),
        ):
            with pytest.raises(RuntimeError):
                use()

    def test_a_write_inside_a_write_is_refused(self, account: Account) -> None:
        with pytest.raises(RuntimeError, match="inside"):
            account.write(lambda tx: account.write(nothing))
        account.write(nothing)

    def test_a_broken_statement_undoes_the_work_and_harms_nobody(self, account: Account) -> None:
        def work(tx: Writer) -> None:
            add_note(tx, "never")
            tx.execute("INSERT INTO no_such_table VALUES (?)", 1)

        with pytest.raises(Exception, match="no_such_table"):
            account.write(work)
        account.write(lambda tx: add_note(tx, "later"))
        with account.read() as tx:
            assert notes(tx) == ["later"]

    def test_a_unique_index_keeps_what_it_promises(self, account: Account) -> None:
        account.write(lambda tx: add_note(tx, "same"))
        with pytest.raises(Exception, match=r"(?i)unique"):
            account.write(lambda tx: add_note(tx, "same"))


class TicketTruths(StoreContract):
    def test_a_ticket_is_taken_once(self, store: Store) -> None:
        store.keep_ticket(b"digest", "value", expires=60, now=0)
        assert store.take_ticket(b"other", now=1) is None
        assert store.take_ticket(b"digest", now=59) == "value"
        assert store.take_ticket(b"digest", now=59) is None

    def test_a_ticket_that_has_expired_is_none(self, store: Store) -> None:
        store.keep_ticket(b"digest", "value", expires=60, now=0)
        assert store.take_ticket(b"digest", now=60) is None

    def test_of_many_who_take_a_ticket_one_gets_it(self, store: Store) -> None:
        store.keep_ticket(b"digest", "value", expires=60, now=0)
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda _: store.take_ticket(b"digest", 1), range(32)))
        assert sorted(taken, key=bool) == [*([None] * 31), "value"]


class CounterTruths(StoreContract):
    def test_the_counter_rises_by_one_for_each_change_of_any_type(self, account: Account) -> None:
        assert account.write(lambda tx: [tx.change(name) for name in ("A", "B")]) == [1, 2]
        assert account.write(lambda tx: tx.change("A")) == 3
        with account.read() as tx:
            assert [tx.state(name) for name in ("A", "B", "C")] == [3, 2, 0]

    def test_the_states_of_all_types_are_read_at_once(self, account: Account) -> None:
        def work(tx: Writer) -> dict[str, int]:
            tx.change("A"), tx.change("B"), tx.change("A")
            return dict(tx.states())

        assert account.write(work) == {"A": 3, "B": 2}
        with account.read() as tx:
            assert tx.states() == {"A": 3, "B": 2}

    def test_a_writer_sees_its_own_changes_in_the_state(self, account: Account) -> None:
        assert account.write(lambda tx: (tx.state("A"), tx.change("A"), tx.state("A"))) == (0, 1, 1)

    def test_values_are_never_used_twice_by_threads(self, account: Account) -> None:
        with ThreadPoolExecutor(8) as pool:
            values = list(pool.map(lambda _: account.write(lambda tx: tx.change("A")), range(200)))
        assert sorted(values) == list(range(1, 201))

    def test_a_thread_sees_the_counter_rise_from_write_to_write(self, account: Account) -> None:
        def values(_: int) -> list[int]:
            return [account.write(lambda tx: tx.change("A")) for _ in range(20)]

        with ThreadPoolExecutor(4) as pool:
            for seen in pool.map(values, range(4)):
                assert seen == sorted(set(seen))


class EndTruths(StoreContract):
    def test_callbacks_run_in_order_before_the_work_ends(self, account: Account) -> None:
        def work(tx: Writer) -> None:
            tx.scratch["names"] = ["first", "second"]
            tx.at_end(lambda: noting(tx.scratch["names"][0])(tx))
            tx.at_end(lambda: noting(tx.scratch["names"][1])(tx))
            add_note(tx, "work")

        account.write(work)
        with account.read() as tx:
            assert notes(tx) == ["work", "first", "second"]

    def test_a_callback_may_ask_for_another(self, account: Account) -> None:
        calls: list[str] = []

        def first(tx: Writer) -> None:
            calls.append("first")
            tx.at_end(lambda: calls.append("second"))

        account.write(lambda tx: tx.at_end(lambda: first(tx)))
        assert calls == ["first", "second"]

    def test_each_callback_runs_once_also_when_savepoints_follow(self, account: Account) -> None:
        calls: list[str] = []

        def work(tx: Writer) -> None:
            tx.at_end(lambda: calls.append("before"))
            tx.scratch["gathered"] = True
            with tx.savepoint():
                assert calls == ["before"]
                assert tx.scratch == {}
                tx.at_end(lambda: calls.append("inside"))
                tx.scratch["gathered"] = True
            assert calls == ["before", "inside"]
            assert tx.scratch == {}

        account.write(work)
        assert calls == ["before", "inside"]

    def test_a_callback_that_raises_undoes_the_work(self, account: Account) -> None:
        def refuse() -> None:
            raise Refused

        def work(tx: Writer) -> None:
            add_note(tx, "never")
            tx.at_end(refuse)

        with pytest.raises(Refused):
            account.write(work)
        with account.read() as tx:
            assert notes(tx) == []

    def test_work_that_raises_runs_no_callbacks(self, account: Account) -> None:
        def work(tx: Writer) -> None:
            tx.at_end(lambda: pytest.fail("called"))
            raise Refused

        with pytest.raises(Refused):
            account.write(work)

    def test_scratch_and_callbacks_are_not_shared_between_writes(self, account: Account) -> None:
        account.write(lambda tx: tx.scratch.update(left="over"))
        assert account.write(lambda tx: dict(tx.scratch)) == {}


class SavepointTruths(StoreContract):
    def test_a_savepoint_that_raises_is_undone_and_the_rest_stays(self, account: Account) -> None:
        def work(tx: Writer) -> list[int]:
            numbers = [add_note(tx, "before")]
            with undone(tx):
                add_note(tx, "inside")
                tx.change("Other")
                tx.scratch["inside"] = True
            assert tx.scratch == {}
            assert tx.state("Other") == 0
            return [*numbers, add_note(tx, "after")]

        assert account.write(work) == [1, 2]
        with account.read() as tx:
            assert notes(tx) == ["before", "after"]
            assert (tx.state("Note"), tx.state("Other")) == (2, 0)

    def test_savepoints_nest(self, account: Account) -> None:
        def work(tx: Writer) -> None:
            with tx.savepoint():
                add_note(tx, "outer")
                with undone(tx):
                    add_note(tx, "inner")
                with tx.savepoint():
                    add_note(tx, "second")

        account.write(work)
        with account.read() as tx:
            assert notes(tx) == ["outer", "second"]

    def test_an_outer_savepoint_takes_the_inner_with_it(self, account: Account) -> None:
        def work(tx: Writer) -> int:
            with undone(tx), tx.savepoint():
                add_note(tx, "inner")
            return tx.change("Note")

        assert account.write(work) == 1

    def test_a_callback_that_raises_undoes_the_savepoint(self, account: Account) -> None:
        def refuse() -> None:
            raise Refused

        def work(tx: Writer) -> None:
            with suppress(Refused), tx.savepoint():
                add_note(tx, "inside")
                tx.at_end(refuse)

        account.write(work)
        with account.read() as tx:
            assert notes(tx) == []


STEP = st.tuples(st.sampled_from(["keep", "undo part"]), st.integers(1, 3))
WORK = st.tuples(st.lists(STEP, max_size=3), st.booleans())


class GroupTruths(StoreContract):
    @settings(max_examples=20)
    @given(st.lists(st.lists(WORK, max_size=4), min_size=1, max_size=4))
    def test_each_work_is_all_there_or_not_at_all(self, plan: list[list[Any]]) -> None:
        """Threads write at once; some work raises, some undoes a part: what is there is what succeeded."""
        with self.opened() as store:
            account = store.account(store.create_account("ann", nothing))
            with ThreadPoolExecutor(len(plan)) as pool:
                threads = [pool.submit(self._thread, account, n, works) for n, works in enumerate(plan)]
                kept = {body: value for thread in threads for body, value in thread.result(PATIENCE).items()}
            with account.read() as tx:
                rows = tx.rows("SELECT body, id FROM note WHERE account = ? ORDER BY id", tx.account)
                assert dict(rows) == kept
                assert tx.state("Note") == max(kept.values(), default=0)
            assert store.verify(account.id) == []

    def _thread(self, account: Account, thread: int, works: list[Any]) -> dict[str, int]:
        kept: dict[str, int] = {}
        for number, (steps, fails) in enumerate(works):
            work = partial(self._work, name=(thread, number), steps=steps, fails=fails)
            with pytest.raises(Refused) if fails else nullcontext():
                kept.update(account.write(work))
        return kept

    def _work(self, tx: Writer, name: tuple[int, int], steps: list[Any], fails: bool) -> dict[str, int]:
        kept: dict[str, int] = {}
        for step, (kind, count) in enumerate(steps):
            bodies = [f"{name} {step} {number}" for number in range(count)]
            if kind == "keep":
                kept.update({body: add_note(tx, body) for body in bodies})
                continue
            with undone(tx):
                for body in bodies:
                    add_note(tx, body)
        if fails:
            raise Refused
        return kept

    def test_readers_beside_writers_see_whole_transactions(self, account: Account) -> None:
        def pair(tx: Writer) -> None:
            number = add_note(tx, f"{tx.state('Note')} left")
            add_note(tx, f"{number} right")

        def look(_: int) -> bool:
            with account.read() as tx:
                return len(notes(tx)) % 2 == 0 and tx.state("Note") == len(notes(tx))

        with ThreadPoolExecutor(6) as pool:
            writes = [pool.submit(account.write, pair) for _ in range(40)]
            assert all(pool.map(look, range(80)))
            for write in writes:
                write.result(PATIENCE)


class FeedTruths(StoreContract):
    def test_a_commit_is_announced_with_the_types_that_changed(self, store: Store, account: Account) -> None:
        heard: list[Change] = []
        store.feed.listen(heard.append)
        account.write(lambda tx: (tx.change("A"), tx.change("B"), tx.change("A")))
        account.write(lambda tx: tx.change("B"))
        assert [(change.account_id, dict(change.types)) for change in heard] == [
            (account.id, {"A": 3, "B": 2}),
            (account.id, {"B": 4}),
        ]

    def test_what_is_announced_can_be_read(self, store: Store, account: Account) -> None:
        seen: list[list[str]] = []

        def look(change: Change) -> None:
            with account.read() as tx:
                seen.append(notes(tx))

        store.feed.listen(look)
        account.write(lambda tx: add_note(tx, "there"))
        assert seen == [["there"]]

    def test_undone_work_is_not_announced(self, store: Store, account: Account) -> None:
        heard: list[Change] = []
        store.feed.listen(heard.append)

        def work(tx: Writer) -> None:
            tx.change("A")
            raise Refused

        def part(tx: Writer) -> None:
            with undone(tx):
                tx.change("A")

        with pytest.raises(Refused):
            account.write(work)
        account.write(part)
        account.write(nothing)
        assert heard == []

    def test_a_new_account_is_announced(self, store: Store) -> None:
        heard: list[Change] = []
        store.feed.listen(heard.append)
        account_id = store.create_account("bob", noting("welcome"))
        assert [(change.account_id, dict(change.types)) for change in heard] == [(account_id, {"Note": 1})]

    def test_a_listener_that_raises_disturbs_neither_writers_nor_listeners(
        self, store: Store, account: Account, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(change: Change) -> None:
            raise Refused("listener")

        heard: list[Change] = []
        store.feed.listen(refuse)
        store.feed.listen(heard.append)
        assert account.write(lambda tx: tx.change("A")) == 1
        assert len(heard) == 1
        assert "listener" in caplog.text

    def test_whoever_stops_listening_hears_no_more(self, store: Store, account: Account) -> None:
        heard: list[Change] = []
        stop_first = store.feed.listen(heard.append)
        stop_second = store.feed.listen(heard.append)
        stop_first()
        stop_first()
        account.write(lambda tx: tx.change("A"))
        assert len(heard) == 1
        stop_second()
        account.write(lambda tx: tx.change("A"))
        assert len(heard) == 1

    def test_a_listener_that_writes_to_the_account_is_refused(self, store: Store, account: Account) -> None:
        errors: list[Exception] = []

        def write(change: Change) -> None:
            try:
                account.write(nothing)
            except RuntimeError as error:
                errors.append(error)

        store.feed.listen(write)
        account.write(lambda tx: tx.change("A"))
        assert len(errors) == 1

    def test_everything_durable_has_been_announced_when_the_writers_return(
        self, store: Store, account: Account
    ) -> None:
        lock, highest = threading.Lock(), [0]

        def hear(change: Change) -> None:
            with lock:
                highest[0] = max(highest[0], change.types["A"])

        def write(_: int) -> bool:
            value = account.write(lambda tx: tx.change("A"))
            with lock:
                return highest[0] >= value

        store.feed.listen(hear)
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(write, range(100)))
