"""What stays while configurations come and go: the store and the blobs, with every file they hold open."""

from __future__ import annotations

import logging
import os
import pwd
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jmaplite.blobs.embedded import TABLES, EmbeddedBlobs
from jmaplite.config import Config
from jmaplite.core.catalog import Catalog
from jmaplite.datatypes import capabilities, schema
from jmaplite.push.capability import with_push
from jmaplite.push.subscription import PUSH_SUBSCRIPTION
from jmaplite.store import StoreError
from jmaplite.store.sqlite import SQLiteStore, random_account_id
from jmaplite.store.system import SYSTEM_FILE

logger = logging.getLogger(__name__)


class CannotServe(Exception):
    """The server cannot be started; the only argument is a sentence for whoever wanted it."""


@dataclass(slots=True)
class Ground:
    """A store and its blobs. `close` lets go of every file.

    `hears` is whether what other processes commit to the store is heard of, so that nobody has to look for it.
    """

    store: SQLiteStore
    blobs: EmbeddedBlobs
    hears: bool = False

    def join(self) -> None:
        """Hear of what other processes commit, and let them hear of what is committed here."""
        try:
            self.store.join()
        except StoreError as error:
            logger.warning("other processes that use the store are not heard at once: %s", error)
        else:
            self.hears = True

    def failure(self) -> str | None:
        """Why the store cannot be used at the moment, or None. Takes time: the disk is looked at."""
        try:
            self.store.check()
        except StoreError as error:
            return str(error)
        return None

    def close(self) -> None:
        """Let go of every file."""
        self.store.close()


def maker(path: Path) -> int | None:
    """The number of the user whose store is in a directory, or None if there is none."""
    try:
        return (path / SYSTEM_FILE).stat().st_uid
    except OSError:
        return None


def _named(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"


HALF = "restoring"
"""The name of a file in a store that is not whole yet."""


def opened(
    config: Config,
    *,
    create: bool = True,
    clock: Callable[[], float] = time.time,
    account_id: Callable[[], str] = random_account_id,
    durable: bool = True,
    writes: bool = True,
) -> Ground:
    """The store that a configuration names; made if it is not there, or not. Raises CannotServe.

    It holds every type that there is, so that a capability may be switched off and on again. `account_id` makes the ids
    of new accounts. Not `durable` is one that need not outlive a crash of the machine. Without `writes` nothing will be
    written to it.
    """
    if (config.store.path / HALF).exists():
        raise CannotServe(f"a restore into {config.store.path} was broken off: run it again")
    owner = maker(config.store.path) if writes and os.geteuid() == 0 else None
    if owner not in (None, 0):
        # What root makes there, nobody else could read: the account would be lost to its server.
        name = _named(owner)
        raise CannotServe(f"the store in {config.store.path} belongs to {name}: run this as that user (sudo -u {name})")
    try:
        tables = schema(Catalog(with_push(capabilities(), PUSH_SUBSCRIPTION, str)), TABLES)
        store = SQLiteStore(config.store.path, tables, create=create, new_id=account_id, durable=durable)
    except (OSError, StoreError) as error:
        raise CannotServe(f"the store in {config.store.path} cannot be opened: {error}") from error
    return Ground(store, EmbeddedBlobs(config.store.path, clock=clock))
