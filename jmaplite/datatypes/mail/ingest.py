"""Messages into the store: `prepare` works everything out, `insert` writes it (RFC 8621 §4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson

from jmaplite.blobs import Blobs, Staged
from jmaplite.core import collation, quota
from jmaplite.core.context import Services
from jmaplite.core.kinds import utc_date
from jmaplite.datatypes.mail.capability import Threading, settings_of
from jmaplite.datatypes.mail.placing import Placing, place
from jmaplite.datatypes.mail.tables import ARRIVAL_SHIFT, EMAIL, HEADER_COLUMNS, placing_columns
from jmaplite.datatypes.mail.threads import find_thread
from jmaplite.formats import mime
from jmaplite.store import Writer

SEARCHED_OCTETS = 1 << 20
"""How much of a message's text is put into the index."""

_MOST_REFERENCES = 100
_SORT_KEY_OCTETS = 128
_ADDRESSES = {
    b"sender": "sender",
    b"from": "from",
    b"to": "to",
    b"cc": "cc",
    b"bcc": "bcc",
    b"reply-to": "replyTo",
}
_MESSAGE_IDS = {b"message-id": "messageId", b"in-reply-to": "inReplyTo", b"references": "references"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that is known of a message before it has a place in an account."""

    staged: Staged
    received: int | None
    """Seconds of the topmost Received header field, if there is one."""
    sent: int | None
    has_attachment: bool
    columns: dict[str, Any]
    """Columns of the Email by name: header properties and structure as JSON text, sort keys."""
    words: tuple[str, ...]
    references: tuple[int, ...]
    """Keys of the message ids that it names, each with its subject."""
    threading: Threading
    now: int
    """Seconds of the moment at which it was prepared."""

    @property
    def has_header(self) -> bool:
        """Whether there is a header field at all."""
        return bool(self.columns["header_names"].strip())


def prepare(services: Services, account_id: str, octets: bytes, staged: Staged | None = None) -> Prepared:
    """Read a message. Touches no database; any octets are a message."""
    staged = staged or services.blobs.stage(account_id, octets)
    message = mime.parse(octets)
    fields = mime.header_fields(octets, message.root.header_start, message.root.header_end)
    values = header_values(fields)
    subject = values["subject"] or ""
    columns: dict[str, Any] = {column: orjson.dumps(values[name]).decode() for name, column in HEADER_COLUMNS.items()}
    columns["preview"] = orjson.dumps(mime.preview(octets, message)).decode()
    columns["structure"] = orjson.dumps(mime.dump(message)).decode()
    columns["from_key"] = sort_key(sorted_name(columns["from_"]))
    columns["to_key"] = sort_key(sorted_name(columns["to_"]))
    columns["subject_key"] = sort_key(sorted_subject(columns["subject"]))
    columns["header_names"] = "\n" + "\n".join(dict.fromkeys(name.lower() for name, _ in fields)) + "\n"
    words = (
        *(_addresses_text(values[name]) for name in ("from", "to", "cc", "bcc")),
        subject,
        mime.search_text(octets, message, SEARCHED_OCTETS),
    )
    return Prepared(
        staged=staged,
        received=mime.received_at(fields),
        sent=_seconds(values["sentAt"]),
        has_attachment=message.has_attachment,
        columns=columns,
        words=words,
        references=reference_keys(values["messageId"], values["inReplyTo"], values["references"], subject),
        threading=settings_of(services).threading,
        now=int(services.clock()),
    )


def header_values(fields: Iterable[tuple[str, bytes]]) -> dict[str, Any]:
    """The convenience properties of RFC 8621 §4.1.3, each from the last field of its name."""
    last = {name.encode("ascii", "replace").lower(): value for name, value in fields}
    values: dict[str, Any] = {}
    for field, name in _ADDRESSES.items():
        values[name] = mime.addresses(last[field]) if field in last else None
    for field, name in _MESSAGE_IDS.items():
        values[name] = mime.message_ids(last[field]) if field in last else None
    values["subject"] = mime.text(last[b"subject"]) if b"subject" in last else None
    values["sentAt"] = mime.date(last[b"date"]) if b"date" in last else None
    return values


def sorted_name(addresses: str) -> str:
    """What a sort by `from` or `to` compares, of the property as JSON text (RFC 8621 §4.4.2)."""
    found = orjson.loads(addresses)
    return (found[0]["name"] or found[0]["email"] or "") if found else ""


def sorted_subject(subject: str) -> str:
    """What a sort by `subject` compares, of the property as JSON text: the base subject (RFC 5256 §2.1)."""
    return mime.base_subject(orjson.loads(subject) or "")


def sort_key(text: str) -> bytes:
    """A string as the default collation orders it; the beginning decides."""
    return collation.key(collation.DEFAULT, text[:_SORT_KEY_OCTETS])[:_SORT_KEY_OCTETS]


def _addresses_text(addresses: list[dict[str, Any]] | None) -> str:
    return " ".join(f"{item['name'] or ''} {item['email']}" for item in addresses or ())


def _seconds(date: str | None) -> int | None:
    if date is None:
        return None
    try:
        return int(datetime.fromisoformat(date).timestamp())
    except (ValueError, OverflowError):
        return None


def reference_keys(
    message_id: Sequence[str] | None,
    in_reply_to: Sequence[str] | None,
    references: Sequence[str] | None,
    subject: str,
) -> tuple[int, ...]:
    """A number for each message id that a message has or names, together with its base subject (RFC 8621 §3)."""
    ids = dict.fromkeys([*(message_id or ()), *(in_reply_to or ()), *reversed(references or ())])
    about = blake2b(mime.thread_subject(subject).encode("utf-8", "replace"), digest_size=16).digest()
    keys = []
    for message_id in list(ids)[:_MOST_REFERENCES]:
        digest = blake2b(message_id.encode("utf-8", "replace"), digest_size=8, key=about).digest()
        keys.append(int.from_bytes(digest, "big", signed=True))
    return tuple(keys)


@dataclass(frozen=True, slots=True)
class Inserted:
    """An Email that was made: its number and its Thread's."""

    id: int
    thread: int


def insert(
    tx: Writer,
    blobs: Blobs,
    prepared: Prepared,
    mailboxes: frozenset[int],
    keywords: frozenset[str],
    received: int,
) -> Inserted:
    """Make an Email of a prepared message; the Mailboxes exist, keywords are lower-case, `received` is in seconds.

    Every way into an account ends here. Raises SetError overQuota; nothing is written then.
    """
    quota.take(tx, "Email", prepared.staged.size)
    thread = find_thread(tx, blobs, prepared.references, prepared.threading, prepared.now)
    number = tx.change("Email")
    tx.change("EmailDelivery")
    placing = Placing(number, _arrival(tx, received, number), thread, mailboxes, keywords)
    blobs.put(tx, prepared.staged)
    blobs.refer(tx, prepared.staged.digest, "Email", number)
    values = {
        "account": tx.account,
        "id": number,
        "changed": number,
        "moved": number,
        "keyed": number,
        "born": number,
        "arrival": placing.arrival,
        "thread": thread,
        "size": prepared.staged.size,
        "has_attachment": int(prepared.has_attachment),
        "sent": prepared.sent,
        "blob": prepared.staged.digest,
        "received_at": f'"{utc_date(received)}"',
        **placing_columns(mailboxes, keywords),
        **prepared.columns,
    }
    tx.execute(_INSERT, *(values[name] for name in _COLUMNS))
    place(tx, None, placing)
    tx.text_put("email_text", placing.arrival, prepared.words)
    return Inserted(number, thread)


_COLUMNS = ("account", *(column.name for column in EMAIL.columns))
_INSERT = f"INSERT INTO email ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


def _arrival(tx: Writer, received: int, number: int) -> int:
    """A free place in the order by receivedAt, for the second given."""
    first = received << ARRIVAL_SHIFT
    arrival = first | (number & ((1 << ARRIVAL_SHIFT) - 1))
    taken = "SELECT 1 FROM email WHERE account=? AND arrival=?"
    while tx.value(taken, tx.account, arrival) is not None:
        arrival = first | ((arrival + 1) & ((1 << ARRIVAL_SHIFT) - 1))
    return arrival
