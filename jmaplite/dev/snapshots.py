"""Snapshots of a whole store, taken and put back in milliseconds."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from jmaplite.blobs.embedded import EmbeddedBlobs
from jmaplite.store import Writer
from jmaplite.store.sqlite import SQLiteStore
from jmaplite.store.sqlite_account import FILE, SQLiteAccount

INITIAL = "initial"
"""The snapshot that a reset goes back to."""


class UnknownSnapshot(KeyError):
    """There is no snapshot of this name."""


@dataclass(frozen=True, slots=True)
class _Same:
    """An account was the same as a file when it had a mark."""

    account: SQLiteAccount
    mark: tuple[object, ...]
    file: Path


class Snapshots:
    """Keeps snapshots in a directory. Whoever is connected is told that everything has changed, and fetches it anew.

    `seed`, if there is one, decides the epochs, and so all states, the same each time.
    """

    def __init__(self, store: SQLiteStore, blobs: EmbeddedBlobs, directory: Path, seed: str) -> None:
        self._store = store
        self._blobs = blobs
        self._directory = directory
        self._seed = seed
        self._generation = 0
        self._lock = threading.Lock()
        self._names: dict[str, Path] = {}
        self._same: dict[str, _Same] = {}
        if seed:
            store.renew_epoch(self._epoch())

    def take(self, name: str) -> int:
        """Take a snapshot, in the place of one of the same name; answers how many accounts it has."""
        with self._lock:
            place = self._directory / hashlib.sha256(name.encode()).hexdigest()[:32]
            self._discard(place)
            accounts = self._store.accounts()
            for account in accounts:
                part = place / account.id
                part.mkdir(mode=0o700, parents=True)
                self._copy(self._store.account(account.id), part / FILE)
                self._blobs.copy_to(account.id, part / "blobs")
                (part / "owner").write_text(account.owner, encoding="utf-8")
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._names[name] = place
            return len(accounts)

    def put_back(self, name: str, seed: str | None = None) -> int:
        """Make the store what it was; with a seed, states are from then on what they are after each such call.

        Answers how many accounts there are. Raises UnknownSnapshot.
        """
        with self._lock:
            place = self._names.get(name)
            if place is None:
                raise UnknownSnapshot(name)
            if seed is not None:
                self._seed, self._generation = seed, 0
            self._generation += 1
            self._store.renew_epoch(self._epoch() if self._seed else None)
            kept = {part.name: part for part in place.iterdir()}
            for account in self._store.accounts():
                if account.id not in kept:
                    self._store.remove_account(account.id)
            known = {account.id for account in self._store.accounts()}
            for account_id, part in kept.items():
                if account_id not in known:
                    self._make(account_id, (part / "owner").read_text(encoding="utf-8"))
                self._blobs.put_back(account_id, part / "blobs")
                self._put_back(self._store.account(account_id), part / FILE)
            return len(kept)

    def expire(self) -> None:
        """Make all states invalid that clients know; what is stored stays."""
        with self._lock:
            self._generation += 1
            self._store.renew_epoch(self._epoch() if self._seed else None)
            for account in self._store.accounts():
                self._store.account(account.id).announce_all()

    def names(self) -> list[str]:
        """The names of all snapshots, in the order in which they were first taken."""
        return list(self._names)

    def remove(self, name: str) -> None:
        """Throw a snapshot away. Raises UnknownSnapshot."""
        with self._lock:
            place = self._names.pop(name, None)
        if place is None:
            raise UnknownSnapshot(name)
        self._discard(place)

    def _copy(self, account: SQLiteAccount, file: Path) -> None:
        """Copy an account; another link will do if it is still what a copy of it is."""
        before = account.mark
        same = self._same.get(account.id)
        if same is not None and same.account is account and same.mark == before:
            os.link(same.file, file)
            return
        account.copy_to(file)
        if account.mark == before:
            self._same[account.id] = _Same(account, before, file)

    def _put_back(self, account: SQLiteAccount, file: Path) -> None:
        """Make an account what a copy of it is, which it may be already."""
        same = self._same.get(account.id)
        if same is not None and same.account is account and same.mark == account.mark and same.file.samefile(file):
            account.announce_all()
            return
        self._same[account.id] = _Same(account, account.put_back(file), file)

    def _discard(self, place: Path) -> None:
        self._same = {name: same for name, same in self._same.items() if place not in same.file.parents}
        shutil.rmtree(place, ignore_errors=True)

    def _make(self, account_id: str, owner: str) -> None:
        """An account that was removed, made anew under the id that it had."""
        self._store.create_account(owner, _nothing, account_id=account_id)

    def _epoch(self) -> str:
        return hashlib.sha256(f"{self._seed} {self._generation}".encode()).hexdigest()[:10]


def _nothing(tx: Writer) -> None:
    """An account that is about to be put back."""
