"""Connections to SQLite files: how they are opened, and what their errors mean."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from jmaplite.store.port import Row, StoreDamaged, StoreError, StoreUnavailable, Value

BUSY_MILLISECONDS = 10_000
"""How long a statement waits for another process before the store counts as unavailable."""

_NAPS = (0.0002, 0.0005, 0.001, 0.002)
"""Seconds between two looks whether another process is done."""

_STATEMENTS = 1024
_READER_CACHE_KIBIBYTES = 8_192
_WRITER_CACHE_KIBIBYTES = 16_384
_WAL_OCTETS = 32 << 20

_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError)
_UNAVAILABLE = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.FullError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.PermissionsError,
    apsw.NoMemError,
    apsw.InterruptError,
    apsw.ProtocolError,
)


class Session:
    """A connection and the cursor that its short statements share; used by one thread at a time."""

    __slots__ = ("connection", "cursor", "execute")

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.cursor = connection.cursor()
        self.execute = self.cursor.execute

    def rows(self, sql: str, parameters: tuple[Value, ...] = ()) -> list[Row]:
        """Run a statement to its end; answers its rows."""
        return self.execute(sql, parameters).fetchall()

    def roll_back(self) -> None:
        """Undo the open transaction, if SQLite has not done so already."""
        if self.connection.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file; harmless when repeated."""
        self.connection.close(True)


def connect(path: Path, *, writes: bool, durable: bool = True) -> Session:
    """Open an existing file; commits wait for the disk, unless it is enough that they outlive the process.

    Raises StoreUnavailable if that fails, StoreDamaged if it is no database.
    """
    try:
        connection = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READWRITE, statementcachesize=_STATEMENTS)
        try:
            session = Session(connection)
            _settle(session, writes, durable)
        except BaseException:
            connection.close(True)
            raise
    except apsw.Error as error:
        raise translated(error) from error
    return session


def pour(source: Session, target: Session) -> None:
    """Give one database all the contents of another; those who read it meanwhile see what it was."""
    with target.connection.backup("main", source.connection, "main") as copying:
        copying.step()
        if not copying.done:
            raise apsw.BusyError("the database is in use")


def copied(source: Session, path: Path) -> None:
    """Copy a database as it is at this moment into an empty file, complete without a write-ahead log beside it."""
    try:
        target = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            with target.backup("main", source.connection, "main") as copying:
                copying.step()
        finally:
            target.close(True)
    except apsw.Error as error:
        raise translated(error) from error


def _settle(session: Session, writes: bool, durable: bool) -> None:
    """Give a new connection its settings; the first to touch the file is where a damaged one shows."""
    session.connection.set_busy_handler(_patience())
    session.connection.wal_autocheckpoint(0)
    cache = _WRITER_CACHE_KIBIBYTES if writes else _READER_CACHE_KIBIBYTES
    for pragma in (
        f"synchronous = {'FULL' if durable else 'OFF'}",
        f"cache_size = -{cache}",
        "mmap_size = 0",  # after each commit a map must be made anew, which costs more than it saves
        f"journal_size_limit = {_WAL_OCTETS}",
        "temp_store = MEMORY",
        "foreign_keys = OFF",
        "recursive_triggers = OFF",
        f"query_only = {'OFF' if writes else 'ON'}",
    ):
        session.rows(f"PRAGMA {pragma}")


def _patience() -> Callable[[int], bool]:
    """Waits for another process as long as it may; SQLite's own way naps so long that others get in again and again."""
    until = 0.0

    def goes_on(attempt: int) -> bool:
        nonlocal until
        now = time.monotonic()
        if attempt == 0:
            until = now + BUSY_MILLISECONDS / 1000
        time.sleep(_NAPS[min(attempt, len(_NAPS) - 1)])
        return now < until

    return goes_on


def translated(error: apsw.Error) -> StoreError:
    """What an SQLite error means to those who use a store."""
    if isinstance(error, _DAMAGED):
        return StoreDamaged(f"the database is damaged: {error}")
    if isinstance(error, apsw.FullError):  # whose own words may be `not an error`
        return StoreUnavailable("the database cannot serve now: the disk is full")
    if isinstance(error, _UNAVAILABLE):
        return StoreUnavailable(f"the database cannot serve now: {error}")
    return StoreError(str(error))
