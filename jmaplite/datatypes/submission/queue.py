"""Messages on their way out, in the account of whoever sends them: what is to be delivered to whom, and how that goes.

A message enters the queue in the transaction that makes its EmailSubmission, and lives on if that is destroyed. What
the server sends by itself (answers, redirected mail, reports) enters without one, and is gone when it is done with.
Each recipient takes a route: it is unrouted at first, and whoever finds that it is not of this server gives it to a
relay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orjson import loads

from jmaplite.blobs import Blobs, Staged
from jmaplite.core.json import dumps
from jmaplite.datatypes.submission import rate, receipts
from jmaplite.store import Column, Index, Reader, Table, Value, Writer

TYPE = "EmailSubmission"

AUTOMATIC = "OutgoingMail"
"""Under which the change feed tells of messages that have no EmailSubmission; it is no type of JMAP."""

OUTGOING = Table(
    "outgoing",
    (
        Column("id", "integer"),
        Column("blob", "blob"),
        Column("header_end", "integer"),
        Column("mail_from", "text"),
        Column("parameters", "text"),
        Column("release_time", "integer"),
    ),
    ("id",),
)
"""Messages that are not done with, by the number of their EmailSubmission (or one that none has); `release_time` in
seconds."""

RECIPIENT = Table(
    "outgoing_recipient",
    (
        Column("id", "integer"),
        Column("n", "integer"),
        Column("address", "text"),
        Column("parameters", "text"),
        Column("route", "text"),
        Column("attempts", "integer"),
        Column("next_attempt", "integer", null=True),
        Column("smtp_reply", "text"),
        Column("delivered", "text"),
        Column("displayed", "text"),
        Column("notified", "integer", default=0),
    ),
    ("id", "n"),
    (Index("outgoing_recipient_due", ("route", "next_attempt"), where="next_attempt IS NOT NULL"),),
)
"""Recipients of EmailSubmissions; `next_attempt` (in seconds) is NULL where there is nothing left to do. `notified` is
how often the sender was told that the message is late."""

ARRIVED = Table(
    "arrived_submission",
    (
        Column("source", "text"),
        Column("id", "integer"),
        Column("address", "text"),
        Column("time", "integer"),
    ),
    ("source", "id", "address"),
    (Index("arrived_submission_time", ("time",)),),
)
"""What came into an account from the queues of others (`source` is an account's id), so that it does not come twice."""

RECEIVED = Table(
    "received_message",
    (Column("digest", "blob"), Column("address", "text"), Column("time", "integer")),
    ("digest", "address"),
    (Index("received_message_time", ("time",)),),
)
"""What came into an account from other servers, so that it does not come twice when they send it again."""

TABLES = (OUTGOING, RECIPIENT, ARRIVED, RECEIVED, receipts.SENT, rate.SENT)

Delivered = Literal["queued", "yes", "no", "unknown"]
Route = Literal["", "relay"]
"""How a recipient is reached: not known yet, or by another server."""

_MOST_DUE = 1000

ACCEPTED = "250 2.1.5 Accepted, in the queue"
CANCELED = "550 5.7.0 Canceled by the sender"


@dataclass(frozen=True, slots=True)
class Message:
    """A message with those of its recipients that an attempt is due for; `release` in seconds.

    `is_submitted` is whether it has an EmailSubmission.
    """

    id: int
    blob: bytes
    header_end: int
    mail_from: str
    parameters: Mapping[str, str | None]
    release: int
    recipients: tuple[Recipient, ...]
    is_submitted: bool = False


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient, by its place in the envelope, and how often delivery was tried, and the sender told of a delay."""

    n: int
    address: str
    parameters: Mapping[str, str | None]
    attempts: int
    notified: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: a DeliveryStatus, and when (in seconds) to try again, if at all.

    `notified` is how often the sender is told of a delay by now.
    """

    delivered: Delivered
    smtp_reply: str
    next_attempt: int | None = None
    notified: int = 0


def enqueue(
    tx: Writer, blobs: Blobs, number: int, blob: bytes, header_end: int, envelope: Mapping[str, Any], release: int
) -> None:
    """Queue the message of an EmailSubmission; from `release` (in seconds) on it may be delivered."""
    sender, recipients = envelope["mailFrom"], envelope["rcptTo"]
    _enter(tx, blobs, number, blob, header_end, (sender["email"], sender["parameters"]), recipients, release)


def send(
    tx: Writer,
    blobs: Blobs,
    staged: Staged,
    header_end: int,
    sender: str,
    recipients: Sequence[str],
    release: int,
    parameters: Mapping[str, str | None] | None = None,
) -> int:
    """Queue a message of the server's own, from an address (empty: none that reports go to); answers its number.

    `parameters` are those of each recipient (RFC 5321 §4.1.2).
    """
    number = tx.change(AUTOMATIC)
    blobs.put(tx, staged)
    addresses = [{"email": one, "parameters": parameters or None} for one in recipients]
    _enter(tx, blobs, number, staged.digest, header_end, (sender, None), addresses, release)
    return number


def _enter(
    tx: Writer,
    blobs: Blobs,
    number: int,
    blob: bytes,
    header_end: int,
    sender: tuple[str, Mapping[str, str | None] | None],
    recipients: Sequence[Mapping[str, Any]],
    release: int,
) -> None:
    blobs.refer(tx, blob, TYPE, number)
    tx.execute(
        "INSERT INTO outgoing (account, id, blob, header_end, mail_from, parameters, release_time)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        tx.account,
        number,
        blob,
        header_end,
        sender[0],
        _json(sender[1]),
        release,
    )
    parameters = {address["email"]: address["parameters"] for address in reversed(recipients)}
    tx.executemany(
        "INSERT INTO outgoing_recipient (account, id, n, address, parameters, route, attempts, next_attempt,"
        " smtp_reply, delivered, displayed) VALUES (?, ?, ?, ?, ?, '', 0, ?, ?, 'queued', 'unknown')",
        [
            (tx.account, number, n, address, _json(parameters[address]), release, ACCEPTED)
            for n, address in enumerate(dict.fromkeys(address["email"] for address in recipients))
        ],
    )


def _json(value: Any) -> str:
    return dumps(value).decode()


def length(tx: Reader, most: int) -> int:
    """How many messages are in the queue, counted up to `most`."""
    sql = "SELECT count(*) FROM (SELECT 1 FROM outgoing WHERE account=? LIMIT ?) queued"
    return int(tx.value(sql, tx.account, most))


def delivery_status(tx: Reader, number: int) -> dict[str, Any] | None:
    """The deliveryStatus of an EmailSubmission (RFC 8621 §7)."""
    sql = "SELECT address, smtp_reply, delivered, displayed FROM outgoing_recipient WHERE account=? AND id=? ORDER BY n"
    return {
        address: {"smtpReply": reply, "delivered": delivered, "displayed": displayed}
        for address, reply, delivered, displayed in tx.rows(sql, tx.account, number)
    } or None


def due(tx: Reader, route: Route, now: float) -> list[Message]:
    """Messages with recipients on a route that an attempt is due for, the longest waiting first; of many not all."""
    sql = (
        "SELECT id, n, address, parameters, attempts, notified FROM outgoing_recipient WHERE account=? AND route=?"
        " AND next_attempt<=? ORDER BY next_attempt, id, n LIMIT ?"
    )
    recipients: dict[int, list[Recipient]] = {}
    for number, n, address, parameters, attempts, notified in tx.rows(sql, tx.account, route, now, _MOST_DUE):
        found = Recipient(n, address, _upper(parameters), attempts, notified)
        recipients.setdefault(number, []).append(found)
    return [_message(tx, number, waiting) for number, waiting in recipients.items()]


def _message(tx: Reader, number: int, recipients: Sequence[Recipient]) -> Message:
    sql = "SELECT blob, header_end, mail_from, parameters, release_time FROM outgoing WHERE account=? AND id=?"
    blob, header_end, mail_from, parameters, release = tx.rows(sql, tx.account, number)[0]
    sql = "SELECT 1 FROM email_submission WHERE account=? AND id=?"
    is_submitted = tx.value(sql, tx.account, number) is not None
    return Message(number, blob, header_end, mail_from, _upper(parameters), release, tuple(recipients), is_submitted)


def _upper(parameters: str) -> dict[str, str | None]:
    """Parameters with their names in upper case: in SMTP case does not matter."""
    return {name.upper(): value for name, value in (loads(parameters) or {}).items()}


def next_due(tx: Reader, route: Route) -> int | None:
    """When the next attempt on a route is due, in seconds; None if none is."""
    sql = "SELECT min(next_attempt) FROM outgoing_recipient WHERE account=? AND route=? AND next_attempt IS NOT NULL"
    found: int | None = tx.value(sql, tx.account, route)
    return found


def claim(tx: Writer, number: int) -> bool:
    """From now on a message cannot be unsent; answers whether it still is to be sent."""
    if tx.value("SELECT 1 FROM outgoing WHERE account=? AND id=?", tx.account, number) is None:
        return False
    sql = "SELECT undo_status FROM email_submission WHERE account=? AND id=?"
    if tx.value(sql, tx.account, number) == "pending":
        _update_submission(tx, number, undo_status="final")
    return True


def cancel(tx: Writer, blobs: Blobs, number: int, reply: str = CANCELED) -> None:
    """Take a message out of the queue; whoever it was still to go to does not get it."""
    tx.execute(
        "UPDATE outgoing_recipient SET next_attempt=NULL, delivered='no', smtp_reply=?"
        " WHERE account=? AND id=? AND next_attempt IS NOT NULL",
        reply,
        tx.account,
        number,
    )
    _end(tx, blobs, number)


def hand_over(tx: Writer, number: int, places: Iterable[int]) -> None:
    """Recipients, by their places, are to be reached by a relay."""
    tx.executemany(
        "UPDATE outgoing_recipient SET route='relay' WHERE account=? AND id=? AND n=? AND next_attempt IS NOT NULL",
        [(tx.account, number, n) for n in places],
    )


def settle(tx: Writer, blobs: Blobs, number: int, outcomes: Mapping[int, Outcome]) -> bool:
    """Note what came of attempts, by the places of recipients; answers whether the message still was in the queue.

    One with nothing left to do leaves it.
    """
    if tx.value("SELECT 1 FROM outgoing WHERE account=? AND id=?", tx.account, number) is None:
        return False
    tx.executemany(
        "UPDATE outgoing_recipient SET attempts=attempts+1, next_attempt=?, delivered=?, smtp_reply=?, notified=?"
        " WHERE account=? AND id=? AND n=? AND next_attempt IS NOT NULL",
        [
            (outcome.next_attempt, outcome.delivered, outcome.smtp_reply, outcome.notified, tx.account, number, n)
            for n, outcome in outcomes.items()
        ],
    )
    _update_submission(tx, number)
    left = "SELECT 1 FROM outgoing_recipient WHERE account=? AND id=? AND next_attempt IS NOT NULL LIMIT 1"
    if tx.value(left, tx.account, number) is None:
        _end(tx, blobs, number)
    return True


def forget(tx: Writer, number: int) -> None:
    """An EmailSubmission is destroyed: its recipients go, unless mail is yet to be delivered to them."""
    if tx.value("SELECT 1 FROM outgoing WHERE account=? AND id=?", tx.account, number) is None:
        tx.execute("DELETE FROM outgoing_recipient WHERE account=? AND id=?", tx.account, number)


def _end(tx: Writer, blobs: Blobs, number: int) -> None:
    blob = tx.value("SELECT blob FROM outgoing WHERE account=? AND id=?", tx.account, number)
    if blob is None:
        return
    blobs.unrefer(tx, blob, TYPE, number)
    tx.execute("DELETE FROM outgoing WHERE account=? AND id=?", tx.account, number)
    if tx.value("SELECT 1 FROM email_submission WHERE account=? AND id=?", tx.account, number) is None:
        forget(tx, number)


def touch(tx: Writer, number: int) -> None:
    """What is told of an EmailSubmission has changed."""
    _update_submission(tx, number)


def _update_submission(tx: Writer, number: int, **columns: Value) -> None:
    """An EmailSubmission that is still there has changed."""
    if tx.value("SELECT 1 FROM email_submission WHERE account=? AND id=?", tx.account, number) is not None:
        sets = "".join(f", {name}=?" for name in columns)
        sql = f"UPDATE email_submission SET changed=?{sets} WHERE account=? AND id=?"
        tx.execute(sql, tx.change(TYPE), *columns.values(), tx.account, number)


def arrived(tx: Reader, source: str, number: int) -> set[str]:
    """The recipients that a message of another account's queue has already come into this account for."""
    sql = "SELECT address FROM arrived_submission WHERE account=? AND source=? AND id=?"
    return {row[0] for row in tx.rows(sql, tx.account, source, number)}


def note_arrival(tx: Writer, source: str, number: int, addresses: Sequence[str], now: int, kept: int) -> None:
    """Note that a message has come into this account; notes older than `kept` seconds go."""
    tx.execute("DELETE FROM arrived_submission WHERE account=? AND time<?", tx.account, now - kept)
    tx.executemany(
        "INSERT INTO arrived_submission (account, source, id, address, time) VALUES (?, ?, ?, ?, ?)",
        [(tx.account, source, number, address, now) for address in addresses],
    )


def received(tx: Reader, digest: bytes) -> set[str]:
    """The recipients that a message from elsewhere, by the digest of its octets, has already come in for."""
    sql = "SELECT address FROM received_message WHERE account=? AND digest=?"
    return {row[0] for row in tx.rows(sql, tx.account, digest)}


def note_received(tx: Writer, digest: bytes, addresses: Sequence[str], now: int, kept: int) -> None:
    """Note that a message from elsewhere has come in; notes older than `kept` seconds go."""
    tx.execute("DELETE FROM received_message WHERE account=? AND time<?", tx.account, now - kept)
    tx.executemany(
        "INSERT INTO received_message (account, digest, address, time) VALUES (?, ?, ?, ?)",
        [(tx.account, digest, address, now) for address in addresses],
    )
