"""Disposition notifications read as they come (RFC 8098 §3, RFC 6533 §5)."""

from __future__ import annotations

import re

from jmaplite.formats import html, mime
from jmaplite.formats.mdn.values import Disposition, Notification
from jmaplite.formats.mime.fields import without_comments

_TYPES = ("message/disposition-notification", "message/global-disposition-notification")
_MOST_OCTETS = 65_536  # of the part for programs; what is more is cut off
_MOST_FIELDS = 100
_MOST_TEXT = 65_536
_BLANKS = re.compile(r"\s++")
_DISPOSITION = re.compile(r"([a-z-]+) ?/ ?([a-z-]+) ?; ?([a-z-]+)(?: ?/ ?(.*))?")


def parse(octets: bytes, structure: mime.Message | None = None) -> Notification | None:
    """The notification that a message is; None if it is none. `structure` spares reading a message that is parsed."""
    message = structure or mime.parse(octets)
    root = message.root
    if root.sub_parts is None or not root.type.startswith("multipart/"):
        return None
    status = next((part for part in root.leaves() if part.type in _TYPES), None)
    if status is None:
        return None
    fields = _fields(mime.part_octets(octets, status)[:_MOST_OCTETS])
    disposition = _disposition(fields.pop("disposition", [("", "")])[0][1])
    if disposition is None:
        return None
    header = mime.header_fields(octets, root.header_start, root.header_end)
    subject = next((value for name, value in header if name.lower() == "subject"), None)

    def only(name: str) -> str | None:
        found = fields.pop(name, None)
        return found[0][1] or None if found else None

    return Notification(
        disposition=disposition,
        subject=None if subject is None else mime.text(subject),
        text=_text(octets, root, status),
        reporting_ua=only("reporting-ua"),
        gateway=only("mdn-gateway"),
        original_recipient=only("original-recipient"),
        final_recipient=only("final-recipient"),
        original_message_id=only("original-message-id"),
        errors=tuple(value for _, value in fields.pop("error", ())),
        extensions=dict(found[0] for found in fields.values()),
    )


def _fields(content: bytes) -> dict[str, list[tuple[str, str]]]:
    """The fields by their names in lower case: each name as written, and value. The first block of some counts."""
    if not content.strip():
        return {}
    found: dict[str, list[tuple[str, str]]] = {}
    content = content.lstrip(b"\r\n")
    end = re.search(rb"\n\r?\n", content)
    for name, value in mime.header_fields(content, 0, end.start() + 1 if end else None)[:_MOST_FIELDS]:
        found.setdefault(name.lower(), []).append((name, _BLANKS.sub(" ", mime.text(value)).strip()))
    return found


def _disposition(value: str) -> Disposition | None:
    found = _DISPOSITION.fullmatch(_BLANKS.sub(" ", without_comments(value)).strip().lower())
    if found is None:
        return None
    modifiers = tuple(one.strip() for one in (found[4] or "").split(",") if one.strip())
    return Disposition(found[1], found[2], found[3], modifiers)


def _text(octets: bytes, root: mime.Part, status: mime.Part) -> str | None:
    """What people are told: the text before the part for programs, HTML only if there is nothing else."""
    texts: dict[str, mime.Part] = {}
    for part in root.leaves():
        if part is status:
            break
        texts.setdefault(part.type, part)
    if "text/plain" in texts:
        return mime.body_value(octets, texts["text/plain"], _MOST_TEXT)[0]
    if "text/html" in texts:
        return html.to_text(mime.body_value(octets, texts["text/html"], _MOST_TEXT)[0])
    return None
