"""The store's port: tables, indexes, snapshots, a change counter, a change feed; one SQL for every driver.

The SQL that passes through here is a subset that SQLite and PostgreSQL share: `?` for parameters, integers,
text and octets for values, every key beginning with `account`. What differs between engines (full-text
search) has methods of its own. A driver knows no data type; it is handed `Table` and `TextIndex` values and
makes them exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")

Value = int | float | str | bytes | None
Row = tuple[Any, ...]


class StoreError(Exception):
    """The root of what a store raises."""


class UnknownAccount(StoreError):
    """No account of this id exists in the store."""


class StoreUnavailable(StoreError):
    """The store cannot serve now (locked too long, disk full, input/output error); later it may."""


class StoreDamaged(StoreError):
    """What is on disk is not what a store of this version can have written."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; `kind` is what PostgreSQL calls bigint, text, bytea and double precision.

    `default` is what rows have that do not say otherwise. A column that joins a table in use needs one, or
    `null`.
    """

    name: str
    kind: Literal["integer", "text", "blob", "real"]
    null: bool = False
    default: int | float | str | bytes | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index over columns of its table; `account` is put first by the driver, `where` makes it partial."""

    name: str
    columns: tuple[str, ...]
    where: str | None = None
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its primary key is `account` and then `key`.

    `clustered` tables keep their rows in key order (WITHOUT ROWID in SQLite): right for small rows that are
    read in ranges. Others keep `key`, which must then be one integer, as the row's own number.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[Index, ...] = ()
    clustered: bool = True


@dataclass(frozen=True, slots=True)
class TextIndex:
    """A full-text index: `columns` of words, found by an integer key and read in that key's order."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """All that a store has to hold for the data types in use."""

    tables: tuple[Table, ...]
    texts: tuple[TextIndex, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """Words to look for in a text index: every phrase must occur; `columns` empty means any column.

    A phrase is a tuple of words that must follow each other; most have one word. Words are given as written:
    how they are folded and split further is the driver's, the same way as when they were put in. A phrase
    without a letter or digit is ignored; if there is no other, nothing is found.
    """

    phrases: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextMatch:
    """How a driver finds words: rows of `source` that fulfil `where` (with `parameters`) have it in `key`.

    In a join, `key` is to be written with its source before it: `source.key`.
    """

    source: str
    key: str
    where: str
    parameters: tuple[Value, ...]


class Reader(Protocol):
    """One account at one moment: everything read through it belongs to the same snapshot."""

    account: int
    """The number that every key of this account begins with."""

    account_id: str
    """The id of this account."""

    def rows(self, sql: str, *parameters: Value) -> list[Row]:
        """All rows."""

    def row(self, sql: str, *parameters: Value) -> Row | None:
        """The first row, or None."""

    def value(self, sql: str, *parameters: Value) -> Any:
        """The first column of the first row, or None."""

    def state(self, type_name: str) -> int:
        """The highest change value among a type's records, tombstones included; 0 if there never was one."""

    def states(self) -> Mapping[str, int]:
        """The same for every type that ever changed; the account's counter is the highest of them."""

    def match(self, index: str, words: Words) -> TextMatch:
        """The driver's way of finding words in a text index."""


class Writer(Reader, Protocol):
    """A transaction on one account. Nothing is visible to others until it is durable."""

    scratch: dict[object, Any]
    """Room for what a slice gathers while it writes; emptied when the callbacks of `at_end` have run."""

    def execute(self, sql: str, *parameters: Value) -> None:
        """Run a statement that yields nothing."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Value]]) -> None:
        """Run a statement once for each sequence of parameters."""

    def change(self, type_name: str) -> int:
        """Raise the account's counter by one for a changed record of a type and answer the new value.

        The values are never used twice, so that a new record's value also serves as its id.
        """

    def skip(self, values: int) -> None:
        """Leave out so many values: those that may have been used since the copy was made that the account comes of."""

    def text_put(self, index: str, key: int, words: Sequence[str]) -> None:
        """Enter a row of words, one string for each column of the text index; it replaces one of its key."""

    def text_remove(self, index: str, key: int) -> None:
        """Take a row out of a text index; nothing happens if it is not there."""

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call back once before the work ends (or a savepoint begins or ends), to write what was gathered."""

    def savepoint(self) -> AbstractContextManager[None]:
        """A part of the work that is undone as a whole when it raises."""


class Account(Protocol):
    """One account of a store; safe to use from any thread."""

    id: str

    def read(self) -> AbstractContextManager[Reader]:
        """A snapshot. Close it soon: an open one keeps old pages alive."""

    def write(self, work: Callable[[Writer], T]) -> T:
        """Run `work` in a transaction and answer its result once it is durable.

        Work of other threads on the same account may share the transaction, and run in this thread, or this
        work in theirs; when `work` raises, only what it did is undone, and the exception comes out here. A
        write inside a write raises RuntimeError.
        """


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit announces: the types that changed in an account, with their new values; only a hint.

    Without types it is not known which have changed, or whether any has.
    """

    account_id: str
    types: Mapping[str, int]


class Feed(Protocol):
    """The change feed: every commit is announced to whoever listens."""

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` (quick, never raising) for each commit, in any thread; answers how to stop."""


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """An account as the store knows it: its id, and whose it is (a principal's name)."""

    id: str
    owner: str


class Store(Protocol):
    """All accounts."""

    epoch: str
    """Begins every state string; another one after a restore, so that no client trusts what it has cached."""

    feed: Feed

    def account(self, account_id: str) -> Account:
        """An account by its id. Raises UnknownAccount."""

    def accounts(self) -> list[AccountInfo]:
        """Every account, by id."""

    def account_of(self, owner: str) -> str | None:
        """The id of the account that belongs to a principal's name, or None if it has none yet."""

    def create_account(self, owner: str, fill: Callable[[Writer], None]) -> str:
        """Make the account of a principal, filled before anybody sees it, or answer the id it already has."""

    def secret(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Octets that the store keeps for good under a name, made when they are first asked for; nobody else sees them.

        Raises StoreUnavailable.
        """

    def keep_ticket(self, digest: bytes, value: str, expires: int, now: int) -> None:
        """Keep a value under a digest until it is taken or has expired (seconds since the epoch).

        Raises StoreUnavailable.
        """

    def take_ticket(self, digest: bytes, now: int) -> str | None:
        """Take away the value that is kept under a digest: of all processes, one gets it, and once. Else None.

        Raises StoreUnavailable.
        """

    def verify(self, account_id: str) -> list[str]:
        """Faults found in the files of an account, a sentence each; empty when it is sound."""

    def close(self) -> None:
        """Let go of every file. The store must not be used afterwards."""
