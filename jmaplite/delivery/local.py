"""Delivery from the queue of one account into another: once for each message, however often it is tried."""

from __future__ import annotations

from collections.abc import Collection

from jmaplite.core.context import Services
from jmaplite.datatypes.submission import queue
from jmaplite.delivery.filing import Delivery, Filter, make_ready
from jmaplite.store import Writer

KEPT_SECONDS = 90 * 86400
"""How long it is remembered what has arrived: far longer than any queue tries to deliver."""


def deliver(
    services: Services,
    delivery: Delivery,
    decide: Filter,
    *,
    source: str,
    number: int,
    addresses: Collection[str],
) -> str | None:
    """Put a message of another account's queue into an account; nothing happens if it has come before.

    `source` and `number` tell the message from all others. Answers why the account refuses it, if it does. Raises
    StoreError, and SetError overQuota.
    """
    account = services.store.account(delivery.account_id)
    with account.read() as tx:
        if queue.arrived(tx, source, number).issuperset(addresses):
            return None
    ready = make_ready(services, delivery, decide)
    now = int(services.clock())

    def work(tx: Writer) -> None:
        known = queue.arrived(tx, source, number)
        if not known:
            ready.write(tx)
        queue.note_arrival(tx, source, number, [one for one in addresses if one not in known], now, KEPT_SECONDS)

    if ready.plan.refusal is None:
        account.write(work)
    elif ready.plan.sendings:
        account.write(ready.write)
    return ready.plan.refusal
