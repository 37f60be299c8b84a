"""What whoever runs a server does with a queue: look at it, try at once, hold, take out."""

from __future__ import annotations

from dataclasses import dataclass

from jmaplite.blobs import Blobs
from jmaplite.datatypes.submission import queue
from jmaplite.store import Reader, Writer

HELD = 1 << 40
"""The next attempt, in seconds since the epoch, of what is held: it never comes."""

REMOVED = "550 5.7.0 Taken out of the queue by the administrator"


@dataclass(frozen=True, slots=True)
class Pending:
    """A recipient of a waiting message: the last answer, and when it is next tried (seconds; None: it is held)."""

    address: str
    is_elsewhere: bool
    attempts: int
    next_attempt: int | None
    reply: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in a queue: `release` is when it was or will be first tried, in seconds."""

    number: int
    sender: str
    release: int
    recipients: tuple[Pending, ...]


def waiting(tx: Reader) -> list[Waiting]:
    """The messages in the queue of an account, the oldest first."""
    sql = "SELECT id, mail_from, release_time FROM outgoing WHERE account=? ORDER BY id"
    rows = tx.rows(sql, tx.account)
    return [Waiting(number, sender, release, _pending(tx, number)) for number, sender, release in rows]


def _pending(tx: Reader, number: int) -> tuple[Pending, ...]:
    sql = (
        "SELECT address, route, attempts, next_attempt, smtp_reply FROM outgoing_recipient"
        " WHERE account=? AND id=? AND next_attempt IS NOT NULL ORDER BY n"
    )
    return tuple(
        Pending(address, route == "relay", attempts, None if due >= HELD else due, reply)
        for address, route, attempts, due, reply in tx.rows(sql, tx.account, number)
    )


def retry(tx: Writer, number: int, now: int) -> bool:
    """Try a message now, held or not, but none before its time; answers whether it is in the queue."""
    release = tx.value("SELECT release_time FROM outgoing WHERE account=? AND id=?", tx.account, number)
    return release is not None and _set(tx, number, max(now, int(release)))


def hold(tx: Writer, number: int) -> bool:
    """Try a message no more until `retry`; answers whether it is in the queue."""
    return _set(tx, number, HELD)


def _set(tx: Writer, number: int, due: int) -> bool:
    if tx.value("SELECT 1 FROM outgoing WHERE account=? AND id=?", tx.account, number) is None:
        return False
    sql = "UPDATE outgoing_recipient SET next_attempt=? WHERE account=? AND id=? AND next_attempt IS NOT NULL"
    tx.execute(sql, due, tx.account, number)
    tx.change(queue.AUTOMATIC)
    return True


def remove(tx: Writer, blobs: Blobs, number: int) -> bool:
    """Take a message out: who it was still to go to gets it no more, and nobody is told by mail.

    Answers whether it was in the queue.
    """
    if not queue.claim(tx, number):
        return False
    queue.cancel(tx, blobs, number, REMOVED)
    queue.touch(tx, number)
    return True
