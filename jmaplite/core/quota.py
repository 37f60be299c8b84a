"""What an account holds and how much it may hold (RFC 8620 §5.3 overQuota, RFC 9425).

A type whose records count calls `take` before it writes one and `give_back` when one ends. What they take up is kept,
for every account, so that a quota may come and go; it is gathered and written once, at the end of the work.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from jmaplite.core.errors import SetError
from jmaplite.core.records import bury
from jmaplite.store import Reader, Writer

NAME = "Storage"
"""The name of an account's quota (RFC 9425 §4.1)."""


@dataclass(slots=True)
class _Balance:
    """What the account holds, in octets, and may hold (None: no limit); what has come and gone since the last flush."""

    used: int
    limit: int | None
    gathered: Counter[str] = field(default_factory=Counter)

    def count(self, type_name: str, octets: int) -> None:
        self.used += octets
        self.gathered[type_name] += octets


def take(tx: Writer, type_name: str, octets: int) -> None:
    """Count a record that is about to be made. Raises SetError overQuota; nothing is counted then."""
    balance = _balance(tx)
    if balance.limit is not None and balance.used + octets > balance.limit:
        raise SetError("overQuota", f"the account may hold {balance.limit} octets, of which {balance.used} are taken")
    balance.count(type_name, octets)


def give_back(tx: Writer, type_name: str, octets: int) -> None:
    """Count a record that ends."""
    _balance(tx).count(type_name, -octets)


def used(tx: Reader) -> int:
    """How many octets the account holds; of a writer, those that it has not flushed yet are missing."""
    return int(tx.value("SELECT coalesce(sum(octets), 0) FROM usage WHERE account=?", tx.account))


def used_by(tx: Reader, type_name: str) -> int:
    """How many octets the records of a type take up."""
    return int(tx.value("SELECT octets FROM usage WHERE account=? AND type=?", tx.account, type_name) or 0)


def limit(tx: Reader) -> int | None:
    """How many octets the account may hold; None: as many as it likes."""
    found: int | None = tx.value("SELECT hard_limit FROM quota WHERE account=?", tx.account)
    return found


def settle(tx: Writer, octets: int) -> None:
    """Let the account hold so many octets, whatever it holds already; 0: as many as it likes."""
    _flush(tx)
    row = tx.row("SELECT id, hard_limit FROM quota WHERE account=?", tx.account)
    if row is None:
        if octets:
            number = tx.change("Quota")
            tx.execute(
                "INSERT INTO quota (account, id, changed, counted, resource_type, scope, name, hard_limit)"
                " VALUES (?, ?, ?, 0, 'octets', 'account', ?, ?)",
                tx.account,
                number,
                number,
                NAME,
                octets,
            )
    elif not octets:
        tx.execute("DELETE FROM quota WHERE account=? AND id=?", tx.account, row[0])
        bury(tx, "Quota", row[0])
    elif octets != row[1]:
        sql = "UPDATE quota SET changed=?, hard_limit=? WHERE account=? AND id=?"
        tx.execute(sql, tx.change("Quota"), octets, tx.account, row[0])


def _balance(tx: Writer) -> _Balance:
    found: _Balance | None = tx.scratch.get(_Balance)
    if found is None:
        found = tx.scratch[_Balance] = _Balance(used(tx), limit(tx))
        tx.at_end(lambda: _flush(tx))
    return found


def _flush(tx: Writer) -> None:
    """Write what was gathered so far."""
    balance: _Balance | None = tx.scratch.pop(_Balance, None)
    if balance is None:
        return
    for type_name, octets in balance.gathered.items():
        if octets:
            tx.execute(
                "INSERT INTO usage (account, type, octets) VALUES (?, ?, ?)"
                " ON CONFLICT (account, type) DO UPDATE SET octets=usage.octets+excluded.octets",
                tx.account,
                type_name,
                octets,
            )
    if balance.limit is not None and balance.gathered.total():
        tx.execute("UPDATE quota SET counted=? WHERE account=?", tx.change("Quota"), tx.account)
