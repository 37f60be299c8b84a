"""Email (RFC 8621 §4): its description, filter conditions and sort orders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from unicodedata import normalize

from jmaplite.core.conditions import Scan
from jmaplite.core.context import Context
from jmaplite.core.errors import MethodError, invalid_arguments
from jmaplite.core.kinds import utc_seconds
from jmaplite.core.ranks import ListSource, Ranks
from jmaplite.core.schema import Argument, DataType, Property, Sort
from jmaplite.datatypes.mail.body import BODY_ARGUMENTS
from jmaplite.datatypes.mail.capability import MAIL, mail_settings
from jmaplite.datatypes.mail.email_records import EmailRecords, boxes_objection, keywords_objection
from jmaplite.datatypes.mail.header_fields import header_reader, searched_text
from jmaplite.datatypes.mail.header_properties import parse_header_property
from jmaplite.datatypes.mail.ingest import sorted_name, sorted_subject
from jmaplite.datatypes.mail.mailbox import MAILBOX
from jmaplite.datatypes.mail.search import words
from jmaplite.datatypes.mail.tables import (
    ARRIVAL_SHIFT,
    TABLES,
    UNSEEN,
    keyword_emails,
    mailbox_emails,
    mailbox_threads,
)
from jmaplite.formats.mailboxes import is_keyword
from jmaplite.store import Reader, word_count

_ADDRESSES = Property("EmailAddress[]|null", default=None, immutable=True)
_MESSAGE_IDS = Property("String[]|null", default=None, immutable=True)
_PARTS = Property("*", default=None, immutable=True)
_IMMUTABLE_ID = Property("Id", server_set=True, immutable=True)

_MAILBOXES = frozenset({"mailboxIds"})
_KEYWORDS = frozenset({"keywords"})
_THREADS = frozenset({"keywords", "threadId"})
"""What a look at a whole Thread depends on: its Emails' keywords, and which Emails they are."""


_FEW = 1000
"""So many Emails are sorted sooner than a long list is walked."""

_MOST_WORDS = 64  # in one search string
_MOST_HEADER_TEXT = 1000  # characters
_HEADER_WEIGHT = 32
"""What a look into headers takes of a filter's allowance: 16 of them, or fewer with words to look for beside."""


class EmailType(DataType):
    """Email has properties named by pattern, for header fields."""

    def known(self, name: str) -> bool:
        """Whether a property of this name may be asked for."""
        return super().known(name) or parse_header_property(name) is not None


def _keyword(value: str) -> str:
    """A keyword as rows have it; no row has the empty one, which stands for what cannot be a keyword."""
    return value.lower() if is_keyword(value) else ""


def _counted(ctx: Context, value: str, error: str) -> str:
    """The same of a keyword to look for in whole Threads. Raises MethodError if settings do not have it counted."""
    keyword = _keyword(value)
    counted = mail_settings(ctx).threading.counted_keywords
    if counted is not None and keyword != "$seen" and keyword not in counted:
        raise MethodError(error, f"the keyword {value[:100]!r} is not counted in Threads")
    return keyword


def _in_thread(expression: str) -> Sort:
    return Sort(expression, keyword=lambda ctx, value: _counted(ctx, value, "unsupportedSort"), mutable=_THREADS)


_HAS_KEYWORD = (
    "EXISTS (SELECT 1 FROM email_keyword k WHERE k.account={a}.account AND k.keyword=? AND k.arrival={a}.arrival)"
)
_IN_THREAD = "FROM email_keyword k WHERE k.account={a}.account AND k.keyword=? AND k.thread={a}.thread"
_SOME_IN_THREAD = f"EXISTS (SELECT 1 {_IN_THREAD})"
_ALL_IN_THREAD = (
    f"((SELECT count(*) {_IN_THREAD}) = (SELECT t.n FROM thread_mailbox t"
    " WHERE t.account={a}.account AND t.thread={a}.thread AND t.mailbox=0))"
)

EMAIL = EmailType(
    "Email",
    MAIL,
    prefix="E",
    methods=("get", "changes", "query", "queryChanges", "set", "copy"),
    properties={
        "blobId": _IMMUTABLE_ID,
        "threadId": _IMMUTABLE_ID,
        "mailboxIds": Property("Id[Boolean]", refers="Mailbox", objection=boxes_objection),
        "keywords": Property("String[Boolean]", default={}, objection=keywords_objection),
        "size": Property("UnsignedInt", server_set=True, immutable=True),
        "receivedAt": Property("UTCDate", immutable=True),
        "messageId": _MESSAGE_IDS,
        "inReplyTo": _MESSAGE_IDS,
        "references": _MESSAGE_IDS,
        "sender": _ADDRESSES,
        "from": _ADDRESSES,
        "to": _ADDRESSES,
        "cc": _ADDRESSES,
        "bcc": _ADDRESSES,
        "replyTo": _ADDRESSES,
        "subject": Property("String|null", default=None, immutable=True),
        "sentAt": Property("Date|null", default=None, immutable=True),
        "hasAttachment": Property("Boolean", server_set=True, immutable=True),
        "preview": Property("String", server_set=True, immutable=True),
        "headers": _PARTS,
        "bodyStructure": _PARTS,
        "bodyValues": _PARTS,
        "textBody": _PARTS,
        "htmlBody": _PARTS,
        "attachments": _PARTS,
    },
    kinds={"EmailAddress": {"name": "String|null", "email": "String"}},
    sorts={
        "receivedAt": Sort(f"({{a}}.arrival >> {ARRIVAL_SHIFT})", is_key=True),
        "size": Sort("{a}.size"),
        "from": Sort("{a}.from_key", text="{a}.from_", decode=sorted_name),
        "to": Sort("{a}.to_key", text="{a}.to_", decode=sorted_name),
        "subject": Sort("{a}.subject_key", text="{a}.subject", decode=sorted_subject),
        "sentAt": Sort(f"coalesce({{a}}.sent, {-1 << 62})"),
        "hasKeyword": Sort(_HAS_KEYWORD, keyword=lambda _, value: _keyword(value), mutable=_KEYWORDS),
        "allInThreadHaveKeyword": _in_thread(_ALL_IN_THREAD),
        "someInThreadHaveKeyword": _in_thread(_SOME_IN_THREAD),
    },
    get_arguments=BODY_ARGUMENTS,
    query_arguments={"collapseThreads": Argument("Boolean", False)},
    default_properties=(
        "id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt", "messageId", "inReplyTo",
        "references", "sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt", "hasAttachment", "preview",
        "bodyValues", "textBody", "htmlBody", "attachments",
    ),
    uses_quota=True,
    extra_tables=TABLES,
    related={"Mailbox": MAILBOX},
)  # fmt: skip
EMAIL.records = EmailRecords(EMAIL)


def _listed(tx: Reader, source: ListSource, **more: Any) -> Scan:
    """The scan of a kept list."""
    return Scan(
        source.where.replace("mailbox=", "{a}.mailbox=").replace("keyword=", "{a}.keyword="),
        source.parameters,
        source=source.table,
        listed=source,
        estimate=Ranks(tx, source).total,
        **more,
    )


@EMAIL.condition("inMailbox", "Id")
def in_mailbox(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §4.4.1: in this Mailbox."""
    number = MAILBOX.parse_id(value)
    if number is None:
        return Scan("0=1", on_key=True)
    return _listed(tx, mailbox_emails(number), mutable=_MAILBOXES, collapsed=mailbox_threads(number))


@EMAIL.condition("inMailboxOtherThan", "Id[]")
def in_mailbox_other_than(ctx: Context, tx: Reader, value: list[str]) -> Scan:
    """RFC 8621 §4.4.1: in at least one Mailbox that is not listed."""
    listed = set(map(MAILBOX.parse_id, value))
    rows = tx.rows("SELECT id FROM mailbox WHERE account=? ORDER BY id", tx.account)
    numbers = [number for (number,) in rows if number in listed]
    if not numbers:
        # Those that are not there any more may have been when a client asked before.
        return Scan("1=1", on_key=True, mutable=_MAILBOXES)
    marks = ",".join("?" * len(numbers))
    return Scan(
        "{a}.boxes > (SELECT count(*) FROM email_mailbox m WHERE m.account={a}.account"
        f" AND m.mailbox IN ({marks}) AND m.arrival={{a}}.arrival)",
        tuple(numbers),
        mutable=_MAILBOXES,
    )


@EMAIL.condition("before", "UTCDate")
def before(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §4.4.1: received before this time."""
    return Scan("{a}.arrival<?", (_first_arrival(value),), on_key=True)


@EMAIL.condition("after", "UTCDate")
def after(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §4.4.1: received at this time or after it."""
    return Scan("{a}.arrival>=?", (_first_arrival(value),), on_key=True)


def _first_arrival(value: str) -> int:
    """The lowest arrival that a message received at a time can have; receivedAt has whole seconds only."""
    seconds = utc_seconds(value)
    whole = int(seconds // 1)
    return (whole if whole == seconds else whole + 1) << ARRIVAL_SHIFT


@EMAIL.condition("minSize", "UnsignedInt")
def min_size(ctx: Context, tx: Reader, value: int) -> Scan:
    """RFC 8621 §4.4.1: at least this size."""
    return _by_size(tx, "{a}.size>=?", value)


@EMAIL.condition("maxSize", "UnsignedInt")
def max_size(ctx: Context, tx: Reader, value: int) -> Scan:
    """RFC 8621 §4.4.1: less than this size."""
    return _by_size(tx, "{a}.size<?", value)


def _by_size(tx: Reader, where: str, value: int) -> Scan:
    """The scan of a bound of the size; the index is the way to go only where it finds few."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM email e WHERE e.account=? AND {where.format(a='e')} LIMIT ?) few"
    found = tx.value(sql, tx.account, value, _FEW + 1)
    return Scan(where, (value,), estimate=(lambda: int(found)) if found <= _FEW else None)


@EMAIL.condition("allInThreadHaveKeyword", "String")
def all_in_thread_have_keyword(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §4.4.1: every Email of the Thread has the keyword."""
    return _thread_scan(ctx, _ALL_IN_THREAD, value)


@EMAIL.condition("someInThreadHaveKeyword", "String")
def some_in_thread_have_keyword(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §4.4.1: at least one Email of the Thread has the keyword."""
    return _thread_scan(ctx, _SOME_IN_THREAD, value)


@EMAIL.condition("noneInThreadHaveKeyword", "String")
def none_in_thread_have_keyword(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §4.4.1: no Email of the Thread has the keyword."""
    return _thread_scan(ctx, f"NOT {_SOME_IN_THREAD}", value)


def _thread_scan(ctx: Context, where: str, value: str) -> Scan:
    return Scan(where, (_counted(ctx, value, "unsupportedFilter"),), on_key=True, mutable=_THREADS)


@EMAIL.condition("hasKeyword", "String")
def has_keyword(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §4.4.1: has the keyword."""
    return _listed(tx, keyword_emails(_keyword(value)), mutable=_KEYWORDS)


@EMAIL.condition("notKeyword", "String")
def not_keyword(ctx: Context, tx: Reader, value: str) -> Scan:
    """RFC 8621 §4.4.1: does not have the keyword; Emails without `$seen` have an index of their own."""
    if value.lower() == "$seen":
        return _listed(tx, keyword_emails(UNSEEN), mutable=_KEYWORDS)
    return Scan(f"NOT {_HAS_KEYWORD}", (_keyword(value),), on_key=True, mutable=_KEYWORDS)


@EMAIL.condition("hasAttachment", "Boolean")
def has_attachment(ctx: Context, tx: Reader, value: bool) -> Scan:
    """RFC 8621 §4.4.1: hasAttachment is the same."""
    return Scan("{a}.has_attachment=1" if value else "{a}.has_attachment=0")


def _text_condition(name: str, columns: tuple[str, ...]) -> None:
    @EMAIL.condition(name, "String")
    def contains(ctx: Context, tx: Reader, value: str) -> Scan:
        """RFC 8621 §4.4.1: the words and phrases are there."""
        wanted = words(value, columns)
        if not wanted.phrases:
            return Scan("1=1", on_key=True)
        weight = word_count(" ".join(map(" ".join, wanted.phrases)))
        if weight > _MOST_WORDS:
            raise MethodError("unsupportedFilter", f"filter: {name} looks for more than {_MOST_WORDS} words")
        return Scan(text=tx.match("email_text", wanted), weight=weight)


for _name, _columns in {
    "text": (),
    "from": ("from_",),
    "to": ("to_",),
    "cc": ("cc",),
    "bcc": ("bcc",),
    "subject": ("subject",),
    "body": ("body",),
}.items():
    _text_condition(_name, _columns)


@EMAIL.condition("header", "String[]")
def header(ctx: Context, tx: Reader, value: Sequence[str]) -> Scan:
    """RFC 8621 §4.4.1: has a header field of the name, with the text in it if one is given.

    Words and phrases are told apart as elsewhere, but may begin and end anywhere in a value. Names are kept with the
    Email; for the text, the header of each message that has the field is read.
    """
    if len(value) not in (1, 2) or not re.fullmatch(r"[!-9;-~]{1,1000}", value[0]):
        raise invalid_arguments("filter: header is the name of a header field, and optionally text to look for")
    if len(value) == 2 and len(value[1]) > _MOST_HEADER_TEXT:
        raise MethodError("unsupportedFilter", f"filter: header looks for more than {_MOST_HEADER_TEXT} characters")
    name = value[0].lower()
    pattern = "%\n" + re.sub(r"([\\%_])", r"\\\1", name) + "\n%"
    named = Scan("{a}.header_names LIKE ? ESCAPE '\\'", (pattern,))
    if len(value) == 1:
        return named
    sql = "SELECT id, blob FROM email a WHERE a.account=? AND a.header_names LIKE ? ESCAPE '\\'"
    read = header_reader(ctx, tx)
    wanted = [searched_text(" ".join(phrase)) for phrase in words(normalize("NFC", value[1])).phrases]
    if len(wanted) > _MOST_WORDS:
        raise MethodError("unsupportedFilter", f"filter: header looks for more than {_MOST_WORDS} words")
    found = [
        str(number)
        for number, digest in tx.rows(sql, tx.account, pattern)
        if any(all(phrase in text for phrase in wanted) for text in read(number, digest).texts(name))
    ]
    weight = _HEADER_WEIGHT + max(0, len(wanted) - 1)
    return Scan(f"{{a}}.id IN ({','.join(found)})" if found else "0=1", on_key=True, weight=weight)
