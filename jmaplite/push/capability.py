"""What web push adds to a server's capabilities (RFC 8620 §7.2, RFC 9749, draft-ietf-jmap-emailpush-03)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jmaplite.core.catalog import CORE, Capability, Catalog
from jmaplite.core.context import Services
from jmaplite.core.limits import Limits
from jmaplite.core.methods import STANDARD
from jmaplite.core.schema import DataType

WEBPUSH_VAPID = "urn:ietf:params:jmap:webpush-vapid"
EMAIL_PUSH = "urn:ietf:params:jmap:emailpush"

EMAIL = "Email"
"""The type that EmailPush objects tell of; they are there only where it is."""


@dataclass(frozen=True, slots=True)
class SubscriptionSettings:
    """What holds for push subscriptions: how many one user may have, and how they may be asked for.

    `verify_gap` is the least time between two verifications that a user asks for, in seconds, when there were many of
    late; `allow_private` takes URLs of private networks, and of this machine without TLS too.
    """

    catalog: Catalog
    max_total: int = 100
    verify_gap: float = 60.0
    allow_private: bool = False

    @property
    def emails(self) -> DataType | None:
        """The description of Email, if EmailPush objects are sent."""
        known = self.catalog.capability(EMAIL_PUSH) is not None
        return email_type(self.catalog.capabilities) if known else None


def subscription_settings(services: Services) -> SubscriptionSettings:
    """The settings in force: they stand under the URN of the core, whose methods go by them."""
    found: SubscriptionSettings = services.settings[CORE.urn]
    return found


def email_type(capabilities: Sequence[Capability]) -> DataType | None:
    """The description of Email among the types of capabilities."""
    kinds: list[DataType] = [kind for capability in capabilities for kind in capability.types]
    return next((kind for kind in kinds if kind.name == EMAIL), None)


def with_push(
    capabilities: Sequence[Capability], subscription: DataType, application_server_key: Callable[[], str]
) -> tuple[Capability, ...]:
    """The capabilities of a server that pushes: methods for subscriptions in the core, and what goes with them."""
    core = next(capability for capability in capabilities if capability.urn == CORE.urn)
    extended = replace(
        core,
        methods=(*core.methods, *subscription.standard_methods(STANDARD)),
        types=(*core.types, subscription),
    )

    def vapid(limits: Limits) -> dict[str, Any]:
        return {"applicationServerKey": application_server_key()}

    more = [Capability(WEBPUSH_VAPID, session=vapid, account=None)]
    if email_type(capabilities) is not None:
        more.append(Capability(EMAIL_PUSH, session=lambda limits: {}, account=lambda limits, access: {}))
    return (*(extended if capability is core else capability for capability in capabilities), *more)
