"""Kept counts over an ordered list, so that position, anchor, total and index do not walk it.

A list is the rows of some table in the order of an integer key. `list_block` keeps how many of them lie in each block
of that order (level 0) and how many in each group of blocks (level 1); a block that grows too long is split. Looking
something up reads a few dozen rows, whatever the length of the list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from jmaplite.store import Column, Reader, Table, Value, Writer

LIST_BLOCK = Table(
    "list_block",
    (Column("list", "text"), Column("level", "integer"), Column("first", "integer"), Column("n", "integer")),
    ("list", "level", "first"),
)

_BLOCK = 256
_GROUP = 128
_LOWEST = -(1 << 63)

_FLOOR = "SELECT max(first) FROM list_block WHERE account=? AND list=? AND level=? AND first<=?"
_SUM = "SELECT coalesce(sum(n), 0) FROM list_block WHERE account=? AND list=? AND level=? AND first>=? AND first<?"
_ADD = "UPDATE list_block SET n=n+? WHERE account=? AND list=? AND level=? AND first=?"
_COUNT = "SELECT n FROM list_block WHERE account=? AND list=? AND level=0 AND first=?"
_NEXT_GROUP = "SELECT min(first) FROM list_block WHERE account=? AND list=? AND level=1 AND first>?"
_BLOCKS = (
    "SELECT first, n FROM list_block WHERE account=? AND list=? AND level=? AND first>=? AND first<? ORDER BY first"
)
_PUT = "INSERT INTO list_block (account, list, level, first, n) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class ListSource:
    """Where the entries of a list are: a table, its key column, and the condition that makes the list."""

    name: str
    table: str
    key: str
    where: str = "1=1"
    parameters: tuple[Value, ...] = ()

    def condition(self) -> str:
        """The SQL condition of an entry, the account first."""
        return f"account=? AND {self.where}"


class Ranks:
    """Order statistics of one list in one snapshot."""

    def __init__(self, tx: Reader, source: ListSource) -> None:
        self.tx = tx
        self.source = source

    def total(self) -> int:
        """How many entries the list has."""
        tx = self.tx
        return int(tx.value(_SUM, tx.account, self.source.name, 1, _LOWEST, 1 << 62))

    def rank(self, key: int) -> int:
        """How many entries come before a key."""
        tx, name = self.tx, self.source.name
        block = tx.value(_FLOOR, tx.account, name, 0, key)
        if block is None:
            return 0
        group = tx.value(_FLOOR, tx.account, name, 1, key)
        before = tx.value(_SUM, tx.account, name, 1, _LOWEST, group)
        before += tx.value(_SUM, tx.account, name, 0, group, block)
        source = self.source
        sql = f"SELECT count(*) FROM {source.table} WHERE {source.condition()} AND {source.key}>=? AND {source.key}<?"
        return int(before + tx.value(sql, tx.account, *source.parameters, block, key))

    def select(self, index: int) -> int | None:
        """The key of the entry at an index (from 0, in ascending order), or None beyond either end."""
        if index < 0:
            return None
        group, left = self._descend(1, _LOWEST, 1 << 62, index)
        if group is None:
            return None
        tx = self.tx
        end = tx.value(
            _NEXT_GROUP,
            tx.account,
            self.source.name,
            group,
        )
        block, left = self._descend(0, group, 1 << 62 if end is None else end, left)
        if block is None:
            return None
        source = self.source
        sql = (
            f"SELECT {source.key} FROM {source.table} WHERE {source.condition()} AND {source.key}>=?"
            f" ORDER BY {source.key} LIMIT 1 OFFSET ?"
        )
        found = tx.value(sql, tx.account, *source.parameters, block, left)
        return None if found is None else int(found)

    def _descend(self, level: int, start: int, end: int, index: int) -> tuple[int | None, int]:
        rows = self.tx.rows(
            _BLOCKS,
            self.tx.account,
            self.source.name,
            level,
            start,
            end,
        )
        for first, n in rows:
            if index < n:
                return first, index
            index -= n
        return None, 0


def adjust(tx: Writer, source: ListSource, deltas: Iterable[tuple[int, int]]) -> None:
    """Add to the counts what entered (+1) or left (-1) a list; the rows themselves must have been written before."""
    touched: dict[int, int] = {}
    for key, delta in deltas:
        block = tx.value(_FLOOR, tx.account, source.name, 0, key)
        if block is None:
            for level in (0, 1):
                tx.execute(_PUT, tx.account, source.name, level, _LOWEST, 0)
            block = _LOWEST
        touched[block] = touched.get(block, 0) + delta
    for block, delta in touched.items():
        if delta:
            _add(tx, source, block, delta)


def _add(tx: Writer, source: ListSource, block: int, delta: int) -> None:
    name = source.name
    group = tx.value(_FLOOR, tx.account, name, 1, block)
    tx.execute(_ADD, delta, tx.account, name, 0, block)
    tx.execute(_ADD, delta, tx.account, name, 1, group)
    n = tx.value(_COUNT, tx.account, name, block)
    if n > _BLOCK:
        _split_block(tx, source, block, n)
        _split_group(tx, name, group)
    elif n == 0 and block != group:
        tx.execute(
            "DELETE FROM list_block WHERE account=? AND list=? AND level=0 AND first=?",
            tx.account,
            name,
            block,
        )


def _split_block(tx: Writer, source: ListSource, block: int, n: int) -> None:
    sql = (
        f"SELECT {source.key} FROM {source.table} WHERE {source.condition()} AND {source.key}>=?"
        f" ORDER BY {source.key} LIMIT 1 OFFSET ?"
    )
    half = _BLOCK // 2
    while n > _BLOCK:
        middle = tx.value(sql, tx.account, *source.parameters, block, half)
        tx.execute(_ADD, half - n, tx.account, source.name, 0, block)
        tx.execute(_PUT, tx.account, source.name, 0, middle, n - half)
        block, n = middle, n - half


def _split_group(tx: Writer, name: str, group: int) -> None:
    while True:
        end = tx.value(
            _NEXT_GROUP,
            tx.account,
            name,
            group,
        )
        blocks = tx.rows(
            _BLOCKS,
            tx.account,
            name,
            0,
            group,
            1 << 62 if end is None else end,
        )
        if len(blocks) <= _GROUP:
            return
        moved = blocks[_GROUP // 2 :]
        n = sum(count for _, count in moved)
        tx.execute(_ADD, -n, tx.account, name, 1, group)
        tx.execute(_PUT, tx.account, name, 1, moved[0][0], n)
        group = moved[0][0]


def recount(tx: Writer, source: ListSource) -> None:
    """Count a list anew from its rows."""
    forget(tx, source)
    sql = f"SELECT {source.key} FROM {source.table} WHERE {source.condition()} ORDER BY {source.key}"
    adjust(tx, source, [(row[0], 1) for row in tx.rows(sql, tx.account, *source.parameters)])


def forget(tx: Writer, source: ListSource) -> None:
    """Let go of the counts of a list that is no more."""
    tx.execute("DELETE FROM list_block WHERE account=? AND list=?", tx.account, source.name)


def faults(tx: Reader, source: ListSource) -> list[str]:
    """What is wrong with the kept counts of a list, a sentence each."""
    real = tx.value(f"SELECT count(*) FROM {source.table} WHERE {source.condition()}", tx.account, *source.parameters)
    found = []
    for level in (0, 1):
        rows = tx.rows(
            "SELECT first, n FROM list_block WHERE account=? AND list=? AND level=? ORDER BY first",
            tx.account,
            source.name,
            level,
        )
        if sum(n for _, n in rows) != real:
            found.append(f"list {source.name}: level {level} counts {sum(n for _, n in rows)} of {real} entries")
            continue
        for (first, n), (after, _) in pairwise([*rows, (1 << 62, 0)]):
            sql = (
                f"SELECT count(*) FROM {source.table} WHERE {source.condition()} AND {source.key}>=? AND {source.key}<?"
            )
            inside = tx.value(sql, tx.account, *source.parameters, first, after)
            if inside != n:
                found.append(f"list {source.name}: block {first} of level {level} counts {n}, has {inside}")
    return found
