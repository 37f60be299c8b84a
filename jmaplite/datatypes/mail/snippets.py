"""SearchSnippet/get (RFC 8621 §5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from orjson import loads

from jmaplite.core.conditions import parse_filter
from jmaplite.core.context import Arguments, Context, Method, Response
from jmaplite.core.errors import MethodError
from jmaplite.core.methods.arguments import ACCOUNT_ID, Signature
from jmaplite.core.methods.get import known_numbers, not_found
from jmaplite.core.records import slots
from jmaplite.core.schema import REQUIRED, Argument
from jmaplite.datatypes.mail.capability import MAIL, mail_settings
from jmaplite.datatypes.mail.email import EMAIL
from jmaplite.datatypes.mail.search import words
from jmaplite.formats import mime
from jmaplite.formats.mime import Message
from jmaplite.store import Reader, WordFinder

_SIGNATURE = Signature(
    {
        "accountId": ACCOUNT_ID,
        "filter": Argument("*"),
        "emailIds": Argument("Id[]", REQUIRED),
    }
)

_PREVIEW_OCTETS = 255  # RFC 8621 §5
_SEARCHED_OCTETS = 262_144  # of the text of one Email
_BEFORE = 60  # characters of a text before the first match
_CONTEXT_OCTETS = 80  # of these in a preview
_AFTER = 300  # characters of a text that a preview can be cut from, at most
_NEAR = 160  # characters within which matches make a text the denser
_CANDIDATES = 200
_MARK, _END, _MORE = "<mark>", "</mark>", "…"
_SPACE = re.compile(r"\s")
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def snippet_get(ctx: Context, given: Arguments) -> Response:
    """Show where Emails have the words of a filter."""
    access = ctx.access(given.get("accountId"), MAIL)
    arguments = _SIGNATURE.read(given)
    ids = list(dict.fromkeys(arguments["emailIds"]))
    most = mail_settings(ctx).max_snippets
    if len(ids) > most:
        raise MethodError("requestTooLarge", f"at most {most} Emails")
    with ctx.account(access).read() as tx:
        parse_filter(EMAIL, ctx, tx, arguments["filter"])
        wanted = _Wanted.of(arguments["filter"])
        numbers = known_numbers(EMAIL, ids)
        found = {number: _snippet(ctx, tx, wanted, row) for number, row in _rows(tx, numbers).items()}
    return {
        "accountId": access.account_id,
        "list": [found[number] for number in numbers if number in found],
        "notFound": not_found(EMAIL, ids, found) or None,
    }


METHOD = Method("SearchSnippet/get", MAIL, snippet_get)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The words that a filter looks for in subjects and in bodies."""

    subject: WordFinder
    body: WordFinder

    @classmethod
    def of(cls, query: Any) -> _Wanted:
        """The words of a filter that was parsed before."""
        subject: list[tuple[str, ...]] = []
        body: list[tuple[str, ...]] = []
        for name, text in _texts(query):
            phrases = words(text).phrases
            if name != "body":
                subject += phrases
            if name != "subject":
                body += phrases
        return cls(WordFinder(subject), WordFinder(body))


def _texts(query: Any) -> Iterator[tuple[str, str]]:
    """(name, string) of each condition on text that a result may fulfil, rather than must not."""
    if query is None or query.get("operator") == "NOT":
        return
    for condition in query.get("conditions", ()):
        yield from _texts(condition)
    if "operator" not in query:
        yield from ((name, query[name]) for name in ("text", "subject", "body") if name in query)


def _rows(tx: Reader, numbers: list[int]) -> dict[int, tuple[Any, ...]]:
    if not numbers:
        return {}
    marks, padded = slots(numbers)
    sql = f"SELECT id, blob, subject, structure FROM email WHERE account=? AND id IN ({marks})"
    return {row[0]: row for row in tx.rows(sql, tx.account, *padded)}


def _snippet(ctx: Context, tx: Reader, wanted: _Wanted, row: tuple[Any, ...]) -> dict[str, Any]:
    """One SearchSnippet."""
    number, digest, subject_json, structure = row
    subject = preview = None
    if wanted.subject:
        text = loads(subject_json) or ""
        spans = wanted.subject.find(text)
        subject = "".join(_written(*piece) for piece in _pieces(text, spans)) if spans else None
    if wanted.body:
        for text in _body_texts(
            mime.load(loads(structure)), lambda *where: ctx.services.blobs.read(tx, digest, *where)
        ):
            preview = cut(text, wanted.body)
            if preview is not None:
                break
    return {"emailId": EMAIL.format_id(number), "subject": subject, "preview": preview}


def _body_texts(message: Message, read: Callable[[int, int], bytes]) -> Iterator[str]:
    """The texts of each part, what is shown first first, until enough was read."""
    parts = {id(part): part for part in (*message.text_body, *message.html_body, *message.leaves())}
    left = _SEARCHED_OCTETS
    for part in parts.values():
        if not part.type.startswith(("text/", "message/")) or left <= 0:
            continue
        length = part.body_end - part.body_start
        octets = read(part.body_start, min(length, left))
        if len(octets) < length:
            octets = octets[: octets.rfind(b"\n") + 1 or len(octets)]
        left -= length
        yield from mime.texts(octets, replace(part, body_start=0, body_end=len(octets)), len(octets))


def cut(text: str, finder: WordFinder) -> str | None:
    """What of a text to show: at most 255 octets, matches marked, from where they are densest; None without any."""
    spans = finder.find(text, _CANDIDATES)
    if not spans:
        return None
    match_start, match_end = _densest(spans)
    start, end = max(0, match_start - _BEFORE), max(match_start + _AFTER, match_end)
    if start and (space := _SPACE.search(text, start, match_start)):
        start = space.end()
    if end < len(text):
        end = max(match_end, _last_space(text, match_start, end))
    # Where white space is collapsed matches have moved.
    shown = " ".join(text[start:end].split())
    spans = finder.find(shown)
    if not spans:
        return None
    begin = _context(shown, spans[0][0])
    left = _PREVIEW_OCTETS - 2 * len(_MORE.encode())
    fitting: list[str] = []
    is_all = True
    for at, (piece, is_marked) in enumerate(
        _pieces(shown[begin:], [(start - begin, end - begin) for start, end in spans])
    ):
        whole = _written(piece, is_marked)
        fits = len(whole.encode()) <= left
        fitting.append(whole if fits else _beginning(piece, left, is_marked) if at == 1 or not is_marked else "")
        left -= len(fitting[-1].encode())
        if not fits:
            is_all = False
            break
    before = _MORE if begin or text[:start].strip() else ""
    after = "" if is_all and not text[end:].strip() else _MORE
    return f"{before}{''.join(fitting).rstrip()}{after}"


def _densest(spans: list[tuple[int, int]]) -> tuple[int, int]:
    """The match that most others follow closely, the first of several."""
    best, most, after = 0, 0, 0
    for at, (start, _) in enumerate(spans):
        while after < len(spans) and spans[after][1] - start <= _NEAR:
            after += 1
        if after - at > most:
            best, most = at, after - at
    return spans[best]


def _context(text: str, match_start: int) -> int:
    """From where to show a text, so that some words before a match are there but do not take its place."""
    if len(text[:match_start].translate(_ESCAPES).encode()) <= _CONTEXT_OCTETS:
        return 0
    left, begin = _CONTEXT_OCTETS, match_start
    while left > 0:
        begin -= 1
        left -= len(text[begin].translate(_ESCAPES).encode())
    space = text.find(" ", begin, match_start)
    return begin if space < 0 else space + 1


def _last_space(text: str, start: int, end: int) -> int:
    """The last white space in the second half of a stretch, if there is one, else its end."""
    space = max(text.rfind(" ", start, end + 1), text.rfind("\n", start, end + 1))
    return space if space > (start + end) // 2 else end


def _pieces(text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """A text in pieces: one that is to be marked after each that is not."""
    position = 0
    for start, end in spans:
        yield text[position:start], False
        yield text[start:end], True
        position = end
    yield text[position:], False


def _written(piece: str, is_marked: bool) -> str:
    """A piece as HTML."""
    escaped = piece.translate(_ESCAPES)
    return f"{_MARK}{escaped}{_END}" if is_marked else escaped


def _beginning(piece: str, octets: int, is_marked: bool) -> str:
    """As much of a piece as goes into so many octets: whole words if it is not marked, and there is a space."""
    left = octets - (len(_MARK) + len(_END) if is_marked else 0)
    length = 0
    for character in piece:
        left -= len(character.translate(_ESCAPES).encode())
        if left < 0:
            break
        length += 1
    if not is_marked:
        length = _last_space(piece, 0, length)
    return _written(piece[:length], is_marked) if length else ""
