"""One configuration at work: all that is made of it, and nothing that outlives it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from jmaplite.config import Config
from jmaplite.delivery import Incoming
from jmaplite.delivery.managesieve import Desk
from jmaplite.directory.credentials import Credentials
from jmaplite.formats.mime import decode
from jmaplite.push import Hub
from jmaplite.server.extension import Extension
from jmaplite.server.ground import Ground
from jmaplite.server.parts import Parts, furnish, office
from jmaplite.server.scripts import log_in
from jmaplite.server.settings import http_settings, listeners
from jmaplite.server.watching import Mark, mark, named
from jmaplite.web import App, Listener, Status, Timeouts, create_admin, create_app
from jmaplite.web.rates import Rates

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Edition:
    """A configuration, and what is made of it. It never changes: another configuration makes another edition."""

    config: Config
    parts: Parts
    credentials: Credentials
    app: App
    admin: App
    desk: Desk
    marks: dict[Path, Mark]
    """What tells whether files of the directory have changed since."""

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The listeners that are asked for."""
        return listeners(self.config)

    def app_of(self, listener: Listener) -> App:
        """What serves a listener."""
        return self.admin if listener.protocol == "admin" else self.app

    @property
    def incoming(self) -> Incoming:
        """What takes mail in."""
        return Incoming(office(self.parts, self.config))

    async def startup(self) -> None:
        """Make ready to serve."""
        for app in (self.app, self.admin):
            await app.startup()

    async def shutdown(self) -> None:
        """Let go of everything; nothing is under way."""
        for app in (self.app, self.admin):
            await app.shutdown()

    async def retire(self) -> None:
        """The same when what is under way has ended; nothing more may come."""
        for app in (self.app, self.admin):
            await app.retire()


def edition(
    ground: Ground,
    hub: Hub,
    status: Status,
    config: Config,
    timeouts: Timeouts | None,
    extension: Extension,
    before: Edition | None = None,
) -> Edition:
    """The edition of a configuration. A directory that is the same as before stays, with whom it has recognised."""
    marks = {file: mark(file) for file in named(config.directory)}
    same = before is not None and _is_known_alike(before.config, config) and before.marks == marks
    users = before.parts.directory if before and same else None
    way_out = before.parts.relay if before and _sends_alike(before.config, config) else None
    extension.follow(config)
    parts = furnish(ground, config, users, extension, way_out)
    cache = config.session_cache
    stay = config.directory.cache_ttl_positive
    credentials = Credentials(parts.directory, ttl=cache.ttl, stay=stay, size=cache.size, now=extension.clock)
    if before and same:
        credentials = before.credentials
    settings = http_settings(config, timeouts)
    app = create_app(parts.engine, credentials, decode, settings, hub, status.metrics)
    extension.install(app)
    desk = Desk(parts.engine, log_in(credentials, Rates(settings.rates)))
    return Edition(config, parts, credentials, app, create_admin(settings, status), desk, marks)


def _is_known_alike(before: Config, config: Config) -> bool:
    """Whether two configurations have the same directory, and remember whom it has recognised for as long."""
    return before.directory == config.directory and before.session_cache == config.session_cache


def _sends_alike(before: Config, config: Config) -> bool:
    """Whether two configurations have the same relays, to which we have the same name."""
    return before.relays == config.relays and before.server.hostname == config.server.hostname


def lasting(config: Config, before: Config) -> Config:
    """A configuration but for what is only read at the start, which stays as it was; the log tells of that."""
    if config.store != before.store:
        logger.warning(
            "the store stays in %s: another [store] is taken up when the server is started again", before.store.path
        )
    if config.server.workers != before.server.workers:
        logger.warning("there are %d workers until the server is started again", before.server.workers)
    if config.dev.enable and not before.dev.enable:
        logger.warning("there is no fixture for tests until the server is started again")
    server = replace(config.server, workers=before.server.workers)
    return replace(config, store=before.store, server=server)
