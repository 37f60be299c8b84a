"""The embedded store: a directory of SQLite files, one for each account and a small one that lists them."""

from __future__ import annotations

import re
import secrets
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import apsw

from jmaplite.store.ddl import MIGRATIONS, Migration
from jmaplite.store.disk import on_disk
from jmaplite.store.feed import LocalFeed
from jmaplite.store.housekeeping import Housekeeper
from jmaplite.store.neighbours import Neighbours
from jmaplite.store.port import AccountInfo, Change, Feed, Schema, StoreError, UnknownAccount, Writer
from jmaplite.store.secret_files import SECRETS, kept
from jmaplite.store.sqlite_account import FILE, SQLiteAccount, Surroundings
from jmaplite.store.sqlite_files import AccountFiles, Identity, identity
from jmaplite.store.system import System

_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_FEED = "feed"
_LEAST_SQLITE = 3_051_003
"""Earlier releases lose data when a checkpoint and a writer race."""


def random_account_id() -> str:
    """An account id: "u" and twelve hexadecimal digits."""
    return f"u{secrets.token_hex(6)}"


class SQLiteStore:
    """Implements Store in a directory of its own, which other processes may use at the same time."""

    def __init__(
        self,
        path: Path,
        schema: Schema,
        *,
        open_accounts: int = 64,
        create: bool = True,
        new_id: Callable[[], str] = random_account_id,
        migrations: tuple[Migration, ...] = MIGRATIONS,
        durable: bool = True,
    ) -> None:
        """Open the store, or make it if `create`; not `durable` is one that need not outlive the machine's next crash.

        Raises StoreUnavailable, StoreDamaged.
        """
        _check_sqlite()
        self.path = path
        self._feed = LocalFeed()
        self.feed: Feed = self._feed
        self._new_id = new_id
        self._limit = open_accounts
        self._neighbours: Neighbours | None = None
        self._lock = threading.Lock()
        self._handles: weakref.WeakValueDictionary[str, SQLiteAccount] = weakref.WeakValueDictionary()
        self._open: dict[str, SQLiteAccount] = {}
        templates = path / "templates"
        self._files = AccountFiles(templates, schema, migrations, durable=durable)
        self._system = System(path, create=create, durable=durable)
        self.epoch = self._system.epoch
        with on_disk():
            templates.mkdir(mode=0o700, exist_ok=True)
        self._housekeeper = Housekeeper()
        self._surroundings = Surroundings(
            self._files.texts, self._feed, self._housekeeper, self._files.check, self._opened, durable
        )

    def account(self, account_id: str) -> SQLiteAccount:
        """An account by its id. Raises UnknownAccount."""
        handle = self._handles.get(account_id)
        if handle is not None:
            return handle
        if not _ACCOUNT_ID.fullmatch(account_id) or not self._system.has(account_id):
            raise UnknownAccount(account_id)
        with self._lock:
            handle = self._handles.get(account_id)
            if handle is None:
                handle = SQLiteAccount(account_id, self._system.directory(account_id), self._surroundings)
                self._handles[account_id] = handle
        return handle

    def accounts(self) -> list[AccountInfo]:
        """Every account, by id."""
        return self._system.accounts()

    def account_of(self, owner: str) -> str | None:
        """The id of a principal's account, or None."""
        return self._system.account_of(owner)

    def create_account(self, owner: str, fill: Callable[[Writer], None], *, account_id: str | None = None) -> str:
        """Make the account of a principal, or answer the id it has. If `fill` raises, nothing is made.

        An id may be given that no account has.

        Raises StoreUnavailable.
        """
        known = self._system.account_of(owner)
        if known is not None:
            return known
        values: dict[str, int] = {}

        def make(directory: Path, account_id: str) -> None:
            (directory / "blobs").mkdir(mode=0o700)
            values.update(self._files.make(directory, Identity(account_id, owner), fill))

        found, made = self._system.add(owner, self._new_id if account_id is None else lambda: account_id, make)
        if made and values:
            self._feed.committed(Change(found, values))
        return found

    def secret(self, name: str, make: Callable[[], bytes]) -> bytes:
        """The octets kept under a name, made when they are first asked for. Raises StoreUnavailable."""
        return kept(self.path / SECRETS, name, make)

    def verify(self, account_id: str) -> list[str]:
        """Faults in the files of an account. Raises UnknownAccount."""
        faults = self.account(account_id).verify()
        path = self._system.directory(account_id) / FILE
        try:
            found = identity(path)
        except StoreError as error:
            return [*faults, str(error)]
        if found.id != account_id:
            faults.append(f"{path} says that it is account {found.id}")
        if self._system.account_of(found.owner) != account_id:
            faults.append(f"{path} says that it belongs to {found.owner}, the list of accounts does not")
        return faults

    def remove_account(self, account_id: str) -> None:
        """Take an account away for good, with all that it holds. Raises UnknownAccount, StoreUnavailable."""
        handle = self.account(account_id)
        with self._lock:
            self._handles.pop(account_id, None)
            self._open.pop(account_id, None)
        self._system.remove(account_id)
        handle.close()

    def keep_ticket(self, digest: bytes, value: str, expires: int, now: int) -> None:
        """Keep a value until it is taken or has expired. Raises StoreUnavailable."""
        self._system.keep_ticket(digest, value, expires, now)

    def take_ticket(self, digest: bytes, now: int) -> str | None:
        """Take the value away that is kept under a digest. Raises StoreUnavailable."""
        return self._system.take_ticket(digest, now)

    def join(self) -> None:
        """Hear at once of what other processes commit that have done this too, and let them hear of what is here.

        Raises StoreUnavailable; `poll` is the way then.
        """
        with on_disk():
            self._neighbours = Neighbours(self.path / _FEED, self._heard, self._look)
        self._feed.elsewhere = self._neighbours.announce

    def poll(self) -> None:
        """Announce what other processes have committed to the accounts that are open here."""
        for handle in list(self._open.values()):
            handle.poll()

    def check(self) -> None:
        """See that the store is there and answers. Raises StoreUnavailable, StoreDamaged."""
        self._system.check()

    def renew_epoch(self, epoch: str | None = None) -> str:
        """Take another epoch (one of its own making, if none is given), after accounts were put back; answers it."""
        self.epoch = self._system.renew_epoch(epoch)
        return self.epoch

    def settle(self) -> None:
        """Wait until the work in the background (checkpoints, closing of files) is done."""
        self._housekeeper.settle()

    def close(self) -> None:
        """Let go of every file; connections still in use close when they are handed back."""
        if self._neighbours is not None:
            self._feed.elsewhere = None
            self._neighbours.close()
        self._housekeeper.close()
        for handle in list(self._handles.values()):
            handle.close()
        self._open.clear()
        self._system.close()

    def _heard(self, change: Change) -> None:
        """Another process has committed something."""
        handle = self._handles.get(change.account_id)
        if handle is None:
            self._feed.announce(change)
        else:
            handle.heard(change.types)

    def _look(self) -> None:
        """Another process may have committed something that it could not announce any more."""
        for info in self.accounts():
            self._feed.announce(Change(info.id, {}))

    def _opened(self, account: SQLiteAccount) -> None:
        """Remember an account that has files open; park those used longest ago when they become too many."""
        if self._open.get(account.id) is account:
            return
        with self._lock:
            self._open[account.id] = account
            excess = len(self._open) - self._limit
            others = [other for other in self._open.values() if other is not account] if excess > 0 else []
            parked = sorted(others, key=lambda other: other.used)[: max(excess, 0)]
            for other in parked:
                del self._open[other.id]
        for other in parked:
            self._housekeeper.run(other.park)


def _check_sqlite() -> None:
    version = apsw.SQLITE_VERSION_NUMBER
    if version < _LEAST_SQLITE or "ENABLE_FTS5" not in apsw.compile_options:
        raise StoreError(f"SQLite {apsw.sqlite_lib_version()} will not do: 3.51.3 with FTS5 or later is needed")
