"""Backups: a store copied while it is in use, and made anew from such a copy.

A backup is a directory: `backup.json`, and for each account its database, complete in one file, and its large blobs.
These are linked where the backup is on the file system of the store (they never change), so that it takes little room.
What the store keeps to itself, the key that web pushes are signed with, comes along.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from jmaplite import __version__
from jmaplite.blobs.embedded import GRACE_SECONDS, EmbeddedBlobs
from jmaplite.config import Config
from jmaplite.server.ground import HALF, CannotServe, Ground, opened
from jmaplite.store import StoreError
from jmaplite.store.disk import sync
from jmaplite.store.secret_files import SECRETS
from jmaplite.store.sqlite_account import FILE

MANIFEST = "backup.json"
_FORMAT = 1
_PASSES = 3
_SINCE_THE_BACKUP = 1 << 32
"""Ids that an account may have given out since it was backed up: they will not be given out again (RFC 8620 §1.6.2)."""


class BackupFailed(Exception):
    """A backup cannot be made or put back; the only argument is a sentence."""


def back_up(config: Config, target: Path, now: float) -> Iterator[str]:
    """Copy the store into a directory that is not there yet; answers each owner once the account is copied.

    It appears under its name when it is whole. `now` is in seconds since the epoch. Raises BackupFailed.
    """
    if target.exists():
        raise BackupFailed(f"{target} is there already: a backup overwrites nothing")
    part = target.with_name(f".{target.name}.part")
    try:
        ground = opened(config, create=False, writes=False)
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(mode=0o700, parents=True)
            accounts = ground.store.accounts()
            for account in accounts:
                directory = part / "accounts" / account.id
                directory.mkdir(mode=0o700, parents=True)
                _copy(ground, account.id, directory)
                yield account.owner
            secrets = config.store.path / SECRETS
            if secrets.exists():
                shutil.copytree(secrets, part / SECRETS)
            told = {"format": _FORMAT, "version": __version__, "made": int(now), "accounts": len(accounts)}
            (part / MANIFEST).write_text(json.dumps(told) + "\n", encoding="utf-8")
            sync(part / MANIFEST)
            sync(part)
            part.rename(target)
            sync(target.parent)
        finally:
            ground.close()
            shutil.rmtree(part, ignore_errors=True)  # a disk that is full is not to stay so
    except CannotServe as error:
        raise BackupFailed(str(error)) from error
    except (OSError, StoreError) as error:
        raise BackupFailed(f"the backup cannot be made: {error}") from error


def _copy(ground: Ground, account_id: str, directory: Path) -> None:
    """Copy an account as it is at one moment.

    Files that are needed no more are kept for a while only. What took longer is begun again, with little left to copy.
    """
    began = -math.inf
    for _ in range(_PASSES):
        if time.monotonic() - began < GRACE_SECONDS:
            return
        began = time.monotonic()
        (directory / FILE).unlink(missing_ok=True)
        ground.store.account(account_id).copy_to(directory / FILE)
        ground.blobs.copy_to(account_id, directory / "blobs")


def restore(config: Config, source: Path) -> int:
    """Make the store that a configuration names from a backup, under another epoch; answers how many accounts it has.

    Clients fetch everything anew, for what they have may be newer than the backup; no id of theirs will ever be that of
    something else. One that was broken off begins anew, and until it has ended the store cannot be opened. Raises
    BackupFailed.
    """
    _check(source)
    path = config.store.path
    mark = path / HALF
    if path.exists() and any(path.iterdir()) and not mark.exists():
        raise BackupFailed(f"there is something in {path}: move it away, a restored store begins in an empty place")
    try:
        _begin(path, mark)
        for account in sorted((source / "accounts").iterdir()) if (source / "accounts").exists() else []:
            directory = path / "accounts" / account.name
            directory.mkdir(mode=0o700, parents=True)
            shutil.copyfile(account / FILE, directory / FILE)
            (directory / FILE).chmod(0o600)
            sync(directory / FILE)
            sync(directory)
            (directory / "blobs").mkdir(mode=0o700)
            EmbeddedBlobs(path).put_back(account.name, account / "blobs")
        if (source / SECRETS).exists():
            shutil.copytree(source / SECRETS, path / SECRETS)
        mark.unlink()
        ground = opened(config)
        try:
            ground.store.renew_epoch()
            accounts = ground.store.accounts()
            for one in accounts:
                ground.store.account(one.id).write(lambda tx: tx.skip(_SINCE_THE_BACKUP))
            return len(accounts)
        finally:
            ground.close()
    except CannotServe as error:
        raise BackupFailed(str(error)) from error
    except (OSError, StoreError) as error:
        raise BackupFailed(f"the backup cannot be restored: {error}") from error


def _begin(path: Path, mark: Path) -> None:
    """Make the mark of a store that is not whole, and take away what is left of an attempt before."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark.touch()
    sync(path)
    for rest in path.iterdir():
        if rest.is_dir() and not rest.is_symlink():
            shutil.rmtree(rest)
        elif rest != mark:
            rest.unlink()


def _check(source: Path) -> None:
    """Raise BackupFailed for what is no backup."""
    try:
        told = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        known = told["format"] == _FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupFailed(f"{source} is not a backup: it has no proper {MANIFEST}") from None
    if not known:
        raise BackupFailed(f"{source} was made by another version of this program ({told.get('version')})")
