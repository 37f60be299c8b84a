"""What of a message's text is shown in lists and what is searched (RFC 8621 §4.1.4 preview, §4.4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from jmaplite.formats.html import to_text
from jmaplite.formats.mime.addressing import addresses
from jmaplite.formats.mime.fields import header_fields, text
from jmaplite.formats.mime.message import Message
from jmaplite.formats.mime.structure import Part, read_structure
from jmaplite.formats.mime.transfer import decode
from jmaplite.formats.mime.values import beginning

_PREVIEW_LENGTH = 256  # characters (RFC 8621 §4.1.4)
_PLAIN_LIMIT = 16_384  # octets of a part that a preview looks at
_HTML_LIMIT = 65_536
_READ = ("text/", "message/")  # the parts that are searched
_MESSAGES = frozenset({"message/rfc822", "message/global"})
_DEEPEST = 10  # messages within each other that are searched

_INVISIBLE = re.compile("[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u034f\u200b\u2060\ufeff]+")
_QUOTED = re.compile(r"[A-Za-z]{1,4}>")
_WROTE = re.compile(
    r"(?:wrote|writes|said|schrieb|écrit|escribió|ha scritto|escreveu|schreef|skrev|kirjoitti"
    r"|napisał(?:\(?a\)?)?|wrote in message .{1,200}) ?:\Z",
    re.I,
)
# what the first line of an attribution begins with, and what all of them hold
_ATTRIBUTION_START = re.compile(r"(?:on|at|am|le|el|il|em|op|den|in|dnia|quoting|thus spake|from)\b|\*", re.I)
_ATTRIBUTION_HINT = re.compile(r"\d{1,2}:\d\d|@|\b(?:wrote|writes|said|schrieb|écrit|quoting)\b", re.I)
_SALUTATION = re.compile(
    r"(?:hi|hello|hey|hallo|dear|good (?:morning|day|afternoon|evening)|greetings|guten tag|moin"
    r"|liebe[rs]?|sehr geehrte[rs]?|bonjour|salut|cher|chère|hola|ciao|hej|hei|terve|moi|cześć|ola|olá)\b"
    r"(?: [^\s,?!:]+){0,3} ?[,.!:]*\Z",
    re.I,
)
_ENDS = ("-- ", "-----BEGIN PGP SIGNATURE", "-----Original Message", "-----Ursprüngliche Nachricht")


def preview(octets: bytes, message: Message) -> str:
    """At most 256 characters of what the author wrote, white space collapsed (RFC 8621 §4.1.4)."""
    parts = [part for part in message.text_body if part.type.startswith("text/")]
    parts.sort(key=lambda part: part.type != "text/plain")
    fallback = ""
    for part in islice(parts, 8):
        if part.type == "text/html":
            content = to_text(beginning(octets, part, _HTML_LIMIT))
        else:
            content = beginning(octets, part, _PLAIN_LIMIT)
        shown = _shortened(" ".join(_own_lines(content)))
        if shown:
            return shown
        fallback = fallback or _shortened(content[: 16 * _PREVIEW_LENGTH])
    return fallback


def _shortened(content: str) -> str:
    return " ".join(_INVISIBLE.sub("", content).split())[:_PREVIEW_LENGTH].rstrip()


def _own_lines(content: str) -> list[str]:
    """Lines without quotations and what introduces them, salutation, signature and PGP armour.

    No more than a preview needs.
    """
    kept: list[str] = []
    salutation: list[str] = []
    length = 0
    in_armour_header = False
    for line in content.split("\n"):
        stripped = line.strip()
        if not stripped:
            in_armour_header = False
        elif stripped[0] == "-" and (line.startswith(_ENDS) or line.rstrip() in ("--", "- --")):
            break
        elif stripped.startswith("-----BEGIN PGP "):
            in_armour_header = True
        elif in_armour_header:
            continue
        elif stripped[0] in ">|" or (">" in stripped[:5] and _QUOTED.match(stripped)):
            _drop_attribution(kept)
        elif not kept and not salutation and _SALUTATION.match(stripped):
            salutation.append(stripped)
        else:
            kept.append(stripped)
            length += len(stripped)
            if stripped[-1] == ":" and _WROTE.search(stripped):
                _drop_attribution(kept)
            if length > 2 * _PREVIEW_LENGTH:  # enough, should an attribution follow; counted anew in case one did
                length = sum(map(len, kept))
                if length > 2 * _PREVIEW_LENGTH:
                    break
    return kept or salutation


def _drop_attribution(kept: list[str]) -> None:
    """Remove "On ... wrote:", of at most three lines, from the end."""
    if not kept or kept[-1][-1] != ":" or not _ATTRIBUTION_HINT.search(kept[-1]):
        return
    start = len(kept) - 1
    for index in range(start, max(start - 3, -1), -1):
        if _ATTRIBUTION_START.match(kept[index]):
            start = index
            break
    del kept[start:]


def search_text(octets: bytes, message: Message, limit: int) -> str:
    """What all parts say, of at most about limit octets of content, and the names of parts."""
    pieces: list[str] = []
    for part in message.leaves():
        if limit > 0 and part.type.startswith(_READ):
            pieces += texts(octets, part, limit)
            limit -= min(part.size, limit)
        if part.name:
            pieces.append(part.name)
    return "\n".join(pieces)


def texts(octets: bytes, part: Part, limit: int, depth: int = 0) -> Iterator[str]:
    """What a reader sees of about the first limit octets of a part: its text, or that of the message that it is.

    RFC 8621 §4.4.1 body has both "text/*" and "message/*" looked at.
    """
    if part.type.startswith("text/") or (part.type.startswith("message/") and part.type not in _MESSAGES):
        content = beginning(octets, part, limit)
        yield to_text(content) if part.type == "text/html" else content
    elif part.type in _MESSAGES and depth < _DEEPEST:
        inner = decode(octets[part.body_start : min(part.body_end, part.body_start + limit)], part.encoding)
        root = read_structure(inner)
        yield _header_text(header_fields(inner, root.header_start, root.header_end))
        for leaf in root.leaves():
            if limit > 0 and leaf.type.startswith(_READ):
                yield from texts(inner, leaf, limit, depth + 1)
                limit -= leaf.body_end - leaf.body_start


def _header_text(fields: Iterable[tuple[str, bytes]]) -> str:
    """What a reader of an attached message sees of its header."""
    values = {name.lower(): value for name, value in fields}
    people = [one for name in ("from", "to", "cc") if name in values for one in addresses(values[name])]
    return "\n".join((text(values.get("subject", b"")), *(f"{one['name'] or ''} {one['email']}" for one in people)))
