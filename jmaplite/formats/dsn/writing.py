"""Delivery status notifications put together (RFC 3461 §6, RFC 3464, RFC 6522, RFC 6533)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jmaplite.formats import compose, mime

Action = Literal["failed", "delayed", "delivered", "relayed"]
"""What became of a message for a recipient (RFC 3464 §2.3.3)."""

_WHOLE = 65_536
"""Octets up to which a message is given back whole, if it may be."""

_HEADER = 32_768
_LINE = 700
_CODE = re.compile(r"[245]\d\d ([245]\.\d{1,3}\.\d{1,3}) ")
_UNPRINTABLE = re.compile(r"[^ -~]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TITLE = {
    "failed": "Your message could not be delivered",
    "delayed": "Your message is late",
    "delivered": "Your message was delivered",
    "relayed": "Your message was passed on",
}
_WORDS = {
    "failed": "Your message could not be delivered to the recipients below, and is not tried again.",
    "delayed": "Your message could not be delivered yet to the recipients below. You need not send it again:\n"
    "it is tried until {until}.",
    "delivered": "Your message was delivered to the recipients below.",
    "relayed": "Your message was passed on for the recipients below, to a server that sends no reports of success.",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one recipient: an answer of SMTP with its codes, from `remote` if another server gave it.

    `original` is the value of ORCPT with its kind, or "". `status` stands for the status code in the answer if it is
    not empty.
    """

    address: str
    action: Action
    reply: str
    original: str = ""
    remote: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a report is about. Dates are RFC 3339; `until` is "" unless a message is late."""

    host: str
    sender: str
    envelope_id: str
    arrived: str
    now: str
    message_id: str
    until: str = ""


def report(notice: Notice, told: Sequence[Told], message: bytes, header_end: int, *, whole: bool) -> bytes:
    """The report to a sender, of recipients of the same action, with the message or (not `whole`) its header only."""
    action = told[0].action
    is_global = not all(
        text.isascii() for one in told for text in (one.address, one.original, notice.sender)
    )  # RFC 6533 §4
    title = _TITLE[action]
    subject = _subject(message, header_end)
    header = [
        compose.field("From", "Addresses", [{"name": "Mail Delivery System", "email": f"MAILER-DAEMON@{notice.host}"}]),
        compose.field("To", "Addresses", [{"name": None, "email": notice.sender}]),
        compose.field("Subject", "Text", f"{title}: {subject}" if subject else title),
        compose.field("Date", "Date", notice.now),
        compose.field("Message-ID", "MessageIds", [notice.message_id]),
        b"Auto-Submitted: auto-replied\r\n",
    ]
    status = "message/global-delivery-status" if is_global else "message/delivery-status"
    parts = [
        _words(notice, action, told),
        compose.Entity(status, octets=_status(notice, told)),
        _returned(message, header_end, whole=whole and action == "failed", is_global=is_global),
    ]
    root = compose.Entity("multipart/report", parameters={"report-type": "delivery-status"}, parts=parts)
    return compose.message(header, root, notice.message_id)


def _subject(message: bytes, header_end: int) -> str:
    for name, value in mime.header_fields(message, 0, header_end):
        if name.lower() == "subject":
            return _CONTROL.sub(" ", mime.text(value)).strip()[:200]
    return ""


def _words(notice: Notice, action: Action, told: Sequence[Told]) -> compose.Entity:
    lines = [f"This is the mail system of {notice.host}.", "", *_WORDS[action].format(until=notice.until).split("\n")]
    for one in told:
        lines += ["", f"<{one.address}>", f"    {_CONTROL.sub(' ', one.reply)[:_LINE]}"]
    text = "\r\n".join([*lines, ""])
    return compose.Entity("text/plain", parameters={"charset": "utf-8"}, octets=text.encode("utf-8", "replace"))


def _status(notice: Notice, told: Sequence[Told]) -> bytes:
    """The part for programs (RFC 3464 §2)."""
    groups = [[*([f"Original-Envelope-Id: {_plain(notice.envelope_id)}"] if notice.envelope_id else ())]]
    groups[0] += [f"Reporting-MTA: dns; {_plain(notice.host)}", f"Arrival-Date: {_date(notice.arrived)}"]
    for one in told:
        lines = [f"Original-Recipient: {_CONTROL.sub('?', one.original)[:_LINE]}"] if one.original else []
        kind = "rfc822" if one.address.isascii() else "utf-8"
        lines += [f"Final-Recipient: {kind}; {one.address}", f"Action: {one.action}"]
        lines.append(f"Status: {one.status or _code(one)}")
        if one.remote:
            lines.append(f"Remote-MTA: dns; {_plain(one.remote)}")
            lines.append(f"Diagnostic-Code: smtp; {_plain(one.reply)}")
        lines.append(f"Last-Attempt-Date: {_date(notice.now)}")
        if notice.until:
            lines.append(f"Will-Retry-Until: {_date(notice.until)}")
        groups.append(lines)
    return "\r\n\r\n".join("\r\n".join(lines) for lines in groups).encode("utf-8", "replace") + b"\r\n"


def _code(told: Told) -> str:
    """The status code in an answer, or one of its class."""
    found = _CODE.match(told.reply)
    return found[1] if found else f"{told.reply[:1] if told.reply[:1] in '245' else '4'}.0.0"


def _returned(message: bytes, header_end: int, *, whole: bool, is_global: bool) -> compose.Entity:
    """The message, or its header (RFC 6522 §3, RFC 6533 §6)."""
    if whole and len(message) <= _WHOLE:
        return compose.Entity("message/global" if is_global else "message/rfc822", octets=message)
    header = message[:header_end]
    if len(header) > _HEADER:
        header = header[: header.rfind(b"\n", 0, _HEADER) + 1]
    header = header.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\n", b"\r\n")
    kind = "text/rfc822-headers" if header.isascii() and not is_global else "message/global-headers"
    return compose.Entity(kind, octets=header)


def _plain(value: str) -> str:
    return _UNPRINTABLE.sub("?", value)[:_LINE]


def _date(value: str) -> str:
    """An RFC 3339 date as mail has it."""
    return compose.field("Date", "Date", value).decode().partition(":")[2].strip()
