"""How far each push subscription is: what its receiver has been told, what failed, and when it goes on.

It stands in the subscription's own row, so that a restart loses nothing. What is pending is not kept: it is whatever
differs between what was told and what is.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orjson import loads

from jmaplite.core.context import Context
from jmaplite.core.json import dumps
from jmaplite.core.kinds import utc_seconds
from jmaplite.push.capability import subscription_settings
from jmaplite.push.states import States, states, view
from jmaplite.store import Column, Reader, Row, Table, Value, Writer

TYPE = "PushSubscription"

COLUMNS = (
    Column("credential", "text", default=""),
    Column("code", "text", default=""),
    Column("asked", "integer", default=0),
    Column("told", "text", default="{}"),
    Column("arrived", "text", default="{}"),
    Column("failures", "integer", default=0),
    Column("waits", "integer", default=0),
    Column("due", "real", default=0.0),
)
"""With what it was made; the code it is verified by, and whether that has been sent; what was told of states and of
arrivals; how often the message at hand has failed, and how often its receiver had us wait; and not before when there is
another, in seconds."""

VERIFICATION = Table("push_verification", (Column("id", "integer"), Column("at", "real")), ("id",), clustered=False)
"""When verifications were asked for of late."""

VERIFICATIONS_AT_ONCE = 10
"""How many verifications a user may ask for before there has to be a gap between them."""

_WHERE = "WHERE account=? AND id=?"


@dataclass(frozen=True, slots=True)
class Told:
    """What a receiver knows: states by account, and the value of the newest message that was pushed, by account."""

    states: Mapping[str, States] = field(default_factory=dict)
    arrived: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as the sender sees it."""

    number: int
    url: str
    keys: Mapping[str, str] | None = field(repr=False)
    is_verified: bool
    expires: float
    types: frozenset[str] | None
    emails: Mapping[str, Mapping[str, Any]]
    """EmailPushConfigs by account id."""
    credential: str
    code: str = field(repr=False)
    is_asked: bool
    told: Told
    failures: int
    waits: int
    due: float


def baseline(ctx: Context) -> Told:
    """What there is now in every account of the user. Raises StoreError."""
    settings, store = subscription_settings(ctx.services), ctx.services.store
    return Told(
        {
            account_id: states(store, account_id, types)
            for account_id, types in view(settings.catalog, ctx.accounts).items()
        }
    )


def first_columns(credential: str, code: str, told: Told) -> dict[str, Value]:
    """The columns of a subscription that is made now."""
    return {"credential": credential, "code": code, "told": _text(told.states), "arrived": _text(told.arrived)}


def is_alive(tx: Reader, number: int, credential: str, now: float) -> bool:
    """Whether there is a subscription that was made with these credentials and has not ended."""
    row = tx.row(f"SELECT credential, expires FROM push_subscription {_WHERE}", tx.account, number)
    return row is not None and row[0] == credential and utc_seconds(row[1]) > now


def count(tx: Reader) -> int:
    """How many subscriptions there are."""
    return int(tx.value("SELECT count(*) FROM push_subscription WHERE account=?", tx.account))


def subscriptions(tx: Reader) -> list[Subscription]:
    """Every subscription of an account."""
    return [_subscription(row) for row in tx.rows(f"{_SELECT} WHERE account=? ORDER BY id", tx.account)]


def is_code(tx: Reader, number: int, code: str | None) -> bool:
    """Whether this is the code that a subscription is verified by."""
    known = tx.value(f"SELECT code FROM push_subscription {_WHERE}", tx.account, number)
    return code is not None and hmac.compare_digest(str(known).encode(), code.encode("utf-8", "replace"))


def may_ask(tx: Writer, now: float, gap: float) -> bool:
    """Note that a verification is asked for, unless there were too many of late."""
    tx.execute("DELETE FROM push_verification WHERE account=? AND (at<=? OR at>?)", tx.account, now - gap, now)
    if gap and tx.value("SELECT count(*) FROM push_verification WHERE account=?", tx.account) >= VERIFICATIONS_AT_ONCE:
        return False
    tx.execute("INSERT INTO push_verification (account, id, at) VALUES (?, ?, ?)", tx.account, tx.change(TYPE), now)
    return True


def note_arrivals(tx: Writer, number: int, arrived: Mapping[str, int]) -> None:
    """Take for known what has arrived in accounts whose messages have not been pushed up to now."""
    row = tx.row(f"SELECT arrived, email_push FROM push_subscription {_WHERE}", tx.account, number)
    assert row is not None
    known, configs = loads(row[0]), loads(row[1]) if row[1] is not None else {}
    kept = {name: known.get(name, value) if name in configs else value for name, value in arrived.items()}
    tx.execute(f"UPDATE push_subscription SET arrived=? {_WHERE}", _text(kept), tx.account, number)


def note_verification(tx: Writer, number: int, due: float) -> None:
    """The code has been sent, or cannot be: it is not sent again."""
    tx.execute(f"UPDATE push_subscription SET asked=1, failures=0, waits=0, due=? {_WHERE}", due, tx.account, number)


def note_told(tx: Writer, number: int, told: Told, due: float) -> None:
    """The receiver knows this, or will not be told it again."""
    row = tx.row(f"SELECT told, arrived FROM push_subscription {_WHERE}", tx.account, number)
    if row is None:
        return
    states, arrived = loads(row[0]), loads(row[1])
    for account_id, news in told.states.items():
        states[account_id] = {**states.get(account_id, {}), **news}
    arrived |= {name: max(value, arrived.get(name, 0)) for name, value in told.arrived.items()}
    sql = f"UPDATE push_subscription SET told=?, arrived=?, failures=0, waits=0, due=? {_WHERE}"
    tx.execute(sql, _text(states), _text(arrived), due, tx.account, number)


def note_failure(tx: Writer, number: int, failures: int, waits: int, due: float) -> None:
    """The message at hand is to be tried again, not before a time."""
    sql = f"UPDATE push_subscription SET failures=?, waits=?, due=? {_WHERE}"
    tx.execute(sql, failures, waits, due, tx.account, number)


def end(tx: Writer, number: int) -> None:
    """Destroy a subscription; its URL and keys are overwritten where they stand (RFC 8620 §7.2)."""
    # Zeros in the same length go where the secrets were; a row that is only deleted stays in its page for long.
    row = tx.row(f"SELECT url, keys, code FROM push_subscription {_WHERE}", tx.account, number)
    if row is None:
        return
    erased = ["0" * len(value.encode()) if value is not None else None for value in row]
    tx.execute(f"UPDATE push_subscription SET url=?, keys=?, code=? {_WHERE}", *erased, tx.account, number)
    tx.execute(f"DELETE FROM push_subscription {_WHERE}", tx.account, number)
    tx.change(TYPE)


def end_expired(tx: Writer, now: float) -> None:
    """Destroy what has ended by itself."""
    for number, expires in tx.rows("SELECT id, expires FROM push_subscription WHERE account=?", tx.account):
        if utc_seconds(expires) <= now:
            end(tx, number)


_SELECT = (
    "SELECT id, url, keys, verification_code, expires, types, email_push, credential, code, asked, told, arrived,"
    " failures, waits, due FROM push_subscription"
)


def _subscription(row: Row) -> Subscription:
    number, url, keys, verified, expires, types, emails, credential, code, asked, told, arrived, *ahead = row
    failures, waits, due = ahead
    return Subscription(
        number,
        url,
        loads(keys) if keys is not None else None,
        verified is not None,
        utc_seconds(expires),
        frozenset(loads(types)) if types is not None else None,
        loads(emails) if emails is not None else {},
        credential,
        code,
        bool(asked),
        Told(loads(told), loads(arrived)),
        failures,
        waits,
        due,
    )


def _text(value: Mapping[str, Any]) -> str:
    return dumps(value).decode()
