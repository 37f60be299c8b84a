"""A SQLite file that a directory reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

import apsw

from jmaplite.directory.pool import Disconnected, Pool
from jmaplite.directory.port import DirectoryUnavailable
from jmaplite.directory.sql import MAX_ROWS, Row, Session, numbered

T = TypeVar("T")

_INSTRUCTIONS = 10_000
"""Steps of SQLite's machine after which it is looked whether a query takes too long."""


class SQLiteUsers:
    """Implements Database over a file, which is only read. A query may take `timeout` seconds."""

    def __init__(self, path: Path, *, timeout: float = 30.0, size: int = 10, wait: float = 30.0, recycle: float = 30.0):
        self._path = path
        self._timeout = timeout
        self._pool: Pool[_SQLiteSession] = Pool(
            self._connect, _SQLiteSession.close, size=size, wait=wait, recycle=recycle
        )

    def use(self, work: Callable[[Session], T]) -> T:
        """What `work` makes of a session. Raises DirectoryUnavailable."""
        return self._pool.use(work)

    def close(self) -> None:
        """Let go of the file."""
        self._pool.close()

    def _connect(self) -> _SQLiteSession:
        try:
            return _SQLiteSession(self._path, self._timeout)
        except apsw.Error as error:
            raise Disconnected(f"{self._path}: {error}") from None


class _SQLiteSession:
    """Implements Session."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._timeout = timeout
        self._until = 0.0
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self._connection.set_busy_timeout(int(timeout * 1000))
        self._connection.set_progress_handler(self._is_over, _INSTRUCTIONS)

    def rows(self, query: str, value: str = "") -> Sequence[Row]:
        """The first rows that a query answers."""
        self._until = time.monotonic() + self._timeout
        cursor = self._connection.cursor()
        try:
            text, count = numbered(query, "?1")
            cursor.execute(text, (value,) * count)
            columns = [name.lower() for name, *_ in cursor.get_description()]
            return [dict(zip(columns, row, strict=True)) for row in islice(cursor, MAX_ROWS)]
        except apsw.ExecutionCompleteError:
            return ()  # no rows, so no columns either
        except apsw.Error as error:
            raise DirectoryUnavailable(f"a query failed: {error}") from None
        finally:
            cursor.close(force=True)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close(force=True)

    def _is_over(self) -> bool:
        return time.monotonic() > self._until
