"""Where a test fixture comes in: what a server takes from an extension, which on its own adds nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from jmaplite.config import Config
from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Services, random_octets
from jmaplite.core.engine import Engine
from jmaplite.delivery import Relay
from jmaplite.directory import Directory
from jmaplite.push import Hub, Visible
from jmaplite.push.webpush import Equipment
from jmaplite.server.ground import Ground
from jmaplite.store import Store
from jmaplite.store.sqlite import random_account_id
from jmaplite.web import App


class Running(Protocol):
    """The server as an extension sees it."""

    @property
    def config(self) -> Config:
        """The configuration in use."""

    @property
    def urls(self) -> Mapping[str, tuple[str, ...]]:
        """Where each listener accepts connections, by its id."""

    async def reload(self, config: Config) -> None:
        """Serve by another configuration from now on. Raises CannotServe."""

    def forget_credentials(self) -> None:
        """Ask the directory anew who somebody is, from now on."""

    def tidy(self) -> None:
        """Do now what is done from time to time: take out what has expired."""


class Extension:
    """What every server has; a fixture has its own of each."""

    clock: Callable[[], float] = staticmethod(time.time)
    """Seconds since the epoch."""

    account_id: Callable[[], str] = staticmethod(random_account_id)
    """The id for another account."""

    chance: Callable[[str, int], bytes] = staticmethod(random_octets)
    """So many octets for a purpose, left to chance."""

    durable = True
    """Whether what is stored has to outlive a crash of the machine."""

    def follow(self, config: Config) -> None:
        """Another configuration is about to be used, or the first."""

    def opened(self, ground: Ground) -> None:
        """The store is open."""

    def users(self, base: Directory) -> Directory:
        """The directory to use, in the place of a configuration's."""
        return base

    def make_engine(self, services: Services, catalog: Catalog, directory: Directory) -> Engine:
        """The engine to use."""
        return Engine(services, catalog, directory)

    def relay(self, base: Relay) -> Relay:
        """What sends mail to other servers, in the place of a configuration's."""
        return base

    def make_hub(self, store: Store, visible: Visible) -> Hub:
        """The hub to use."""
        return Hub(store, visible)

    def equip(self, equipment: Equipment) -> Equipment:
        """What the sender of web pushes works with."""
        return equipment

    def install(self, app: App) -> None:
        """An application is about to be used."""

    def begin(self) -> None:
        """All is there but for connections. May take time."""

    def started(self, server: Running) -> None:
        """The server accepts connections, in the event loop that calls this."""


def extension(config: Config) -> Extension:
    """The extension that a configuration asks for."""
    if not config.dev.enable:
        return Extension()
    from jmaplite.dev.fixture import Fixture

    return Fixture(config.dev)
