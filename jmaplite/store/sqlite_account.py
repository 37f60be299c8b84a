"""One account's SQLite file: a pool of readers, and one writer whose commits are grouped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import apsw

from jmaplite.store.disk import create_file, on_disk, sync
from jmaplite.store.feed import LocalFeed
from jmaplite.store.group import Group, Task
from jmaplite.store.housekeeping import Housekeeper
from jmaplite.store.port import Change, StoreError, StoreUnavailable, Writer
from jmaplite.store.sqlite_connection import Session, connect, copied, pour, translated
from jmaplite.store.sqlite_text import TextStatements
from jmaplite.store.sqlite_transaction import Ledger, SQLiteReader, SQLiteWriter, states

T = TypeVar("T")
Work = Callable[[Writer], Any]

FILE = "account.sqlite"
"""The name of the database in an account's directory."""

CHECKPOINT_PAGES = 2_000
"""Pages in the write-ahead log from which it is worth carrying them over into the database."""

_PASSES = 4
_FEW_PAGES = 100
_IDLE_READERS = 4
_RESTART_MILLISECONDS = 20

_writing: set[int] = set()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the accounts of a store share."""

    texts: Mapping[str, TextStatements]
    feed: LocalFeed
    housekeeper: Housekeeper
    check: Callable[[Path, Session], None]
    """Sees to it that a file that this process has not used yet has the schema in use."""
    opened: Callable[[SQLiteAccount], None]
    """Told when an account opens a file."""
    durable: bool = True
    """Whether commits wait for the disk."""


class Snapshot(SQLiteReader):
    """A read transaction, on a session taken from its account's pool while it is entered."""

    def __init__(self, account: SQLiteAccount) -> None:
        self.account_id = account.id
        self._owner = account
        self._texts = account.surroundings.texts

    def __enter__(self) -> Snapshot:
        session = self._owner.take()
        try:
            session.execute("BEGIN")
        except apsw.Error as error:
            session.close()
            raise translated(error) from error
        self._session = session
        self._execute = session.execute
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        try:
            self._session.execute("COMMIT")
        except apsw.Error:
            self._session.close()
        else:
            self._owner.give(self._session)


class SQLiteAccount:
    """Implements Account on one file; connections are opened when needed and may be parked at any time."""

    def __init__(self, account_id: str, directory: Path, surroundings: Surroundings) -> None:
        self.id = account_id
        self.surroundings = surroundings
        self.used = time.monotonic()
        self._path = directory / FILE
        self._idle: list[Session] = []
        self._writer: Session | None = None
        self._write_lock = threading.Lock()
        self._open_lock = threading.Lock()
        self._group: Group[Work] = Group(self._run)
        self._known: dict[str, int] | None = None
        self._known_lock = threading.Lock()
        self._parked = False
        self._closed = False
        self._serial = 0
        self._wal_pages = 0
        self._checkpoint_at = CHECKPOINT_PAGES

    def read(self) -> Snapshot:
        """A snapshot, taken when it is first read from."""
        return Snapshot(self)

    def write(self, work: Callable[[Writer], T]) -> T:
        """Run `work`, perhaps in another thread that writes to this account at the moment."""
        if threading.get_ident() in _writing:
            raise RuntimeError("a write cannot begin inside another write or a listener of the change feed")
        self.used = time.monotonic()
        result: T = self._group.submit(work)
        return result

    def take(self) -> Session:
        """A session to read with, for one thread."""
        self.used = time.monotonic()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open(writes=False)

    def give(self, session: Session) -> None:
        """Hand a session back."""
        if len(self._idle) >= _IDLE_READERS:
            session.close()
            return
        self._idle.append(session)
        if self._parked or self._closed:
            self._close_idle()

    def poll(self) -> None:
        """Announce what other processes have committed since this one looked last."""
        session = self.take()
        try:
            now = states(session)
        except apsw.Error as error:
            session.close()
            raise translated(error) from error
        self.give(session)
        self.heard(now)

    def heard(self, now: Mapping[str, int]) -> None:
        """Announce what other processes have committed: the values of types as they are there."""
        self._announce(now, self.surroundings.feed.announce)

    def checkpoint(self) -> None:
        """Carry the write-ahead log into the database, most of it while writers go on; let it begin anew.

        Readers of old pages keep it from beginning anew: after 20 ms that is left to the next checkpoint.
        """
        session = connect(self._path, writes=True)
        try:
            for _ in range(_PASSES):
                pages, carried = session.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                if pages - carried < _FEW_PAGES:
                    break
            session.connection.set_busy_timeout(_RESTART_MILLISECONDS)
            with self._write_lock, suppress(apsw.BusyError):
                session.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        except apsw.BusyError:
            pass  # another process is at it
        except apsw.Error as error:
            raise translated(error) from error
        finally:
            session.close()

    def verify(self) -> list[str]:
        """Faults found by SQLite in the file, text indexes included."""
        try:
            session = connect(self._path, writes=False)
        except StoreError as error:
            return [str(error)]
        try:
            return [row[0] for row in session.rows("PRAGMA integrity_check") if row[0] != "ok"]
        except apsw.Error as error:
            return [str(translated(error))]
        finally:
            session.close()

    def copy_to(self, path: Path) -> None:
        """Write the account as it is at this moment into a file that is not there yet, durably, while others write.

        Raises StoreUnavailable, StoreDamaged.
        """
        with on_disk():
            create_file(path)
            source = self.take()
            try:
                copied(source, path)
            finally:
                self.give(source)
            sync(path)

    def put_back(self, path: Path) -> tuple[object, ...]:
        """Make the account what a copy of it is, in one transaction: readers see all of the one or of the other.

        Answers its `mark` then. States may go back by this: the store needs another epoch. Raises StoreUnavailable,
        StoreDamaged.
        """
        source = connect(path, writes=False)
        try:
            with self._write_lock:
                self._close_writer()
                target = self._open(writes=True)
                try:
                    pour(source, target)
                    # It went through the log as a whole, and is all that the log has to hold when it comes again.
                    target.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                finally:
                    target.close()
                self._serial += 1
                mark = self.mark
        except apsw.Error as error:
            raise translated(error) from error
        finally:
            source.close()
        self.announce_all()
        return mark

    def announce_all(self) -> None:
        """Announce all types as changed: states mean something else now. Raises StoreUnavailable, StoreDamaged."""
        session = self.take()
        try:
            now = states(session)
        finally:
            self.give(session)
        with self._known_lock:
            self._known = {}
        self._announce(now, self.surroundings.feed.committed)

    @property
    def mark(self) -> tuple[object, ...]:
        """The same as before if nothing was committed since; it may be another though nothing was."""
        return (self._serial, *map(_stamp, (self._path, self._path.with_name(f"{FILE}-wal"))))

    def park(self) -> None:
        """Close the connections that nobody uses; those in use follow when they are handed back."""
        self._parked = True
        self._close_idle()
        with self._write_lock:
            self._close_writer()

    def close(self) -> None:
        """Let go of the file for good."""
        self._closed = True
        self.park()

    def _open(self, *, writes: bool) -> Session:
        """A new connection to the file, once it is known to have the schema in use."""
        if self._closed:
            raise StoreError("the store is closed")
        session = connect(self._path, writes=writes, durable=self.surroundings.durable)
        try:
            with self._open_lock:
                if self._known is None:
                    self.surroundings.check(self._path, session)
                    self._known = states(session)
        except BaseException as error:
            session.close()
            if isinstance(error, apsw.Error):
                raise translated(error) from error
            raise
        self._parked = False
        self.surroundings.opened(self)
        return session

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _run(self, tasks: list[Task[Work]]) -> None:
        """Everything that waits to be written, in one transaction; called by one thread at a time."""
        thread = threading.get_ident()
        _writing.add(thread)
        try:
            with self._write_lock:
                now = self._transact(tasks)
            self._announce(now, self.surroundings.feed.committed)
            self._watch_log()
        except (apsw.Error, StoreError) as error:
            if _may_only_read(error):
                self.park()  # what was opened while the disk could not be written stays so until it is closed
            failure = translated(error) if isinstance(error, apsw.Error) else error
            for task in tasks:
                task.finish(error=type(failure)(*failure.args))
        finally:
            _writing.discard(thread)

    def _transact(self, tasks: list[Task[Work]]) -> dict[str, int]:
        """Run and commit; answers the types' values afterwards."""
        session = self._writer
        if session is None:
            session = self._open(writes=True)
            if session.connection.readonly("main"):
                session.close()
                raise apsw.ReadOnlyError("attempt to write a readonly database")
            self._writer = session
            session.connection.set_wal_hook(self._note_log)
        try:
            session.execute("BEGIN IMMEDIATE")
            ledger = Ledger(session)
            outcomes = [self._work(session, ledger, task, grouped=len(tasks) > 1) for task in tasks]
            if session.connection.in_transaction:
                ledger.write(session)
                session.execute("COMMIT")
                self._serial += 1
        except BaseException:
            self._abandon(session)
            raise
        for task, (result, error) in zip(tasks, outcomes, strict=True):
            task.finish(result, error)
        return ledger.values

    def _work(
        self, session: Session, ledger: Ledger, task: Task[Work], *, grouped: bool
    ) -> tuple[Any, Exception | None]:
        """One piece of work; undone by itself when it raises. Interrupts and lost transactions come out."""
        writer = SQLiteWriter(session, self.id, self.surroundings.texts, ledger)
        mark = ledger.mark()
        if grouped:
            session.execute("SAVEPOINT work")
        failure: Exception | None = None
        result = None
        try:
            result = task.work(writer)
            writer.flush()
        except Exception as error:
            failure = error
        finally:
            writer.end()
        if not session.connection.in_transaction:
            if isinstance(failure, StoreError):
                raise failure
            raise StoreUnavailable("the database had to undo the transaction") from failure
        if failure is not None and _may_only_read(failure):
            raise failure
        if failure is not None:
            ledger.put_back(mark)
            session.execute("ROLLBACK TO work" if grouped else "ROLLBACK")
        if grouped:
            session.execute("RELEASE work")
        return result, failure

    def _abandon(self, session: Session) -> None:
        """Leave nothing of a transaction that failed."""
        try:
            session.roll_back()
        except apsw.Error:
            self._close_writer()

    def _announce(self, now: Mapping[str, int], announce: Callable[[Change], None]) -> None:
        with self._known_lock:
            known = self._known if self._known is not None else {}
            news = {name: value for name, value in now.items() if value > known.get(name, 0)}
            known.update(news)
        if news:
            announce(Change(self.id, news))

    def _note_log(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        if pages <= self._wal_pages:  # it has begun anew
            self._checkpoint_at = CHECKPOINT_PAGES
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _watch_log(self) -> None:
        """Ask for a checkpoint whenever the log has grown by so many pages more."""
        if self._wal_pages >= self._checkpoint_at:
            self._checkpoint_at = self._wal_pages + CHECKPOINT_PAGES
            self.surroundings.housekeeper.run(self.checkpoint)


def _stamp(path: Path) -> tuple[int, int]:
    """What tells whether other processes have written to a file; zeros if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _may_only_read(error: Exception) -> bool:
    return isinstance(error, apsw.ReadOnlyError) or isinstance(error.__cause__, apsw.ReadOnlyError)
