"""Rejected messages: what is said in the protocol, and the reports that are sent (RFC 5429, RFC 8098, RFC 3464)."""

from __future__ import annotations

import re

from jmaplite.formats import compose, mime
from jmaplite.formats.sieve import names
from jmaplite.formats.sieve.actions import Reject
from jmaplite.formats.sieve.answers import Outgoing, Stamp, first, plain, replying, stamped, written_text
from jmaplite.formats.sieve.letter import Letter
from jmaplite.formats.sieve.machine import Envelope

_LINE = 400  # characters of a line of a reply
_MOST_LINES = 20
_UNPRINTABLE = re.compile(r"[^ -~]")
_INSTEAD = "The recipient refuses this message."
_WHOLE = 65_536  # octets of a message that is sent back whole


def protocol_lines(reject: Reject) -> tuple[str, ...] | None:
    """The lines of a 550 reply, without codes; None if the reason can only be told by a report (RFC 5429 §2.2).

    An "ereject" whose reason is not US-ASCII gets another reason (§2.1.1).
    """
    if not reject.reason.isascii():
        return (_INSTEAD,) if reject.is_early else None
    lines = []
    for line in reject.reason.splitlines():
        line = _UNPRINTABLE.sub(" ", line).strip()
        lines += [line[at : at + _LINE] for at in range(0, len(line), _LINE)]
    if len(lines) > _MOST_LINES and not reject.is_early:
        return None
    return tuple(lines[:_MOST_LINES]) or (_INSTEAD,)


def disposition_report(
    reject: Reject, message: bytes, envelope: Envelope, stamp: Stamp, *, reporter: str, sender: str = ""
) -> Outgoing | None:
    """The MDN of a "reject" (RFC 5429 §2.2.1); None if there is nobody to send it to.

    `reporter` is the name of this host; `sender` is the address that it is from, else the recipient's.
    """
    fields = Letter(message).fields
    mine = names.without_route(envelope.recipient)
    lines = [f"Reporting-UA: {_printable(reporter)}; jmaplite"]
    original = first(fields, "original-recipient")
    if original is not None and (value := _printable(original.text.decode("utf-8", "replace"))):
        lines.append(f"Original-Recipient: {value}")
    lines.append(f"Final-Recipient: rfc822; {_printable(mine)}")
    message_id = first(fields, "message-id")
    ids = mime.message_ids(message_id.raw) if message_id is not None else None
    if ids and ids[0].isascii():
        lines.append(f"Original-Message-ID: <{_printable(ids[0])}>")
    lines.append("Disposition: automatic-action/MDN-sent-automatically; deleted")
    status = compose.Entity("message/disposition-notification", octets=_block(lines))
    return _report(reject, message, envelope, stamp, "disposition-notification", status, sender or mine)


def delivery_report(
    reject: Reject, message: bytes, envelope: Envelope, stamp: Stamp, *, reporter: str, sender: str
) -> Outgoing | None:
    """The DSN of an "ereject" (RFC 5429 §2.1.2), from an address of the mail system; None if it can go nowhere."""
    lines = [f"Reporting-MTA: dns; {_printable(reporter)}", "", f"Final-Recipient: rfc822; {_recipient(envelope)}"]
    said = " ".join(protocol_lines(reject) or (_INSTEAD,))
    lines += ["Action: failed", "Status: 5.7.1", f"Diagnostic-Code: smtp; 550 5.7.1 {said[:_LINE]}"]
    status = compose.Entity("message/delivery-status", octets=_block(lines))
    return _report(reject, message, envelope, stamp, "delivery-status", status, sender)


def _recipient(envelope: Envelope) -> str:
    return _printable(names.without_route(envelope.recipient))


def _printable(value: str) -> str:
    return _UNPRINTABLE.sub("?", value)[:_LINE]


def _block(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _report(
    reject: Reject, message: bytes, envelope: Envelope, stamp: Stamp, kind: str, status: compose.Entity, sender: str
) -> Outgoing | None:
    """A multipart/report with the reason in words, a status, and the message as it came (RFC 6522)."""
    recipient = names.without_route(envelope.sender)
    if not names.is_address(recipient) or not names.is_address(sender):
        return None
    letter = Letter(message)
    subject = first(letter.fields, "subject")
    title = "Message refused"
    if subject is not None and subject.text:
        title += f": {subject.text.decode('utf-8', 'replace')}"
    header = [
        compose.field("From", "Addresses", [{"name": None, "email": sender}]),
        compose.field("To", "Addresses", [{"name": None, "email": recipient}]),
        written_text("Subject", title, "Message refused"),
        *stamped(stamp),
        *replying(letter.fields),
        b"Auto-Submitted: auto-replied\r\n",
    ]
    words = "The message was refused by the recipient's mail filtering program.\r\nThe reason given was as follows:"
    parts = [plain(f"{words}\r\n\r\n{reject.reason}"), status]
    if len(message) <= _WHOLE:
        parts.append(compose.Entity("message/rfc822", octets=message))
    else:
        part = letter.root.part
        parts.append(
            compose.Entity("text/rfc822-headers", octets=message[part.header_start : part.header_end][:_WHOLE])
        )
    root = compose.Entity("multipart/report", parameters={"report-type": kind}, parts=parts)
    return Outgoing("", (recipient,), compose.message(header, root, stamp.message_id))
