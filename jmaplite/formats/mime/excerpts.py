"""What of a message's text is shown in lists and what is searched (RFC 8621 §4.1.4 preview, §4.4.1)."""

from __future__ import annotations

import re
from itertools import islice

from jmaplite.formats.html import to_text
from jmaplite.formats.mime.message import Message
from jmaplite.formats.mime.values import beginning

_PREVIEW_LENGTH = 256  # characters (RFC 8621 §4.1.4)
_PLAIN_LIMIT = 16_384  # octets of a part that a preview looks at
_HTML_LIMIT = 65_536

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
            text = to_text(beginning(octets, part, _HTML_LIMIT))
        else:
            text = beginning(octets, part, _PLAIN_LIMIT)
        shown = _shortened(" ".join(_own_lines(text)))
        if shown:
            return shown
        fallback = fallback or _shortened(text[: 16 * _PREVIEW_LENGTH])
    return fallback


def _shortened(text: str) -> str:
    return " ".join(_INVISIBLE.sub("", text).split())[:_PREVIEW_LENGTH].rstrip()


def _own_lines(text: str) -> list[str]:
    """Lines without quotations and what introduces them, salutation, signature and PGP armour.

    No more than a preview needs.
    """
    kept: list[str] = []
    salutation: list[str] = []
    length = 0
    in_armour_header = False
    for line in text.split("\n"):
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
    """The text of every text part, of at most about limit octets of content, and the names of parts."""
    pieces: list[str] = []
    for part in message.leaves():
        if part.type.startswith("text/") and limit > 0:
            text = beginning(octets, part, limit)
            limit -= min(part.size, limit)
            pieces.append(to_text(text) if part.type == "text/html" else text)
        if part.name:
            pieces.append(part.name)
    return "\n".join(pieces)
