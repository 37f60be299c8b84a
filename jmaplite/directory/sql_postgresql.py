"""A PostgreSQL database that a directory reads."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg

from jmaplite.directory.pool import Disconnected, Pool
from jmaplite.directory.port import DirectoryUnavailable
from jmaplite.directory.sql import MAX_ROWS, Row, Session, numbered

T = TypeVar("T")


class PostgreSQLUsers:
    """Implements Database over a URL (`postgresql://USER:PASSWORD@HOST:PORT/DATABASE?...`, as libpq takes it).

    `timeout` is how many seconds connecting may take, and asking; `size`, `wait` and `recycle` are the pool's. Raises
    ValueError for what is no such URL.
    """

    def __init__(
        self, url: str, *, timeout: float = 30.0, size: int = 10, wait: float = 30.0, recycle: float = 30.0
    ) -> None:
        try:
            self._parameters = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            # What it quotes may be a part of the password.
            reason = re.sub('".*"', "...", " ".join(str(error).split()))
            raise ValueError(f"the url cannot be used: {reason}") from None
        self._parameters.setdefault("application_name", "jmaplite")
        self._parameters.setdefault("connect_timeout", max(2, round(timeout)))
        self._timeout = timeout
        self._pool: Pool[psycopg.Connection] = Pool(
            self._connect, psycopg.Connection.close, size=size, wait=wait, recycle=recycle
        )

    def use(self, work: Callable[[Session], T]) -> T:
        """What `work` makes of a session. Raises DirectoryUnavailable."""

        def within_time(connection: psycopg.Connection) -> T:
            with _bounded(connection.fileno(), self._timeout):
                return work(_PostgreSQLSession(connection))

        return self._pool.use(within_time)

    def close(self) -> None:
        """Let go of every connection that is not in use."""
        self._pool.close()

    def _connect(self) -> psycopg.Connection:
        try:
            return psycopg.connect(**self._parameters, autocommit=True, cursor_factory=psycopg.RawCursor)  # type: ignore[arg-type]
        except psycopg.Error as error:
            raise Disconnected(" ".join(str(error).split())) from None


class _PostgreSQLSession:
    """Implements Session."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def rows(self, query: str, value: str = "") -> Sequence[Row]:
        """The first rows that a query answers."""
        try:
            with self._connection.cursor() as cursor:
                text, count = numbered(query, "$1")
                cursor.execute(text.encode(), (value,) * count)
                columns = [column.name.lower() for column in cursor.description or ()]
                return [dict(zip(columns, row, strict=True)) for row in cursor.fetchmany(MAX_ROWS)]
        except psycopg.DataError as error:
            if value:
                # A value that the query cannot take (no number, no pattern, not in the encoding) stands in no row.
                return ()
            raise DirectoryUnavailable(f"a query failed: {' '.join(str(error).split())}") from None
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            if self._connection.closed:
                raise Disconnected(reason) from None
            raise DirectoryUnavailable(f"a query failed: {reason}") from None


@contextmanager
def _bounded(descriptor: int, seconds: float) -> Iterator[None]:
    """End a connection whose server says nothing for too long: waiting for it has no end of its own."""
    with socket.socket(fileno=os.dup(descriptor)) as same:

        def give_up() -> None:
            with suppress(OSError):
                same.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
