"""mailto URIs, as notifications use them (RFC 6068, RFC 5436 §2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from jmaplite.formats.sieve.names import is_address

_URI = re.compile(r"mailto:([^?#]*)(?:\?([^#]*))?", re.I)
_ALLOWED = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;:@/?=-]|%[0-9A-Fa-f]{2})*")
_NAME = re.compile(r"[!-9;-~]{1,76}")
_LONGEST = 4096
_MOST_RECIPIENTS = 10

NOTIFICATION_METHODS = ("mailto",)
"""The schemes of URIs by which notifications can be sent here."""

IGNORED = frozenset(
    {"from", "auto-submitted", "received", "message-id", "date", "return-path", "sender", "bcc", "resent-from"}
)
"""Header fields that a URI cannot give a notification (RFC 5436 §2.7); "bcc" would hide recipients."""


@dataclass(frozen=True, slots=True)
class Mailto:
    """What a mailto URI says: recipients of "to" and of "cc", and other fields by lower-case name, "body" included."""

    to: tuple[str, ...]
    cc: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The first field of a name."""
        return next((value for found, value in self.fields if found == name), None)


def parse_mailto(uri: str) -> Mailto | None:
    """The parts of a mailto URI; None if it is none, or names no recipient or one that is no address."""
    found = _URI.fullmatch(uri)
    if found is None or len(uri) > _LONGEST or not _ALLOWED.fullmatch(uri):
        return None
    to = [_decoded(each) for each in found[1].split(",") if each]
    cc: list[str | None] = []
    fields: list[tuple[str, str]] = []
    for pair in (found[2] or "").split("&") if found[2] else ():
        encoded_name, equals, encoded_value = pair.partition("=")
        name, value = _decoded(encoded_name), _decoded(encoded_value)
        if not equals or name is None or value is None or not _NAME.fullmatch(name):
            return None
        name = name.lower()
        if name in ("to", "cc"):
            (to if name == "to" else cc).extend(each.strip() for each in value.split(",") if each.strip())
        elif name not in IGNORED:
            fields.append((name, value))
    recipients = [*to, *cc]
    if not recipients or len(recipients) > _MOST_RECIPIENTS:
        return None
    if not all(each is not None and is_address(each) for each in recipients):
        return None
    return Mailto(_each_once(to), _each_once(cc), tuple(fields))


def is_valid_mailto(uri: str) -> bool:
    """Whether a URI is a mailto that a notification can be sent by."""
    return parse_mailto(uri) is not None


def _each_once(values: list[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value is not None))


def _decoded(value: str) -> str | None:
    """A percent-encoded value; None if it is no UTF-8 or has NUL."""
    try:
        decoded = unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in decoded else decoded
