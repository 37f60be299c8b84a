"""Delivery into an account of this server: once for each message of a queue, however often it is tried."""

from __future__ import annotations

from collections.abc import Collection

from jmaplite.core.context import Services
from jmaplite.datatypes.mail.folders import make_mailbox
from jmaplite.datatypes.mail.ingest import insert, prepare
from jmaplite.datatypes.submission import queue
from jmaplite.store import Reader, Writer

KEPT_SECONDS = 90 * 86400
"""How long it is remembered what has arrived: far longer than any queue tries to deliver."""


def deliver(
    services: Services,
    account_id: str,
    owner: str,
    octets: bytes,
    *,
    source: str,
    number: int,
    addresses: Collection[str],
) -> None:
    """Put a message of another account's queue into the inbox of an account; nothing happens if it has come before.

    `owner` is the name of the account's principal; `source` and `number` tell the message from all others. Raises
    StoreError, and SetError overQuota.
    """
    account = services.store.account(account_id)
    with account.read() as tx:
        if queue.arrived(tx, source, number).issuperset(addresses):
            return
    prepared = prepare(services, account_id, octets)
    now = int(services.clock())

    def work(tx: Writer) -> None:
        known = queue.arrived(tx, source, number)
        if not known:
            insert(tx, services.blobs, prepared, frozenset({inbox(tx, owner)}), frozenset(), now)
        queue.note_arrival(tx, source, number, [one for one in addresses if one not in known], now, KEPT_SECONDS)

    account.write(work)


def inbox(tx: Writer, owner: str) -> int:
    """The number of the Mailbox that mail comes into: if none has the role, the oldest one, made if need be."""
    return _find(tx, "role='inbox'") or _find(tx, "1=1") or make_mailbox(tx, owner, "Inbox", role="inbox")


def _find(tx: Reader, where: str) -> int | None:
    found: int | None = tx.value(f"SELECT min(id) FROM mailbox WHERE account=? AND {where}", tx.account)
    return found
