"""A configuration furnished: catalog, engine and directory on the ground of a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jmaplite.config import Config
from jmaplite.core.catalog import CORE, Catalog
from jmaplite.core.context import Services
from jmaplite.core.engine import Engine
from jmaplite.datatypes import capabilities
from jmaplite.datatypes.mail.capability import MAIL
from jmaplite.datatypes.mail.transfer import Transfer, TransferFailed
from jmaplite.datatypes.sieve import SIEVE
from jmaplite.datatypes.submission import SUBMISSION
from jmaplite.datatypes.submission.transfer import take_identities
from jmaplite.datatypes.vacation import VACATION_RESPONSE
from jmaplite.delivery import Office, Relay, Schedule, filtering
from jmaplite.directory import Directory, Principal
from jmaplite.push import View, view
from jmaplite.push.transports import WEBSOCKET, push_capabilities, push_resources
from jmaplite.push.webpush import Equipment
from jmaplite.server.directories import directory
from jmaplite.server.extension import Extension
from jmaplite.server.ground import CannotServe, Ground, opened
from jmaplite.server.pushing import equipment, pushing, signer, subscription_settings
from jmaplite.server.relaying import relay
from jmaplite.server.settings import leniency, limits, mail_settings, sieve_settings, submission_settings


@dataclass(frozen=True, slots=True)
class Parts:
    """What a configuration is made of, drivers picked. Another configuration makes others on the same ground."""

    ground: Ground
    directory: Directory
    engine: Engine
    web_push: Equipment | None
    relay: Relay

    def sees(self, principal: Principal) -> View | None:
        """What a principal is told of changes of; None if it, or what it logged in with, is no more."""
        present = self.engine.present(principal.name, principal.credential)
        return None if present is None else view(self.engine.catalog, self.engine.accounts(present))

    def close(self) -> None:
        """Let go of every file and connection, the ground's too."""
        self.directory.close()
        self.ground.close()


def furnish(
    ground: Ground,
    config: Config,
    users: Directory | None = None,
    extension: Extension | None = None,
    way_out: Relay | None = None,
) -> Parts:
    """The parts that a configuration asks for, over a store that is open.

    `users` and `way_out` if its directory and its relay are there already. Raises CannotServe.
    """
    extension = extension or Extension()
    way_out = way_out or extension.relay(relay(config))
    mail, submission, sieve = mail_settings(config), submission_settings(config, way_out), sieve_settings(config)
    off = config.capabilities.off
    has_sockets = config.web_socket.timeout > 0 and WEBSOCKET not in off
    transports = push_capabilities(push=config.push.enable) if has_sockets else ()
    resources = push_resources(websocket=has_sockets, push=config.push.enable)
    vapid = signer(ground, config, extension.clock)
    slices = (*capabilities(mail, submission, sieve, without=off), *transports)
    catalog = Catalog(pushing(slices, config, vapid), resources=resources).without(off)
    users = users or extension.users(directory(config, extension.clock))
    settings = {MAIL: mail, SUBMISSION: submission, SIEVE: sieve, CORE.urn: subscription_settings(config, catalog)}
    services = Services(
        ground.store, ground.blobs, limits(config), extension.clock, settings, leniency(config), extension.chance
    )
    engine = extension.make_engine(services, catalog, users)
    sender = equipment(config, engine, vapid)
    return Parts(ground, users, engine, extension.equip(sender) if sender is not None else None, way_out)


def office(parts: Parts, config: Config) -> Office:
    """What delivery works with."""
    return Office(
        parts.engine.services,
        parts.directory,
        parts.engine.catalog.fill,
        config.server.hostname,
        filtering(
            parts.engine.services,
            config.server.hostname,
            scripts=SIEVE in parts.engine.catalog.urns,
            vacation=VACATION_RESPONSE in parts.engine.catalog.urns,
        ),
        largest=config.email.max_size,
        recipients=config.recipients.max_recipients,
        remember=config.recipients.duplicate_expiry,
        schedule=Schedule(config.queue.retry, config.queue.notify, config.queue.expire),
    )


def compose(config: Config, *, create: bool = True) -> Parts:
    """The same over the store that the configuration names, made if it is not there, or not. Raises CannotServe."""
    ground = opened(config, create=create)
    ground.join()
    try:
        return furnish(ground, config)
    except CannotServe:
        ground.close()
        raise


@contextmanager
def transfer(config: Config, *, create: bool = True) -> Iterator[Transfer]:
    """What commands do with the mail of a configuration's accounts; `create` as above. Raises TransferFailed."""
    try:
        parts = compose(config, create=create)
    except CannotServe as error:
        raise TransferFailed(str(error)) from error
    try:
        yield Transfer(parts.engine.services, parts.directory, parts.engine.catalog.fill, take_identities)
    finally:
        parts.close()
