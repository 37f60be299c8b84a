"""Web push as a configuration has it: what subscriptions go by, who signs, and what the sender works with."""

from __future__ import annotations

from collections.abc import Callable

from jmaplite.config import Config
from jmaplite.core.catalog import Capability, Catalog
from jmaplite.core.engine import Engine
from jmaplite.push.capability import SubscriptionSettings, with_push
from jmaplite.push.client import Client, SystemResolver
from jmaplite.push.desk import Desk, Pace
from jmaplite.push.subscription import PUSH_SUBSCRIPTION
from jmaplite.push.vapid import Vapid, new_key
from jmaplite.push.webpush import Equipment
from jmaplite.server.ground import Ground

KEY = "vapid.pem"
"""What the store keeps the private key under."""


def signer(ground: Ground, config: Config, clock: Callable[[], float]) -> Vapid:
    """Whoever signs web pushes: its key is made when it is first needed, and kept with the store."""
    # Some push services let nobody in who does not say whom to turn to.
    contact = config.push.contact or f"mailto:postmaster@{config.server.hostname}"
    return Vapid(lambda: ground.store.secret(KEY, new_key), contact, clock)


def pushing(capabilities: tuple[Capability, ...], config: Config, vapid: Vapid) -> tuple[Capability, ...]:
    """The capabilities, with web push unless that is switched off."""
    if not config.push.enable:
        return capabilities
    return with_push(capabilities, PUSH_SUBSCRIPTION, lambda: vapid.application_server_key)


def subscription_settings(config: Config, catalog: Catalog) -> SubscriptionSettings:
    """The limits of push subscriptions."""
    push = config.push
    return SubscriptionSettings(catalog, push.max_total, push.timeout_verify, push.allow_private)


def equipment(config: Config, engine: Engine, vapid: Vapid) -> Equipment | None:
    """What the sender works with, or None if web push is switched off."""
    push = config.push
    if not push.enable:
        return None
    desk = Desk(engine, vapid, Pace(push.throttle, push.attempts_interval, push.attempts_max))
    client = Client(SystemResolver(), timeout=push.timeout_request, allow_private=push.allow_private)
    return Equipment(desk, client, push.retry_interval)
