"""The tables of mail: what an Email is read from, and the orders that lists, searches and counts are read from.

An Email has two keys. Its `id` is the value of the account's counter at which it was made. Its `arrival` is its place
in the order by receivedAt: seconds since the epoch times 2^24, and a number that keeps those of one second apart.
Every list is kept in the order of arrival, and so is the text index.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from jmaplite.core.json import dumps
from jmaplite.core.ranks import LIST_BLOCK, ListSource
from jmaplite.store import Column, Index, Table, TextIndex

ARRIVAL_SHIFT = 24
"""Bits of an arrival below the seconds."""

WHOLE_ACCOUNT = 0
"""Stands for all Mailboxes together where a table has a row for each."""

HEADER_COLUMNS = {
    "messageId": "message_id",
    "inReplyTo": "in_reply_to",
    "references": "reference_ids",
    "sender": "sender",
    "from": "from_",
    "to": "to_",
    "cc": "cc",
    "bcc": "bcc",
    "replyTo": "reply_to",
    "subject": "subject",
    "sentAt": "sent_at",
}
"""The convenience properties of RFC 8621 §4.1.3 and the columns that hold them, as JSON text ready to be sent."""

EMAIL = Table(
    "email",
    (
        Column("id", "integer"),
        Column("changed", "integer"),
        Column("moved", "integer"),
        Column("keyed", "integer"),
        Column("born", "integer", default=0),
        Column("arrival", "integer"),
        Column("thread", "integer"),
        Column("boxes", "integer"),
        Column("size", "integer"),
        Column("has_attachment", "integer"),
        Column("sent", "integer", null=True),
        Column("blob", "blob"),
        Column("mailbox_ids", "text"),
        Column("keywords", "text"),
        Column("received_at", "text"),
        *(Column(name, "text") for name in HEADER_COLUMNS.values()),
        Column("preview", "text"),
        Column("from_key", "blob"),
        Column("to_key", "blob"),
        Column("subject_key", "blob"),
        Column("header_names", "text"),
        Column("structure", "text"),
    ),
    ("id",),
    (
        Index("email_changed", ("changed", "id"), where="changed > id"),
        Index("email_arrival", ("arrival", "thread"), unique=True),
        Index("email_thread", ("thread", "arrival")),
        Index("email_size", ("size", "arrival", "thread")),
        Index("email_attachment", ("arrival", "thread"), where="has_attachment = 1"),
    ),
    clustered=False,
)
"""Emails. `born` is the id with which one came in: it has another once its Thread has changed."""

EMAIL_MAILBOX = Table(
    "email_mailbox",
    (
        Column("mailbox", "integer"),
        Column("arrival", "integer"),
        Column("id", "integer"),
        Column("thread", "integer"),
    ),
    ("mailbox", "arrival"),
)
"""Which Emails are in a Mailbox."""

EMAIL_KEYWORD = Table(
    "email_keyword",
    (
        Column("keyword", "text"),
        Column("arrival", "integer"),
        Column("id", "integer"),
        Column("thread", "integer"),
    ),
    ("keyword", "arrival"),
    (Index("email_keyword_thread", ("keyword", "thread")),),
)
"""Which Emails have a keyword; those without `$seen` are under `UNSEEN`, for they are looked for most."""

UNSEEN = " unseen"
"""Stands for the absence of `$seen`; no keyword can have a space."""

THREAD_MAILBOX = Table(
    "thread_mailbox",
    (
        Column("thread", "integer"),
        Column("mailbox", "integer"),
        Column("n", "integer"),
        Column("arrival", "integer"),
        Column("id", "integer"),
    ),
    ("thread", "mailbox"),
    (Index("thread_mailbox_arrival", ("mailbox", "arrival", "id"), unique=True),),
)
"""How many Emails of a Thread are in a Mailbox, and the newest of them: the list that collapseThreads shows."""

EMAIL_REFERENCE = Table(
    "email_reference",
    (Column("key", "integer"), Column("thread", "integer"), Column("seen", "integer", default=0)),
    ("key",),
    (Index("email_reference_thread", ("thread",)), Index("email_reference_seen", ("seen",))),
)
"""The Thread that a message id with a subject belongs to, and when (in seconds) it was first seen or last found to be
in use; the key is a hash of message id and subject."""

EMAIL_TEXT = TextIndex("email_text", ("from_", "to_", "cc", "bcc", "subject", "body"))
"""The words of an Email, by its arrival."""

TRANSFERRED = Table("transferred_email", (Column("place", "text"), Column("id", "text")), ("place", "id"))
"""Emails that have come from another server, or gone there, by their ids: what need not be transferred again."""

TABLES = (EMAIL_MAILBOX, EMAIL_KEYWORD, THREAD_MAILBOX, EMAIL_REFERENCE, TRANSFERRED, LIST_BLOCK)


def all_emails() -> ListSource:
    """Every Email of the account."""
    return ListSource("m:0", "email", "arrival")


def mailbox_emails(mailbox: int) -> ListSource:
    """The Emails of a Mailbox."""
    return ListSource(f"m:{mailbox}", "email_mailbox", "arrival", "mailbox=?", (mailbox,))


def mailbox_threads(mailbox: int) -> ListSource:
    """The newest Email in a Mailbox (0: anywhere) of each Thread that has one there."""
    return ListSource(f"t:{mailbox}", "thread_mailbox", "arrival", "mailbox=?", (mailbox,))


def keyword_emails(keyword: str) -> ListSource:
    """The Emails with a keyword."""
    return ListSource(f"k:{keyword}", "email_keyword", "arrival", "keyword=?", (keyword,))


def placing_columns(mailboxes: Collection[int], keywords: Collection[str]) -> dict[str, Any]:
    """The columns of an Email that repeat where it is, ready to be sent."""
    return {
        "boxes": len(mailboxes),
        "mailbox_ids": "{" + ",".join(f'"M{box:x}":true' for box in sorted(mailboxes)) + "}",
        "keywords": dumps(dict.fromkeys(sorted(keywords), True)).decode(),
    }
