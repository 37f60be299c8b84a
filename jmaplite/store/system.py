"""The file that knows which accounts a store has: nothing that the accounts' own files do not say too."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from jmaplite.store.disk import create_file, on_disk, sync
from jmaplite.store.port import AccountInfo, Row, StoreDamaged, StoreUnavailable
from jmaplite.store.sqlite_account import FILE
from jmaplite.store.sqlite_connection import Session, connect, translated
from jmaplite.store.sqlite_files import identity

FORMAT = 2
SYSTEM_FILE = "system.sqlite"
"""The file of a store that knows its accounts; whoever made it made the store."""
_ACCOUNTS = "accounts"
_UNFINISHED = ".new-"
_ADVICE = "it can be removed, and is made anew from the accounts then"
_EPOCH_OCTETS = 5
_WAL_PAGES = 1000

_TABLES = (
    "CREATE TABLE IF NOT EXISTS store (epoch TEXT NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS account (id TEXT PRIMARY KEY, owner TEXT NOT NULL UNIQUE) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS ticket (digest BLOB PRIMARY KEY, value TEXT NOT NULL, expires INTEGER NOT NULL) "
    "STRICT, WITHOUT ROWID",
)


class System:
    """Epoch and accounts of a store in a directory; safe to use from any thread and beside other processes.

    An account is made in a directory of a provisional name, then listed, then given its name: what a crash
    leaves is either not listed, and swept away, or complete, and given its name by whoever comes next.
    """

    def __init__(self, path: Path, *, create: bool, durable: bool = True) -> None:
        self._directory = path / _ACCOUNTS
        self._durable = durable
        self._lock = threading.RLock()
        self._owners: dict[str, str] = {}
        if create:
            with on_disk():
                for directory in (path, self._directory):
                    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                _touch(path / SYSTEM_FILE)
        elif not (path / SYSTEM_FILE).exists():
            raise StoreUnavailable("there is no store")
        try:
            self._session = connect(path / SYSTEM_FILE, writes=True, durable=durable)
            self._session.connection.wal_autocheckpoint(_WAL_PAGES)
            self.epoch = self._begin(path)
        except StoreDamaged as error:
            if not isinstance(error.__cause__, apsw.Error):
                raise
            raise StoreDamaged(f"{path / SYSTEM_FILE}: {error} ({_ADVICE})") from error

    def directory(self, account_id: str) -> Path:
        """Where the files of an account are."""
        return self._directory / account_id

    def accounts(self) -> list[AccountInfo]:
        """Every account, by id."""
        return [AccountInfo(*row) for row in self._rows("SELECT id, owner FROM account ORDER BY id")]

    def account_of(self, owner: str) -> str | None:
        """The id of a principal's account."""
        known = self._owners.get(owner)
        if known is None:
            rows = self._rows("SELECT id FROM account WHERE owner = ?", owner)
            if rows:
                known = self._owners[owner] = rows[0][0]
        return known

    def has(self, account_id: str) -> bool:
        """Whether an account is listed; its directory has its name afterwards. Raises StoreUnavailable."""
        if not self._rows("SELECT 1 FROM account WHERE id = ?", account_id):
            return False
        with on_disk():
            if self.directory(account_id).exists() or self._name(account_id):
                return True
            self._directory.stat()  # fails where the whole store is gone
        return False

    def check(self) -> None:
        """See that the file answers and that its directory is there. Raises StoreUnavailable, StoreDamaged."""
        self._rows("SELECT 1 FROM store")
        with on_disk():
            self._directory.stat()

    def add(self, owner: str, new_id: Callable[[], str], make: Callable[[Path, str], None]) -> tuple[str, bool]:
        """The id of a principal's account, and whether `make` was called to make it in a directory."""
        with self._transaction():
            known = self.account_of(owner)
            if known is not None:
                return known, False
            account_id = self._unused(new_id)
            provisional = self._directory / f"{_UNFINISHED}{account_id}"
            provisional.mkdir(mode=0o700)
            try:
                make(provisional, account_id)
                if self._durable:
                    sync(self._directory)
                self._session.execute("INSERT INTO account (id, owner) VALUES (?, ?)", (account_id, owner))
            except BaseException:
                shutil.rmtree(provisional, ignore_errors=True)  # what is left is swept when the store is opened
                raise
        with on_disk():
            self._name(account_id)
        self._owners[owner] = account_id
        return account_id, True

    def remove(self, account_id: str) -> None:
        """Take an account out of the list, and its directory away."""
        with self._transaction():
            self._session.execute("DELETE FROM account WHERE id = ?", (account_id,))
            self._owners = {owner: known for owner, known in self._owners.items() if known != account_id}
            gone = self._directory / f"{_UNFINISHED}{account_id}"
            with suppress(FileNotFoundError):
                self.directory(account_id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)  # what is left is swept when the store is opened

    def keep_ticket(self, digest: bytes, value: str, expires: int, now: int) -> None:
        """Keep a value until it is taken or has expired; what has expired goes."""
        with self._transaction():
            self._session.execute("DELETE FROM ticket WHERE expires <= ?", (now,))
            self._session.execute("INSERT OR REPLACE INTO ticket VALUES (?, ?, ?)", (digest, value, expires))

    def take_ticket(self, digest: bytes, now: int) -> str | None:
        """Take a value away."""
        with self._transaction():
            rows = self._session.rows("DELETE FROM ticket WHERE digest = ? RETURNING value, expires", (digest,))
        return rows[0][0] if rows and rows[0][1] > now else None

    def renew_epoch(self, epoch: str | None = None) -> str:
        """Another epoch, after accounts were put back from a copy: no client may trust what it has cached."""
        with self._transaction():
            self.epoch = epoch or _new_epoch()
            self._session.execute("UPDATE store SET epoch = ?", (self.epoch,))
        return self.epoch

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._session.close()

    def _begin(self, path: Path) -> str:
        """Make the tables if the file is new, list the accounts that are there, answer the epoch."""
        try:
            self._session.rows("PRAGMA journal_mode = WAL")
            version = self._session.rows("PRAGMA user_version")[0][0]
            if version > FORMAT:
                raise StoreDamaged(f"{SYSTEM_FILE} was written by a newer version of this program ({version})")
            if version < FORMAT:
                self._make()
            with on_disk():
                self._reconcile()
            return str(self._session.rows("SELECT epoch FROM store")[0][0])
        except BaseException as error:
            self._session.close()
            if isinstance(error, apsw.Error):
                raise translated(error) from error
            raise

    def _make(self) -> None:
        with self._transaction():
            for statement in _TABLES:
                self._session.execute(statement)
            if not self._session.rows("SELECT 1 FROM store"):
                self._session.execute("INSERT INTO store (epoch) VALUES (?)", (_new_epoch(),))
            self._session.execute(f"PRAGMA user_version = {FORMAT}")

    def _reconcile(self) -> None:
        """Make the list agree with the directories: finish or sweep what a crash left, list what is new."""
        if self._agrees():
            return
        with self._transaction():
            listed = {info.id for info in self.accounts()}
            for account_id in listed - self._present():
                if not self._name(account_id):
                    self._session.execute("DELETE FROM account WHERE id = ?", (account_id,))
            for account_id in self._present() - listed:
                self._list(account_id)
            for leftover in self._directory.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(leftover)

    def _agrees(self) -> bool:
        listed = {info.id for info in self.accounts()}
        return listed == {entry.name for entry in self._directory.iterdir()}

    def _present(self) -> set[str]:
        return {entry.parent.name for entry in self._directory.glob(f"[!.]*/{FILE}")}

    def _list(self, account_id: str) -> None:
        path = self.directory(account_id) / FILE
        try:
            found = identity(path)
        except StoreDamaged as error:
            raise StoreDamaged(f"{path}: {error}") from error
        if found.id != account_id:
            raise StoreDamaged(f"{self.directory(account_id)} holds account {found.id}")
        other = self.account_of(found.owner)
        if other is not None:
            raise StoreDamaged(f"accounts {other} and {account_id} both belong to {found.owner}")
        self._session.execute("INSERT INTO account (id, owner) VALUES (?, ?)", (account_id, found.owner))

    def _name(self, account_id: str) -> bool:
        """Give a finished account its name, unless somebody else just did; answers whether it is there."""
        directory = self.directory(account_id)
        try:
            (self._directory / f"{_UNFINISHED}{account_id}").rename(directory)
        except FileNotFoundError:
            return directory.exists()
        if self._durable:
            sync(self._directory)
        return True

    def _unused(self, new_id: Callable[[], str]) -> str:
        account_id = new_id()
        while self.has(account_id):
            account_id = new_id()
        return account_id

    def _rows(self, sql: str, *parameters: str) -> list[Row]:
        try:
            with self._lock:
                return self._session.rows(sql, parameters)
        except apsw.Error as error:
            raise translated(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        """The list is ours alone, in this process and in others."""
        try:
            with self._lock, on_disk():
                self._session.execute("BEGIN IMMEDIATE")
                try:
                    yield self._session
                    self._session.execute("COMMIT")
                except BaseException:
                    self._session.roll_back()
                    raise
        except apsw.Error as error:
            raise translated(error) from error


def _touch(path: Path) -> None:
    try:
        create_file(path)
    except FileExistsError:
        return
    sync(path.parent)


def _new_epoch() -> str:
    return secrets.token_hex(_EPOCH_OCTETS)
