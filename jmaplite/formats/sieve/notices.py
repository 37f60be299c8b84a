"""Notifications by mail (RFC 5436), and what a user is told of a script that failed (RFC 5228 §2.10.6)."""

from __future__ import annotations

from jmaplite.formats import compose, mime
from jmaplite.formats.sieve import names
from jmaplite.formats.sieve.actions import Notify
from jmaplite.formats.sieve.answers import Outgoing, Stamp, first, is_automatic, plain, stamped, written_text
from jmaplite.formats.sieve.errors import SieveError
from jmaplite.formats.sieve.letter import Letter
from jmaplite.formats.sieve.machine import Envelope
from jmaplite.formats.sieve.mailto import parse_mailto

_OWN = frozenset({"subject", "body", "to", "cc", "references", "in-reply-to", "mime-version", "keywords"})
_MOST_RECEIVED = 30
_LONGEST_SHOWN = 500
_IMPORTANCE = {1: b"Importance: high\r\nX-Priority: 1\r\n", 3: b"Importance: low\r\nX-Priority: 5\r\n"}


def notice(
    notify: Notify, message: bytes, envelope: Envelope, owner: str, stamp: Stamp, *, allowed_from: frozenset[str]
) -> Outgoing | None:
    """The notification of a message (RFC 5436 §2.7); None if a program sent the message, or it has nowhere to go.

    `owner` is the address of the script's owner; `:from` counts if it is one of the addresses `allowed_from`.
    """
    uri = parse_mailto(notify.method)
    fields = Letter(message).fields
    if uri is None or is_automatic(fields):
        return None
    wanted = names.address(notify.sender.encode()) if notify.sender is not None else None
    is_allowed = wanted is not None and wanted.lower() in {address.lower() for address in allowed_from}
    sender = wanted if is_allowed and wanted is not None else names.without_route(envelope.recipient) or owner
    if not names.is_address(sender) or not names.is_address(owner):
        return None
    header = [compose.structured("Auto-Submitted", "auto-notified", {"owner-email": owner})]
    received = [field for field in fields if field.lower == "received"][:_MOST_RECEIVED]
    header += [_as_it_came("Received", field.raw) for field in received]
    header += stamped(stamp)
    name = mime.addresses(notify.sender.encode())[0]["name"] if is_allowed and notify.sender is not None else None
    header.append(compose.field("From", "Addresses", [{"name": name, "email": sender}]))
    for field_name, addresses in (("To", uri.to), ("Cc", uri.cc)):
        if addresses:
            header.append(compose.field(field_name, "Addresses", [{"name": None, "email": each} for each in addresses]))
    found = first(fields, "subject")
    subject = notify.message if notify.message is not None else uri.get("subject")
    if subject is None:
        subject = found.text.decode("utf-8", "replace") if found is not None else ""
    header.append(written_text("Subject", subject, "New mail"))
    header.append(_IMPORTANCE.get(notify.importance, b""))
    header += _given(uri.fields)
    octets = compose.message(header, plain(uri.get("body") or ""), stamp.message_id)
    recipients = tuple(dict.fromkeys((*uri.to, *uri.cc)))
    return Outgoing("" if not names.without_route(envelope.sender) else sender, recipients, octets)


def _as_it_came(name: str, raw: bytes) -> bytes:
    """A field of the message once more, but in US-ASCII."""
    try:
        return compose.field(name, "Raw", raw.decode("ascii", "replace").replace("\ufffd", "?"))
    except compose.NotWritable:
        return b""


def _given(fields: tuple[tuple[str, str], ...]) -> list[bytes]:
    """The fields that the URI asks for, in text."""
    written = []
    for name, value in fields:
        if name in _OWN or name.startswith(("content-", "resent-", "dkim-", "arc-", "list-", "authentication-")):
            continue
        title = "-".join(word[:1].upper() + word[1:] for word in name.split("-"))
        try:
            written.append(compose.field(title, "Text", " ".join(value.split())))
        except compose.NotWritable:
            continue
    return written


def failure_notice(
    name: str, error: SieveError, message: bytes, *, sender: str, owner: str, stamp: Stamp
) -> bytes | None:
    """A message to the owner of a script, of a name, that has failed on a message; None if it cannot be addressed."""
    if not names.is_address(sender) or not names.is_address(owner):
        return None
    fields = Letter(message).fields
    header = [
        compose.field("From", "Addresses", [{"name": None, "email": sender}]),
        compose.field("To", "Addresses", [{"name": None, "email": owner}]),
        written_text("Subject", f'The script "{name}" has failed', "A script has failed"),
        *stamped(stamp),
        b"Auto-Submitted: auto-generated\r\n",
    ]
    about = [
        f"    {title}: {found.text.decode('utf-8', 'replace')[:_LONGEST_SHOWN]}"
        for title in ("From", "Subject", "Date", "Message-ID")
        if (found := first(fields, title.lower())) is not None
    ]
    lines = (
        f'The script "{name}", which filters your mail, could not be run to its end:',
        *("", f"    {str(error)[:_LONGEST_SHOWN]}", ""),
        "So nothing of it was done with this message, which is in your inbox:",
        *("", *about, ""),
        "As long as the script stays as it is, you are told so once a day at most.",
    )
    return compose.message(header, plain("\r\n".join(lines)), stamp.message_id)
