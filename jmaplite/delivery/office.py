"""What delivery works with: another configuration makes another office over the same store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jmaplite.core.accounts import account_of
from jmaplite.core.context import Services
from jmaplite.delivery.filing import Filter, keep
from jmaplite.delivery.outcomes import Schedule
from jmaplite.directory import Directory, Principal
from jmaplite.store import Writer


@dataclass(frozen=True, slots=True)
class Office:
    """Services and users; `fill` writes what a new account gets, `host` is our name in mail.

    `decide` says what becomes of a message that has come in. `largest` is octets of a message, `recipients` how many
    one may have, `remember` for how many seconds a message from elsewhere is known that comes again. `schedule` says
    when what could not be delivered is tried again.
    """

    services: Services
    directory: Directory
    fill: Callable[[Writer, str], None]
    host: str
    decide: Filter = keep
    largest: int = 75_000_000
    recipients: int = 100
    remember: int = 7 * 86400
    schedule: Schedule = field(default_factory=Schedule)

    def account(self, principal: Principal) -> str:
        """The id of a principal's account, made if it is missing. Raises StoreError."""
        return account_of(self.services.store, principal, self.fill)
