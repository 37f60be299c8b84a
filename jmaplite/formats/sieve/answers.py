"""Vacation answers: whether one is due, and what it says (RFC 5230 §4, §5; RFC 3834)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from jmaplite.formats import compose, mime
from jmaplite.formats.sieve import names
from jmaplite.formats.sieve.actions import Vacation
from jmaplite.formats.sieve.letter import Field, Letter
from jmaplite.formats.sieve.machine import Envelope

_LIST_FIELDS = frozenset(
    ("list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner", "list-archive")
)
_RECIPIENT_FIELDS = frozenset(("to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"))
_SYSTEM = re.compile(
    r"(?:mailer-?daemon|daemon|listserv|listproc|majordomo|mailman|uucp|nobody|(?:do-?not-?|no-?)reply|bounces?)"
    r"(?:[+=._-].*)?|(?:owner|bounces?|return)-.*|.*-(?:request|owner|bounces?|errors|noreply)(?:[+=].*)?"
)
_UNDERLINE = re.compile(r"_")
_LINE_END = re.compile(r"\r\n|\r|\n")
_EMPTY_LINE = re.compile(r"\A(?:\r\n)|\r\n\r\n")
_MOST_REFERENCES = 20


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent: the envelope's sender ("" for none) and recipients, and its octets."""

    sender: str
    recipients: tuple[str, ...]
    octets: bytes


@dataclass(frozen=True, slots=True)
class Stamp:
    """What makes a message unlike any other: its date (RFC 3339) and its id, without angle brackets."""

    date: str
    message_id: str


def first(fields: Iterable[Field], name: str) -> Field | None:
    """The first field of a lower-case name."""
    return next((field for field in fields if field.lower == name), None)


def is_automatic(fields: Iterable[Field]) -> bool:
    """Whether a message says that no person sent it (RFC 3834 §5)."""
    found = first(fields, "auto-submitted")
    return found is not None and found.text.partition(b";")[0].split(b"(")[0].strip().lower() != b"no"


def reasons_against(
    vacation: Vacation,
    message: bytes,
    envelope: Envelope,
    own: Collection[str],
    *,
    separator: str = "+",
    structure: mime.Message | None = None,
) -> tuple[str, ...]:
    """Why a message must not be answered, each reason in words; none if it may be.

    `own` are the user's addresses, besides the envelope's recipient and those that the script names. Whether the sender
    has had this answer already is not looked at here.
    """
    fields = Letter(message, structure).fields
    sender = names.without_route(envelope.sender)
    mine = _mine(vacation, envelope, own, separator)
    reasons = []
    if not sender:
        reasons.append("the sender of the envelope is empty")
    elif not names.is_address(sender):
        reasons.append("the sender of the envelope is no address")
    elif _canonical(sender, separator) in mine:
        reasons.append("the sender is the user")
    elif _SYSTEM.fullmatch(_UNDERLINE.sub("-", sender.rpartition("@")[0].lower())):
        reasons.append("the sender is a program")
    if any(field.lower in _LIST_FIELDS for field in fields):
        reasons.append("the message comes from a mailing list")
    if is_automatic(fields):
        reasons.append("the message was sent automatically")
    reasons += _marks(fields)
    if not any(_canonical(address, separator) in mine for address in _recipients(fields)):
        reasons.append("the message is not addressed to the user")
    return tuple(reasons)


def _marks(fields: Iterable[Field]) -> list[str]:
    """What fields say that no standard has, but that everybody heeds."""
    reasons = []
    for field in fields:
        value = field.text.lower()
        if field.lower == "precedence" and value in (b"bulk", b"junk", b"list"):
            reasons.append("the message is bulk mail")
        elif field.lower == "x-auto-response-suppress":
            if {b"all", b"oof", b"autoreply"} & {word.strip() for word in value.split(b",")}:
                reasons.append("the sender wants no automatic answer")
        elif field.lower in ("x-spam-flag", "x-spam-status") and value.startswith(b"yes"):
            reasons.append("the message is spam")
        elif field.lower == "content-type" and value.startswith(b"multipart/report"):
            reasons.append("the message is a report")
    return list(dict.fromkeys(reasons))


def _canonical(address: str, separator: str) -> str:
    """An address without its detail, in lower case."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition(separator)[0] or local}@{domain}" if separator else f"{local}@{domain}"


def _mine(vacation: Vacation, envelope: Envelope, own: Collection[str], separator: str) -> set[str]:
    given = (*own, names.without_route(envelope.recipient), *vacation.addresses)
    return {_canonical(address, separator) for address in given if address}


def _recipients(fields: Iterable[Field]) -> list[str]:
    return [
        address["email"] or ""
        for field in fields
        if field.lower in _RECIPIENT_FIELDS
        for address in mime.addresses(field.raw)
    ]


def vacation_answer(
    vacation: Vacation,
    message: bytes,
    envelope: Envelope,
    own: Sequence[str],
    stamp: Stamp,
    *,
    name: str | None = None,
    separator: str = "+",
    prefix: str = "Auto: ",
    default_subject: str = "Automated reply",
    structure: mime.Message | None = None,
) -> Outgoing | None:
    """The answer to a message (RFC 5230 §5); None if there is nobody whom it could go to or be from.

    It is from the address that the script says, else from that of the user's that the message is addressed to, else
    from the first; `name` is the user's.
    """
    sender = names.without_route(envelope.sender)
    if not names.is_address(sender):
        return None
    fields = Letter(message, structure).fields
    header = _authors(vacation, envelope, own, fields, name, separator)
    if not header:
        return None
    header.append(compose.field("To", "Addresses", [{"name": None, "email": sender}]))
    header.append(_subject(vacation.subject, fields, prefix, default_subject))
    header += stamped(stamp)
    header += replying(fields)
    header.append(b"Auto-Submitted: auto-replied\r\n")
    header.append(b"X-Auto-Response-Suppress: All\r\n")
    if vacation.is_mime:
        octets = b"".join((*header, b"MIME-Version: 1.0\r\n", _entity(vacation.reason)))
    else:
        octets = compose.message(header, plain(vacation.reason), stamp.message_id)
    return Outgoing("", (sender,), octets)


def stamped(stamp: Stamp) -> list[bytes]:
    """The Date and Message-ID fields."""
    return [compose.field("Date", "Date", stamp.date), compose.field("Message-ID", "MessageIds", [stamp.message_id])]


def plain(text: str) -> compose.Entity:
    """A part of plain text, its line ends CRLF and the last one there."""
    text = _LINE_END.sub("\r\n", text)
    if not text.endswith("\r\n"):
        text += "\r\n"
    return compose.Entity("text/plain", parameters={"charset": "utf-8"}, octets=text.encode("utf-8", "replace"))


def written_text(name: str, value: str, default: str) -> bytes:
    """A field of text in one line; of a default where the value cannot be written."""
    try:
        return compose.field(name, "Text", " ".join(value.split()) or default)
    except compose.NotWritable:
        return compose.field(name, "Text", default)


def _subject(subject: str | None, fields: Sequence[Field], prefix: str, default: str) -> bytes:
    if subject is not None:
        return written_text("Subject", subject, default)
    found = first(fields, "subject")
    text = found.text.decode("utf-8", "replace") if found is not None else ""
    return written_text("Subject", f"{prefix}{text}" if text else default, default)


def _authors(
    vacation: Vacation,
    envelope: Envelope,
    own: Sequence[str],
    fields: Sequence[Field],
    name: str | None,
    separator: str,
) -> list[bytes]:
    """The From field (RFC 5230 §5.4): of several addresses the one that the sender has used is best.

    Where there are several authors, one of them is the Sender (RFC 5322 §3.6.2).
    """
    known = _mine(vacation, envelope, own, separator)
    addressed = [address for address in _recipients(fields) if _canonical(address, separator) in known]
    choices = [mime.addresses(vacation.sender.encode())] if vacation.sender is not None else []
    for address in (*addressed, *own, names.without_route(envelope.recipient)):
        if names.is_address(address):
            choices += ([{"name": name, "email": address}], [{"name": None, "email": address}])
    for choice in choices:
        try:
            authors = [compose.field("From", "Addresses", choice)]
            return [*authors, compose.field("Sender", "Addresses", choice[:1])] if len(choice) > 1 else authors
        except compose.NotWritable:
            continue
    return []


def replying(fields: Sequence[Field]) -> list[bytes]:
    """In-Reply-To and References of what answers a message (RFC 5322 §3.6.4); nothing if it has no id."""
    found = first(fields, "message-id")
    ids = mime.message_ids(found.raw) if found is not None else None
    if not ids:
        return []
    before: list[str] = []
    for name in ("references", "in-reply-to"):
        other = first(fields, name)
        before = (mime.message_ids(other.raw) if other is not None else None) or []
        if before:
            break
    if name == "in-reply-to" and len(before) > 1:
        before = []
    if len(before) > _MOST_REFERENCES:
        before = [before[0], *before[1 - _MOST_REFERENCES :]]
    try:
        return [
            compose.field("In-Reply-To", "MessageIds", ids[:1]),
            compose.field("References", "MessageIds", [*before, ids[0]]),
        ]
    except compose.NotWritable:
        return []


def _entity(reason: str) -> bytes:
    """A MIME entity as a script has it, with no fields but those of MIME, and those in US-ASCII (RFC 5230 §5)."""
    reason = _LINE_END.sub("\r\n", reason.replace("\0", ""))
    ending = _EMPTY_LINE.search(reason)
    header, body = (reason[: ending.start() + 2], reason[ending.end() :]) if ending else (f"{reason}\r\n", "")
    octets = header.encode("utf-8", "replace")
    spans = mime.field_spans(octets)
    kept = [
        octets[slice(*span)]
        for (name, value), span in zip(mime.header_fields(octets), spans, strict=True)
        if name.lower().startswith("content-") and value.isascii()
    ]
    if not kept:
        kept = [b"Content-Type: text/plain; charset=utf-8\r\n"]
    content = body.encode("utf-8", "replace")
    if not content.isascii() and not any(piece.lower().startswith(b"content-transfer-encoding") for piece in kept):
        kept.append(b"Content-Transfer-Encoding: 8bit\r\n")
    return b"".join((*kept, b"\r\n", content))


def mime_reason(text: str | None, html: str | None, seed: str = "") -> str:
    """The reason of a Vacation with `is_mime` that says the same in plain text and HTML (RFC 8621 §8)."""
    parts = [] if text is None and html is not None else [plain(text or "")]
    if html is not None:
        page = plain(html)
        page.type = "text/html"
        parts.append(page)
    root = parts[0] if len(parts) == 1 else compose.Entity("multipart/alternative", parts=parts)
    return compose.message([], root, seed).removeprefix(b"MIME-Version: 1.0\r\n").decode("ascii")
