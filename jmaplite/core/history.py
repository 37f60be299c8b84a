"""How far back changes are known: tombstones end one day, and so do the states from before (RFC 8620 §5.2).

From time to time the state of every type is noted. What a type's state was at the last note that is older than the
history to be kept is the floor of its history: whoever was told a state since then was told that one or a later one.
So tombstones up to the floor serve nobody, and from states below it changes cannot be calculated any more. A type that
does not change keeps its floor at or below its state, however old that gets.
"""

from __future__ import annotations

from collections.abc import Iterable

from jmaplite.store import Reader, Writer

_NOTES = 100
"""How many notes there are in the history to be kept, at most."""


def tidy(tx: Writer, type_names: Iterable[str], now: int, seconds: int) -> int:
    """Note the states of types, and forget what is older than `seconds`; answers how many tombstones went.

    `now` is in seconds since the epoch. Call it a few times a day, or more often: it writes only what is new.
    """
    removed = 0
    for name in type_names:
        _note(tx, name, now, seconds // _NOTES, name)
        removed += _trim(tx, name, now - seconds)
    return removed


def floor(tx: Reader, type_name: str) -> int:
    """The lowest state of a type from which changes can be calculated."""
    noted = tx.value("SELECT min(value) FROM noted_state WHERE account=? AND type=?", tx.account, type_name)
    return int(noted or 0)


def state_before(tx: Writer, type_name: str, purpose: str, now: int, seconds: int) -> int:
    """The state of a type `seconds` ago, or not much longer; 0 where it was not asked for then.

    It is noted for this `purpose` alone, so that it is known for as long as that takes. Call it as often as `tidy`.
    """
    name = f"{type_name} {purpose}"
    _note(tx, type_name, now, seconds // _NOTES, name)
    sql = "SELECT at, value FROM noted_state WHERE account=? AND type=? AND at<=? ORDER BY at DESC LIMIT 1"
    found = tx.row(sql, tx.account, name, now - seconds)
    if found is None:
        return 0
    at, value = found
    if tx.value("SELECT 1 FROM noted_state WHERE account=? AND type=? AND at<?", tx.account, name, at):
        tx.execute("DELETE FROM noted_state WHERE account=? AND type=? AND at<?", tx.account, name, at)
    return int(value)


def _note(tx: Writer, type_name: str, now: int, interval: int, name: str) -> None:
    """Note a type's state under a name, unless it was noted less than `interval` seconds ago or is the same still."""
    sql = "SELECT at, value FROM noted_state WHERE account=? AND type=? ORDER BY at DESC LIMIT 1"
    last = tx.row(sql, tx.account, name)
    insert = "INSERT INTO noted_state (account, type, at, value) VALUES (?, ?, ?, ?)"
    if last is None:
        # What was before the first note is known as well, as nothing has been forgotten yet.
        tx.execute(insert, tx.account, name, 0, 0)
        last = (0, 0)
    at, value = last
    if now > at and now - at >= interval and tx.state(type_name) != value:
        tx.execute(insert, tx.account, name, now, tx.state(type_name))


def _trim(tx: Writer, name: str, before: int) -> int:
    """Forget the tombstones that no state told since `before` needs; answers how many."""
    sql = "SELECT at, value FROM noted_state WHERE account=? AND type=? AND at<=? ORDER BY at DESC LIMIT 1"
    last = tx.row(sql, tx.account, name, before)
    if last is None:
        return 0
    at, value = last
    older = "account=? AND type=? AND ended<=?"
    removed = tx.value(f"SELECT count(*) FROM tombstone WHERE {older}", tx.account, name, value)
    if removed:
        tx.execute(f"DELETE FROM tombstone WHERE {older}", tx.account, name, value)
    if tx.value("SELECT 1 FROM noted_state WHERE account=? AND type=? AND at<?", tx.account, name, at):
        tx.execute("DELETE FROM noted_state WHERE account=? AND type=? AND at<?", tx.account, name, at)
    return int(removed)
