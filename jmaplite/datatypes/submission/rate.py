"""How many recipients an account may send to in some time; what was sent is remembered for as long."""

from __future__ import annotations

import math

from jmaplite.core.errors import SetError
from jmaplite.store import Column, Table, Writer

SENT = Table(
    "sent_recipients",
    (Column("time", "integer"), Column("id", "integer"), Column("recipients", "integer")),
    ("time", "id"),
)
"""Recipients of each EmailSubmission by the time at which it was made (in seconds); they outlive it."""


def count(tx: Writer, number: int, recipients: int, rate: tuple[int, float], now: float) -> None:
    """Count the recipients of an EmailSubmission. Raises SetError rateLimit if an account has too many."""
    most, seconds = rate
    if not most:
        return
    tx.execute("DELETE FROM sent_recipients WHERE account=? AND time<=?", tx.account, math.floor(now - seconds))
    before = tx.value("SELECT coalesce(sum(recipients), 0) FROM sent_recipients WHERE account=?", tx.account)
    if int(before) + recipients > most:
        raise SetError("rateLimit", f"mail goes to at most {most} recipients in {seconds:g} seconds")
    sql = "INSERT INTO sent_recipients (account, time, id, recipients) VALUES (?, ?, ?, ?)"
    tx.execute(sql, tx.account, int(now), number, recipients)
