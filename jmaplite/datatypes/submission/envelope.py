"""What a message is sent with: its header judged, an envelope made of it or checked, parameters read (RFC 8621 §7)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jmaplite.core.errors import SetError, invalid_properties
from jmaplite.core.kinds import is_utc_date, utc_seconds
from jmaplite.datatypes.submission.addresses import allows, is_address, plain, some_allows
from jmaplite.datatypes.submission.capability import SubmissionSettings
from jmaplite.datatypes.submission.parameters import OF_SENDER, check, check_recipient, shown, upper
from jmaplite.formats import mime

Header = Mapping[str, list[bytes]]
"""Values of header fields in order, by their names in lower case."""

KINDS = {
    "Envelope": {"mailFrom": "Address", "rcptTo": "Address[]"},
    "Address": {"email": "String", "parameters": "String[String|null]|null"},
}

_ONCE = {
    "date": "sentAt",
    "from": "from",
    "sender": "sender",
    "reply-to": "replyTo",
    "to": "to",
    "cc": "cc",
    "bcc": "bcc",
    "message-id": "messageId",
    "in-reply-to": "inReplyTo",
    "references": "references",
    "subject": "subject",
}
"""Fields of which a message has one at most (RFC 5322 §3.6), and the properties of Email that stand for them."""

_READ_AS = {"date": mime.date, "message-id": mime.message_ids}
"""What is None for a value that is not of the syntax of a field."""

_INTERVAL = re.compile(r"[1-9][0-9]{0,8}")
_SIZE = re.compile(r"[0-9]{1,20}")


def header_of(octets: bytes) -> Header:
    """The fields of a message's header section."""
    header: dict[str, list[bytes]] = {}
    for name, value in mime.header_fields(octets):
        header.setdefault(name.lower(), []).append(value)
    return header


def names_of(header: Header, envelope: Mapping[str, Any]) -> tuple[str, str]:
    """What reports will call a message: its Message-ID without angle brackets and the id of its envelope, or ""."""
    ids = mime.message_ids(header["message-id"][0]) if "message-id" in header else None
    parameters = envelope["mailFrom"]["parameters"] or {}
    given = next((value for name, value in parameters.items() if name.upper() == "ENVID"), None)
    return ids[0] if ids else "", given or ""


def faults(header: Header, *, has_envelope: bool) -> list[str]:
    """The properties of an Email that keep it from being sent (RFC 5322 §3.6, RFC 8621 §4.6, §7 mailFrom).

    Where no envelope was given, recipients that are no addresses are invalid in the one that is made of them.
    """
    wrong = [name for field, name in _ONCE.items() if len(header.get(field, ())) > 1]
    wrong += [_ONCE[field] for field, read in _READ_AS.items() if field in header and read(header[field][-1]) is None]
    for field in ("reply-to", "to", "cc", "bcc") if has_envelope else ("reply-to",):
        if not all(map(is_address, _emails(header.get(field, ())))):
            wrong.append(_ONCE[field])
    authors, senders = _emails(header.get("from", ())), _emails(header.get("sender", ()))
    if not authors or not all(map(is_address, authors)) or (len(authors) > 1 and "sender" not in header):
        wrong.append("from")
    if "sender" in header and (len(senders) != 1 or not is_address(senders[0])):
        wrong.append("sender")
    return list(dict.fromkeys(wrong))


def authors_are_allowed(header: Header, identity: str) -> bool:
    """Whether an Identity, by its email, covers all that the From field names (RFC 8621 §9.6)."""
    return all(allows(identity, author) for author in _emails(header["from"]))


def envelope_of(header: Header, identity: str) -> dict[str, Any]:
    """The Envelope that the server makes (RFC 8621 §7). Raises SetError forbiddenMailFrom."""
    found = _emails((header.get("sender") or header.get("from") or [b""])[-1:])
    mail_from = found[0] if found and allows(identity, found[0]) else identity
    if mail_from.startswith("*@"):
        raise SetError("forbiddenMailFrom", "the Identity stands for a domain, and the sender is not of it")
    listed = _emails(value for field in ("to", "cc", "bcc") for value in header.get(field, ()))
    recipients = {plain(email): email for email in reversed(listed)}
    return {
        "mailFrom": {"email": mail_from, "parameters": None},
        "rcptTo": [{"email": recipients[key], "parameters": None} for key in dict.fromkeys(map(plain, listed))],
    }


def _emails(values: Iterable[bytes]) -> list[str]:
    return [str(address["email"]) for value in values for address in mime.addresses(value)]


def whole(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """An Envelope of a client with what it left out."""
    return {
        "mailFrom": {"parameters": None, **envelope["mailFrom"]},
        "rcptTo": [{"parameters": None, **address} for address in envelope["rcptTo"]],
    }


def check_envelope(envelope: Mapping[str, Any], allowed: Iterable[str], settings: SubmissionSettings) -> None:
    """Raises SetError unless mail may go from and to these addresses; `allowed` are the user's own (RFC 8621 §7.5).

    The empty mailFrom, which nothing is returned to, is always allowed.
    """
    sender, recipients = envelope["mailFrom"]["email"], [address["email"] for address in envelope["rcptTo"]]
    if sender and not is_address(sender):
        raise invalid_properties("mailFrom is not an address", "envelope")
    if sender and not some_allows(allowed, sender):
        raise SetError("forbiddenMailFrom", "the user may not send from this address")
    if not recipients:
        raise SetError("noRecipients")
    if len(recipients) > settings.max_recipients:
        raise SetError("tooManyRecipients", maxRecipients=settings.max_recipients)
    wrong = [address for address in dict.fromkeys(recipients) if not is_address(address)]
    if wrong:
        raise SetError("invalidRecipients", invalidRecipients=wrong)
    for address in envelope["rcptTo"]:
        if address["parameters"]:
            check_recipient(address["parameters"], settings.extensions)


def release_time(parameters: Mapping[str, str | None] | None, settings: SubmissionSettings, now: float) -> int:
    """When a message is to be released, in seconds, by the parameters of mailFrom (RFC 4865 §3, RFC 1870 §3).

    Raises SetError: invalidProperties, tooLarge.
    """
    given = upper(parameters)
    known = {"SIZE"} | ({"HOLDFOR", "HOLDUNTIL"} if settings.max_delayed_send else set())
    for name in given.keys() - known:
        if not check(name, given[name], OF_SENDER, settings.extensions):
            raise invalid_properties(f"no extension that is announced has a parameter {shown(name)}", "envelope")
    if "SIZE" in given:
        _check_size(given["SIZE"], settings)
    if "HOLDFOR" in given and "HOLDUNTIL" in given:
        raise invalid_properties("HOLDFOR and HOLDUNTIL cannot be together", "envelope")
    if "HOLDFOR" in given:
        return _after(given["HOLDFOR"], settings.max_delayed_send, now)
    if "HOLDUNTIL" in given:
        return _until(given["HOLDUNTIL"], settings.max_delayed_send, now)
    return int(now)


def _check_size(value: str | None, settings: SubmissionSettings) -> None:
    if value is None or not _SIZE.fullmatch(value):
        raise invalid_properties("SIZE is a number of octets", "envelope")
    if int(value) > settings.max_size:
        raise too_large(settings)


def too_large(settings: SubmissionSettings) -> SetError:
    """The error for a message that is larger than this server sends."""
    return SetError("tooLarge", f"a message has at most {settings.max_size} octets", maxSize=settings.max_size)


def _after(value: str | None, most: int, now: float) -> int:
    if value is None or not _INTERVAL.fullmatch(value) or int(value) > most:
        raise invalid_properties(f"HOLDFOR is a number of seconds from 1 to {most}", "envelope")
    return math.ceil(now + int(value))


def _until(value: str | None, most: int, now: float) -> int:
    """A time that is over is no time to wait for: the message is released at once."""
    if value is None or not is_utc_date(value) or utc_seconds(value) > now + most:
        raise invalid_properties(f"HOLDUNTIL is a UTC date-time, at most {most} seconds from now", "envelope")
    return max(math.ceil(utc_seconds(value)), int(now))
