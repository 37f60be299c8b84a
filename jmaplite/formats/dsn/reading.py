"""Reports of other servers, read as they come: RFC 3464, RFC 6533, and what is near enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jmaplite.formats import mime
from jmaplite.formats.dsn.xtext import from_unitext

_MOST_OCTETS = 262_144
_MOST_RECIPIENTS = 1000
_STATUS = frozenset(("message/delivery-status", "message/global-delivery-status"))
_RETURNED = frozenset(("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"))


@dataclass(frozen=True, slots=True)
class Status:
    """What a report says of one recipient: addresses ("" if not told), an action in lower case, a status code.

    `reply` is the answer of SMTP that a server had, "" if none is told.
    """

    original: str
    final: str
    action: str
    status: str
    reply: str


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery status notification; `envelope_id` and `message_id` (without angle brackets) are "" if not told."""

    envelope_id: str
    message_id: str
    recipients: tuple[Status, ...]


def read(octets: bytes, structure: mime.Message | None = None) -> Report | None:
    """The report that a message is, or None if it is none. Never raises; linear in the octets."""
    structure = structure or mime.parse(octets)
    found = groups(octets, structure, _STATUS)
    if not found:
        return None
    recipients = tuple(_status(one) for one in found[1:] if "action" in one)
    # Some leave the fields of the message out.
    if "action" in found[0]:
        recipients = (_status(found[0]), *recipients)
    return Report(found[0].get("original-envelope-id", ""), returned_message_id(octets, structure), recipients)


def groups(octets: bytes, structure: mime.Message, types: frozenset[str]) -> list[Mapping[str, str]]:
    """The groups of fields in the part of a multipart/report (RFC 6522) that has one of some types.

    Names are in lower case, values unfolded. Empty if it is no such report.
    """
    root = structure.root
    if root.type != "multipart/report" or root.sub_parts is None:
        return []
    part = next((one for one in root.sub_parts if one.type in types), None)
    if part is None:
        return []
    text = mime.part_octets(octets, part)[:_MOST_OCTETS].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found: list[Mapping[str, str]] = []
    for block in text.split(b"\n\n")[: _MOST_RECIPIENTS + 1]:
        fields: dict[str, str] = {}
        for name, value in mime.header_fields(block.lstrip(b"\n") + b"\n"):
            fields.setdefault(name.lower(), " ".join(value.decode("utf-8", "replace").split()))
        if fields:
            found.append(fields)
    return found


def returned_message_id(octets: bytes, structure: mime.Message) -> str:
    """The Message-ID of the message that a report gives back, without angle brackets, or ""."""
    for part in structure.root.sub_parts or ():
        if part.type not in _RETURNED:
            continue
        returned = mime.part_octets(octets, part)[:_MOST_OCTETS]
        header_end = len(returned) if part.type.endswith("headers") else mime.parse(returned).root.header_end
        for name, value in mime.header_fields(returned, 0, header_end):
            if name.lower() == "message-id":
                ids = mime.message_ids(value)
                return ids[0] if ids else ""
    return ""


def _status(fields: Mapping[str, str]) -> Status:
    kind, reply = _typed(fields.get("diagnostic-code", ""))
    return Status(
        original=address(fields.get("original-recipient", "")),
        final=address(fields.get("final-recipient", "")),
        action=fields.get("action", "").partition(" ")[0].lower(),
        status=fields.get("status", "").partition(" ")[0],
        reply=reply if kind == "smtp" else "",
    )


def address(value: str) -> str:
    """The address in a value with its kind (RFC 3464 §2.3.1, RFC 6533 §3)."""
    kind, found = _typed(value)
    found = found.removeprefix("<").removesuffix(">")
    return from_unitext(found) if kind == "utf-8" else found


def _typed(value: str) -> tuple[str, str]:
    kind, semicolon, text = value.partition(";")
    return (kind.strip().lower(), text.strip()) if semicolon else ("", value)
