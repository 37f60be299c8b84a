"""Kept counts over an ordered list: they agree with counting, and looking up costs the same for any length."""

from __future__ import annotations

import bisect
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jmaplite.core import ranks
from jmaplite.core.ranks import LIST_BLOCK, ListSource, Ranks, adjust, faults, forget, recount
from jmaplite.store import Account, Column, Reader, Schema, Table, Writer
from jmaplite.store.sqlite import SQLiteStore

ENTRY = Table("entry", (Column("box", "integer"), Column("place", "integer")), ("box", "place"))
SOURCE = ListSource("box 1", "entry", "place", "box=?", (1,))


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    store = SQLiteStore(tmp_path, Schema((LIST_BLOCK, ENTRY)))
    yield store.account(store.create_account("owner", lambda tx: None))
    store.close()


def enter(tx: Writer, places: list[int]) -> None:
    tx.executemany(
        "INSERT INTO entry (account, box, place) VALUES (?, 1, ?)", [(tx.account, place) for place in places]
    )
    adjust(tx, SOURCE, [(place, 1) for place in places])


def leave(tx: Writer, places: list[int]) -> None:
    tx.executemany("DELETE FROM entry WHERE account=? AND box=1 AND place=?", [(tx.account, place) for place in places])
    adjust(tx, SOURCE, [(place, -1) for place in places])


def expect(tx: Reader, places: list[int], keys: list[int]) -> None:
    found = Ranks(tx, SOURCE)
    assert faults(tx, SOURCE) == []
    assert found.total() == len(places)
    for key in keys:
        assert found.rank(key) == bisect.bisect_left(places, key)
    for index in {-2, -1, 0, 1, len(places) // 2, len(places) - 1, len(places), len(places) + 5}:
        assert found.select(index) == (places[index] if 0 <= index < len(places) else None)


key = st.integers(-(1 << 61), (1 << 61))
step = st.tuples(st.booleans(), st.lists(st.one_of(st.integers(0, 60), key), min_size=1, max_size=30, unique=True))


@settings(max_examples=60)
@given(steps=st.lists(step, max_size=12))
def test_ranks_agree_with_counting(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, list[int]]]
) -> None:
    """With blocks so small that they are split and emptied all the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "_BLOCK", 4)
        patch.setattr(ranks, "_GROUP", 4)
        store = SQLiteStore(tmp_path_factory.mktemp("ranks"), Schema((LIST_BLOCK, ENTRY)))
        account = store.account(store.create_account("owner", lambda tx: None))
        places: list[int] = []
        for entering, keys in steps:
            chosen = [one for one in keys if (one in places) != entering]
            account.write(lambda tx, move=enter if entering else leave, chosen=chosen: move(tx, chosen))  # type: ignore[misc]
            places = sorted({*places, *chosen}) if entering else [one for one in places if one not in chosen]
            with account.read() as tx:
                expect(tx, places, keys)
        store.close()


@pytest.mark.parametrize("order", ["ascending", "descending", "random"])
def test_a_long_list_is_right_whatever_the_order_it_grew_in(account: Account, order: str) -> None:
    places = list(range(0, 60_000, 2))
    growing = {"ascending": places, "descending": places[::-1], "random": random.Random(1).sample(places, len(places))}
    for start in range(0, len(places), 3000):
        account.write(lambda tx, start=start: enter(tx, growing[order][start : start + 3000]))  # type: ignore[misc]
    with account.read() as tx:
        expect(tx, places, [-1, 0, 1, 29_999, 30_000, 59_998, 70_000])


class Counting:
    """A Reader that counts the rows that statements answer and walk over."""

    def __init__(self, tx: Reader) -> None:
        self._tx = tx
        self.account = tx.account
        self.read = 0

    def rows(self, sql: str, *parameters: Any) -> Any:
        found = self._tx.rows(sql, *parameters)
        self.read += len(found)
        return found

    def value(self, sql: str, *parameters: Any) -> Any:
        if "OFFSET" in sql:
            self.read += parameters[-1]
        elif "sum(n)" in sql or "count(*)" in sql:
            walked = sql.replace("coalesce(sum(n), 0)", "count(*)")
            self.read += self._tx.value(walked, *parameters)
        return self._tx.value(sql, *parameters)


def test_looking_up_reads_few_rows_however_long_the_list(account: Account) -> None:
    def cost(index: int) -> int:
        with account.read() as tx:
            counting = Counting(tx)
            found = Ranks(counting, SOURCE)  # type: ignore[arg-type]
            found.total()
            place = found.select(index)
            assert place is not None
            found.rank(place)
            return counting.read

    account.write(lambda tx: enter(tx, list(range(1000))))
    short = max(cost(index) for index in (0, 500, 999))
    for start in range(1000, 100_000, 9000):
        account.write(lambda tx, start=start: enter(tx, list(range(start, start + 9000))))  # type: ignore[misc]
    assert max(cost(index) for index in (0, 500, 50_000, 99_999)) < 3 * short + 300


def test_an_empty_list_has_nothing(account: Account) -> None:
    with account.read() as tx:
        expect(tx, [], [0, -5])
    account.write(lambda tx: enter(tx, [1, 2, 3]))
    account.write(lambda tx: leave(tx, [1, 2, 3]))
    with account.read() as tx:
        expect(tx, [], [0, 2])


def test_counts_that_are_wrong_are_found_and_made_right(account: Account) -> None:
    account.write(lambda tx: enter(tx, list(range(1000))))
    account.write(
        lambda tx: tx.execute("UPDATE list_block SET n=n+1 WHERE account=? AND level=0 AND first>0", tx.account)
    )
    with account.read() as tx:
        assert faults(tx, SOURCE)
    account.write(lambda tx: recount(tx, SOURCE))
    with account.read() as tx:
        expect(tx, list(range(1000)), [0, 500])


def test_a_list_that_is_forgotten_has_no_counts(account: Account) -> None:
    account.write(lambda tx: enter(tx, [1, 2]))
    account.write(lambda tx: forget(tx, SOURCE))
    with account.read() as tx:
        assert tx.rows("SELECT 1 FROM list_block WHERE account=?", tx.account) == []
