"""A parsed message: its parts and which of them are body and attachments (RFC 8621 §4.1.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from jmaplite.formats.mime.structure import Part, read_structure
from jmaplite.formats.mime.transfer import decode

_CID_URL = re.compile(rb"cid:([^\"'\s<>)]+)", re.I)
_Parts = list[Part]


@dataclass(slots=True)
class Message:
    """A message's tree of parts, and the views of it that RFC 8621 §4.1.4 defines."""

    root: Part
    text_body: list[Part] = field(default_factory=list)
    html_body: list[Part] = field(default_factory=list)
    attachments: list[Part] = field(default_factory=list)
    has_attachment: bool = False

    def leaves(self) -> Iterator[Part]:
        """All parts that are not multipart, depth-first: those with a part_id."""
        return self.root.leaves()


def parse(octets: bytes) -> Message:
    """Read the structure of a message; any octets at all are a message. Linear time, never raises."""
    message = Message(read_structure(octets))
    _decompose([message.root], "mixed", False, message.html_body, message.text_body, message.attachments)
    message.has_attachment = _has_attachment(octets, message)
    return message


def _is_inline_media(part: Part) -> bool:
    return part.type.startswith(("image/", "audio/", "video/"))


def _is_inline(part: Part, index: int, subtype: str) -> bool:
    """Whether a part is shown as body: only the first of a related one is, and named text only if first."""
    if part.disposition == "attachment":
        return False
    is_media = _is_inline_media(part)
    if not is_media and part.type not in ("text/plain", "text/html"):
        return False
    return index == 0 or (subtype != "related" and (is_media or not part.name))


def _decompose(
    parts: _Parts,
    subtype: str,
    in_alternative: bool,
    html_body: _Parts | None,
    text_body: _Parts | None,
    attachments: _Parts,
) -> None:
    """Sort parts into the three lists by the algorithm of RFC 8621 §4.1.4; a list of None takes nothing."""
    text_length = -1 if text_body is None else len(text_body)
    html_length = -1 if html_body is None else len(html_body)
    for index, part in enumerate(parts):
        if part.sub_parts is not None:
            inner = part.type.partition("/")[2]
            inside = in_alternative or inner == "alternative"
            _decompose(part.sub_parts, inner, inside, html_body, text_body, attachments)
        elif not _is_inline(part, index, subtype):
            attachments.append(part)
        elif subtype == "alternative":
            bodies = {"text/plain": text_body, "text/html": html_body}.get(part.type, attachments)
            if bodies is not None:
                bodies.append(part)
        else:
            if in_alternative and part.type == "text/plain":
                html_body = None
            if in_alternative and part.type == "text/html":
                text_body = None
            for bodies in (text_body, html_body):
                if bodies is not None:
                    bodies.append(part)
            if (text_body is None or html_body is None) and _is_inline_media(part):
                attachments.append(part)
    if subtype == "alternative" and text_body is not None and html_body is not None:
        if len(text_body) == text_length and len(html_body) != html_length:
            text_body += html_body[html_length:]
        elif len(html_body) == html_length and len(text_body) != text_length:
            html_body += text_body[text_length:]


def _has_attachment(octets: bytes, message: Message) -> bool:
    """Whether an attachment is neither disposed inline nor an image that an HTML part shows by its cid."""
    offered = [part for part in message.attachments if part.disposition != "inline"]
    if not offered:
        return False
    if not all(part.cid and part.disposition is None and part.type.startswith("image/") for part in offered):
        return True
    shown: set[str] = set()
    for part in message.leaves():
        if part.type == "text/html":
            body = decode(octets[part.body_start : part.body_end], part.encoding)
            shown.update(unquote(cid.decode("utf-8", "replace")) for cid in _CID_URL.findall(body))
    return not all(part.cid in shown for part in offered)


def dump(message: Message) -> list[Any]:
    """The message as a compact list of JSON values, to be stored; load() is the way back."""
    return [
        _dump_part(message.root),
        *([int(part.part_id or 0) for part in parts] for parts in (message.text_body, message.html_body)),
        [int(part.part_id or 0) for part in message.attachments],
        message.has_attachment,
    ]


def load(value: list[Any]) -> Message:
    """The message of which dump() made a value."""
    leaves: list[Part] = []
    root = _load_part(value[0], leaves)
    text_body, html_body, attachments = ([leaves[number - 1] for number in ids] for ids in value[1:4])
    return Message(root, text_body, html_body, attachments, value[4])


def _dump_part(part: Part) -> list[Any]:
    """Offsets, then properties in the order of Part without the trailing ones that are null."""
    row = [
        part.header_start,
        part.header_end,
        part.body_start,
        part.body_end,
        part.encoding,
        part.is_encoding_unknown,
        part.size,
        part.type,
        part.charset,
        part.name,
        part.disposition,
        part.cid,
        part.language,
        part.location,
        None if part.sub_parts is None else [_dump_part(sub_part) for sub_part in part.sub_parts],
    ]
    while row[-1] is None:
        row.pop()
    return row


def _load_part(row: list[Any], leaves: list[Part]) -> Part:
    part = Part(None, *row)
    if part.sub_parts is None:
        leaves.append(part)
        part.part_id = str(len(leaves))
    else:
        part.sub_parts = [_load_part(sub_row, leaves) for sub_row in row[14]]
    return part
