"""Snapshots and transactions on one account's SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import apsw

from jmaplite.store.ddl import ACCOUNT
from jmaplite.store.port import Row, StoreError, TextMatch, Value, Words
from jmaplite.store.sqlite_connection import Session, translated
from jmaplite.store.sqlite_text import TextStatements, text_match
from jmaplite.store.words import folded

_STATE = "SELECT value FROM store_type WHERE account = 1 AND type = ?"
_STATES = "SELECT type, value FROM store_type WHERE account = 1"
_SET_STATE = "INSERT OR REPLACE INTO store_type (account, type, value) VALUES (1, ?, ?)"

_SKIPPED = ""
"""Stands for a type where values were left out."""


def states(session: Session) -> dict[str, int]:
    """The highest change value of every type that ever changed."""
    return dict(session.rows(_STATES))


def _ended(*_: object) -> Any:
    raise RuntimeError("the snapshot or transaction is over")


class SQLiteReader:
    """Implements Reader on a session inside a transaction."""

    account: int = ACCOUNT

    def __init__(self, session: Session, account_id: str, texts: Mapping[str, TextStatements]) -> None:
        self.account_id = account_id
        self._execute: Callable[..., apsw.Cursor] = session.execute
        self._texts = texts

    def rows(self, sql: str, *parameters: Value) -> list[Row]:
        """All rows."""
        try:
            return self._execute(sql, parameters).fetchall()
        except apsw.Error as error:
            raise self._failure(error) from error

    def row(self, sql: str, *parameters: Value) -> Row | None:
        """The first row, or None."""
        try:
            return self._execute(sql, parameters).fetchone()
        except apsw.Error as error:
            raise self._failure(error) from error

    def value(self, sql: str, *parameters: Value) -> Any:
        """The first column of the first row, or None."""
        try:
            row = self._execute(sql, parameters).fetchone()
        except apsw.Error as error:
            raise self._failure(error) from error
        return None if row is None else row[0]

    def state(self, type_name: str) -> int:
        """The highest change value of a type; 0 when there never was one."""
        return self.value(_STATE, type_name) or 0

    def states(self) -> dict[str, int]:
        """The highest change value of every type that ever changed."""
        return dict(self.rows(_STATES))

    def match(self, index: str, words: Words) -> TextMatch:
        """Finds words by FTS5; to join, name the key with its source: `source.key`."""
        return text_match(index, self._texts[index].columns, words)

    def end(self) -> None:
        """From now on every use raises RuntimeError."""
        self._execute = _ended

    def _failure(self, error: apsw.Error) -> StoreError:
        return translated(error)


class Ledger:
    """The change values of one transaction: read as it begins, put back by undone parts, written at last."""

    __slots__ = ("before", "counter", "values")

    def __init__(self, session: Session) -> None:
        self.before = states(session)
        self.values = dict(self.before)
        self.counter = max(self.before.values(), default=0)

    def change(self, type_name: str) -> int:
        """The next value, noted for a type."""
        self.counter += 1
        self.values[type_name] = self.counter
        return self.counter

    def skip(self, values: int) -> None:
        """Leave out so many values; they are noted for no type."""
        self.counter += values
        self.values[_SKIPPED] = self.counter

    def mark(self) -> tuple[int, dict[str, int]]:
        """Where the values stand, for `put_back`."""
        return self.counter, dict(self.values)

    def put_back(self, mark: tuple[int, dict[str, int]]) -> None:
        """Forget the changes since a mark."""
        self.counter, values = mark
        self.values = dict(values)

    def write(self, session: Session) -> None:
        """Store the values that rose."""
        before = self.before
        for type_name, value in self.values.items():
            if before.get(type_name) != value:
                session.execute(_SET_STATE, (type_name, value))


class SQLiteWriter(SQLiteReader):
    """Implements Writer for one piece of work inside a transaction."""

    def __init__(self, session: Session, account_id: str, texts: Mapping[str, TextStatements], ledger: Ledger) -> None:
        super().__init__(session, account_id, texts)
        self.scratch: dict[object, Any] = {}
        self._connection = session.connection
        self._ledger = ledger
        self._callbacks: list[Callable[[], None]] = []

    def execute(self, sql: str, *parameters: Value) -> None:
        """Run a statement that yields nothing."""
        try:
            self._execute(sql, parameters)
        except apsw.Error as error:
            raise self._failure(error) from error

    def executemany(self, sql: str, parameters: Iterable[Sequence[Value]]) -> None:
        """Run a statement once for each sequence of parameters; they may come from reading by this writer."""
        if self._execute is _ended:
            _ended()
        try:
            self._connection.executemany(sql, parameters)
        except apsw.Error as error:
            raise self._failure(error) from error

    def state(self, type_name: str) -> int:
        """The highest change value of a type, this transaction's changes included."""
        return self._ledger.values.get(type_name, 0)

    def states(self) -> dict[str, int]:
        """The highest change value of every type, this transaction's changes included."""
        return dict(self._ledger.values)

    def change(self, type_name: str) -> int:
        """Raise the counter for a changed record."""
        if self._execute is _ended:
            _ended()
        return self._ledger.change(type_name)

    def skip(self, values: int) -> None:
        """Leave out values of the counter."""
        self._ledger.skip(values)

    def text_put(self, index: str, key: int, words: Sequence[str]) -> None:
        """Enter a row of words, in place of one of the same key."""
        self.execute(self._texts[index].put, key, *map(folded, words))

    def text_remove(self, index: str, key: int) -> None:
        """Take a row out of a text index."""
        self.execute(self._texts[index].remove, key)

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call back once before the work ends, or a savepoint begins or ends."""
        self._callbacks.append(callback)

    def flush(self) -> None:
        """Run the callbacks in the order they came, those too that they add; then empty `scratch`."""
        while self._callbacks:
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()
        self.scratch.clear()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the work that is undone as a whole when it raises."""
        self.flush()
        mark = self._ledger.mark()
        self.execute("SAVEPOINT part")
        try:
            yield
            self.flush()
        except BaseException:
            self._callbacks.clear()
            self.scratch.clear()
            self._ledger.put_back(mark)
            self._undo()
            raise
        self.execute("RELEASE part")

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self.execute("ROLLBACK TO part")
            self.execute("RELEASE part")

    def _failure(self, error: apsw.Error) -> StoreError:
        # A full disk and the like undo the whole transaction; what followed would be committed piece by
        # piece.
        if not self._connection.in_transaction:
            self.end()
        return translated(error)
