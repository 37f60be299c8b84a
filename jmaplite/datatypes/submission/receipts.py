"""Reports that come back: which EmailSubmission they are about, and what it says because of them (RFC 8621 §7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orjson import loads

from jmaplite.blobs import Blobs, Staged
from jmaplite.core import blobid
from jmaplite.core.json import dumps
from jmaplite.datatypes.submission.addresses import folded
from jmaplite.store import Column, Index, Reader, Table, Writer

TYPE = "EmailSubmission"

SENT = Table(
    "submitted_name",
    (Column("name", "text"), Column("id", "integer")),
    ("name", "id"),
    (Index("submitted_name_id", ("id",)),),
)
"""What EmailSubmissions are called in reports: the Message-ID, and the envelope's id if the sender gave one."""

MOST_REPORTS = 1000
"""Reports of each kind that one EmailSubmission lists; more are only filed."""

_OURS = re.compile(r"S([0-9a-f]{1,15})\.([A-Za-z0-9_-]+)(?:@.*)?")
_MESSAGE, _ENVELOPE = "m:", "e:"
_LONGEST_NAME = 998


@dataclass(frozen=True, slots=True)
class Fate:
    """What a report says of a recipient, by addresses that may be its own: an action (RFC 3464 §2.3.3) and a reply."""

    addresses: tuple[str, ...]
    action: str
    reply: str = ""


def remember(tx: Writer, number: int, message_id: str, envelope_id: str) -> None:
    """Note what an EmailSubmission will be called in reports; either may be empty."""
    names = {_MESSAGE + message_id[:_LONGEST_NAME]} if message_id else set()
    names |= {_ENVELOPE + envelope_id} if envelope_id else set()
    tx.executemany(
        "INSERT INTO submitted_name (account, name, id) VALUES (?, ?, ?)",
        [(tx.account, name, number) for name in sorted(names)],
    )


def forget(tx: Writer, blobs: Blobs, number: int) -> None:
    """An EmailSubmission is about to be destroyed: no report is about it any more."""
    tx.execute("DELETE FROM submitted_name WHERE account=? AND id=?", tx.account, number)
    sql = "SELECT dsn_blob_ids, mdn_blob_ids FROM email_submission WHERE account=? AND id=?"
    for row in tx.rows(sql, tx.account, number):
        for listed in row:
            for blob_id in loads(listed):
                found = blobid.parse(blob_id)
                if found is not None:
                    blobs.unrefer(tx, found.digest, TYPE, number)


def identifier(number: int, account_id: str) -> str:
    """What a message is called for which its sender has no name."""
    return f"S{number:x}.{account_id}"


def find(tx: Reader, account_id: str, message_id: str, envelope_id: str, addresses: Iterable[str]) -> int | None:
    """The number of the EmailSubmission that a report is about, the latest if there are several; or None.

    It is to some of the addresses that the report tells of, by what these are if case does not matter.
    """
    found = set[int]()
    for name in (envelope_id, message_id):
        ours = _OURS.fullmatch(name)
        if ours is not None and ours[2] == account_id:
            found.add(int(ours[1], 16))
    for name in (_MESSAGE + message_id[:_LONGEST_NAME], _ENVELOPE + envelope_id):
        if len(name) > len(_MESSAGE):
            sql = "SELECT id FROM submitted_name WHERE account=? AND name=? ORDER BY id DESC LIMIT 10"
            found.update(row[0] for row in tx.rows(sql, tx.account, name))
    wanted = set(map(folded, addresses))
    for number in sorted(found, reverse=True):
        sql = "SELECT 1 FROM email_submission WHERE account=? AND id=?"
        if tx.value(sql, tx.account, number) is not None:
            rows = tx.rows("SELECT address FROM outgoing_recipient WHERE account=? AND id=?", tx.account, number)
            if wanted & {folded(row[0]) for row in rows}:
                return number
    return None


def note_delivery(tx: Writer, blobs: Blobs, number: int, report: Staged, fates: Sequence[Fate]) -> None:
    """A DSN came for an EmailSubmission. What is known for certain already stays as it is."""
    for n, fate in _recipients(tx, number, fates):
        delivered = {"delivered": "yes", "failed": "no"}.get(fate.action, "unknown")
        reply = fate.reply[:1000] if re.match(r"[245]\d\d ", fate.reply) else None
        tx.execute(
            "UPDATE outgoing_recipient SET delivered=?, smtp_reply=coalesce(?, smtp_reply)"
            " WHERE account=? AND id=? AND n=? AND delivered='unknown'",
            delivered,
            reply,
            tx.account,
            number,
            n,
        )
    _list(tx, blobs, number, report, "dsn_blob_ids")


def note_display(tx: Writer, blobs: Blobs, number: int, report: Staged, fates: Sequence[Fate]) -> None:
    """An MDN came for an EmailSubmission."""
    for n, fate in _recipients(tx, number, fates):
        if fate.action == "displayed":
            sql = "UPDATE outgoing_recipient SET displayed='yes' WHERE account=? AND id=? AND n=?"
            tx.execute(sql, tx.account, number, n)
    _list(tx, blobs, number, report, "mdn_blob_ids")


def _recipients(tx: Reader, number: int, fates: Sequence[Fate]) -> list[tuple[int, Fate]]:
    """The places of recipients that reports are about; the first address of a Fate that is a recipient's counts."""
    sql = "SELECT n, address FROM outgoing_recipient WHERE account=? AND id=?"
    places = {folded(address): n for n, address in tx.rows(sql, tx.account, number)}
    found = []
    for fate in fates:
        n = next((places[folded(one)] for one in fate.addresses if folded(one) in places), None)
        if n is not None:
            found.append((n, fate))
    return found


def _list(tx: Writer, blobs: Blobs, number: int, report: Staged, column: str) -> None:
    """Have an EmailSubmission list a report, which has changed with this."""
    listed = tx.value(f"SELECT {column} FROM email_submission WHERE account=? AND id=?", tx.account, number)
    ids: list[str] = loads(listed)
    blob_id = blobid.format(report.digest)
    if blob_id not in ids and len(ids) < MOST_REPORTS:
        ids.append(blob_id)
        blobs.put(tx, report)
        blobs.refer(tx, report.digest, TYPE, number)
    sql = f"UPDATE email_submission SET changed=?, {column}=? WHERE account=? AND id=?"
    tx.execute(sql, tx.change(TYPE), dumps(ids).decode(), tx.account, number)
