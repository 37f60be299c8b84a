"""What a word is in full-text search: how every driver folds text for its index, and where words stand in a text."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Soft hyphens, joiners and variation selectors, Hebrew points, Arabic vowels and tatweel are for the eye
# only.
_INVISIBLE = re.compile(
    "[\u00ad\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u200c\u200d\u2060\ufe00-\ufe0f\ufeff]+"
)

# Scripts written without spaces, or (Korean) with endings joined to words: each character stands for itself.
# Thai, Lao, Burmese and Khmer keep the marks that follow a letter.
_ALONE = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u3096\u309d-\u309f"
    "\u30a1-\u30fa\u30fc-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb"
    "\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_MARKED = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
_MARKS = "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u17b4-\u17d3"
_UNSPACED = re.compile(f"[{_ALONE}]|[{_MARKED}][{_MARKS}]*")

_DIACRITICS = frozenset(
    map(chr, (*range(0x300, 0x305), *range(0x306, 0x30D), 0x30F, 0x311, 0x31B, *range(0x323, 0x329), 0x32D, 0x32E))
) | {"\u0330", "\u0331"}
"""Those that an index drops where they stand on no letter of their own."""

_TOKEN = re.compile(f"[{_ALONE}]|[{_MARKED}][{_MARKS}]*|[^ {_ALONE}{_MARKED}]+")
_BREAK = re.compile(f"[ {_ALONE}{_MARKED}{_MARKS}]")
_JOINS = re.compile(f"[{_MARKS}]")

# Python translates ASCII far faster than the rest.
_RUNS = re.compile("[\0-\x7f]++|[^\0-\x7f]++")
_OTHERS = re.compile("[^\0-\x7f]")
_FEW = 16

_MOST_PHRASES = 32
_MOST_TOKENS = 64
_MOST_TRIES = 5000


def folded(text: str) -> str:
    """Text as it goes into an index and into a query; case and diacritics are left to the tokenizer."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    if _UNSPACED.search(text):
        text = _UNSPACED.sub(r" \g<0> ", text)
    return text.encode("utf-8", "replace").decode("utf-8")


def word_count(text: str) -> int:
    """How many words a text index makes of a text."""
    return sum(1 for _ in _TOKEN.finditer(_plain(text)))


class _Folding(dict[int, str]):
    """What each character comes to in an index, worked out when it is first met: a space if it parts words."""

    def __init__(self) -> None:
        super().__init__()
        self.uneven = ""
        """The characters met that come to none or several."""
        self.pattern: re.Pattern[str] | None = None

    def __missing__(self, code: int) -> str:
        character = chr(code)
        found = self[code] = _fold(character)
        if len(found) != 1:
            self.uneven += character
            self.pattern = re.compile("[" + re.escape(self.uneven) + "]")
        return found


def _fold(character: str) -> str:
    if _INVISIBLE.match(character):
        return ""
    found = "".join(map(_fold_one, unicodedata.normalize("NFKC", character)))
    return found if not found or found.strip() else " "


def _fold_one(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] not in "LNM" and category != "Co":
        return " "
    if character in _DIACRITICS:
        return ""
    base = unicodedata.normalize("NFD", character)[0]
    if base.isascii():
        return base.lower()
    found = character.casefold()
    return found if len(found) == 1 else character


_FOLDING = _Folding()


@dataclass(frozen=True, slots=True)
class _Text:
    """A folded text; `starts` are the places where a stretch begins, here and in the text as it was."""

    plain: str
    starts: Sequence[int] = ()
    originals: Sequence[int] = ()
    lengths: Sequence[int] = ()

    def start(self, position: int) -> int:
        """Where the character was that a folded one comes from."""
        if not self.starts:
            return position
        at = bisect_right(self.starts, position) - 1
        return self.originals[at] + min(position - self.starts[at], self.lengths[at] - 1)

    def end(self, position: int) -> int:
        """Where the text went on after the character before a folded position, what is dropped there included."""
        if not self.starts:
            return position
        at = bisect_right(self.starts, position - 1) - 1
        within = min(position - self.starts[at], self.lengths[at])
        end = self.originals[at] + within
        if within == self.lengths[at]:
            while at + 2 < len(self.starts) and self.starts[at + 1] == self.starts[at + 2]:
                at += 1
                end += self.lengths[at]
        return end


def _plain(text: str) -> str:
    """The same as `text.translate(_FOLDING)`, which is slow for what is not ASCII."""
    if not text.isascii():
        others = set(_OTHERS.findall(text))
        if len(others) > _FEW:
            return "".join([run.translate(_FOLDING) for run in _RUNS.findall(text)])
        for character in others:
            text = text.replace(character, _FOLDING[ord(character)])
    return text.translate(_FOLDING)


def _folded_text(text: str) -> _Text:
    if text.isascii():
        return _Text(text.translate(_FOLDING))
    plain = _plain(text)
    pattern = _FOLDING.pattern
    if pattern is None or not pattern.search(text):
        return _Text(plain)
    pieces: list[str] = []
    starts, originals, lengths = [], [], []
    position = folded_at = 0

    def add(piece: str, start: int, end: int) -> None:
        nonlocal folded_at
        if end > start:
            starts.append(folded_at)
            originals.append(start)
            lengths.append(end - start)
            pieces.append(piece)
            folded_at += len(piece)

    for found in pattern.finditer(text):
        add(_plain(text[position : found.start()]), position, found.start())
        add(_FOLDING[ord(found[0])], found.start(), found.end())
        position = found.end()
    add(_plain(text[position:]), position, len(text))
    starts.append(folded_at)
    originals.append(len(text))
    lengths.append(1)
    return _Text("".join(pieces), starts, originals, lengths)


class WordFinder:
    """Finds phrases in texts, by the same words as the text indexes: whole, blind to case and diacritics.

    The first 32 phrases count, and the first 64 words of each.
    """

    def __init__(self, phrases: Iterable[Sequence[str]]) -> None:
        found: dict[str, tuple[str, re.Pattern[str]]] = {}
        for phrase in phrases:
            tokens = _TOKEN.findall(" ".join(phrase)[:8192].translate(_FOLDING))[:_MOST_TOKENS]
            if tokens:
                found[" ".join(tokens)] = (tokens[0], re.compile(_pattern(tokens)))
            if len(found) == _MOST_PHRASES:
                break
        self._phrases = tuple(found.values())

    def __bool__(self) -> bool:
        return bool(self._phrases)

    def find(self, text: str, most: int = 100) -> list[tuple[int, int]]:
        """Where phrases stand in a text: (start, end), in order, none within another; at most `most` of a phrase."""
        folded_text = _folded_text(text)
        plain = folded_text.plain
        spans = []
        for token, pattern in self._phrases:
            spans += _occurrences(plain, token, pattern, most)
        spans.sort(key=lambda span: (span[0], -span[1]))
        apart: list[tuple[int, int]] = []
        for start, end in spans:
            if not apart or start >= apart[-1][1]:
                apart.append((start, end))
        return [(folded_text.start(start), folded_text.end(end)) for start, end in apart]


def _occurrences(plain: str, token: str, pattern: re.Pattern[str], most: int) -> list[tuple[int, int]]:
    """Where a phrase stands in folded text; a token that is part of too many longer ones is given up."""
    found: list[tuple[int, int]] = []
    position = plain.find(token)
    for _ in range(_MOST_TRIES):
        if position < 0 or len(found) == most:
            break
        match = pattern.match(plain, position)
        if match and (_is_unspaced(token) or position == 0 or _BREAK.match(plain, position - 1)):
            found.append(match.span())
            position = match.end() - 1
        position = plain.find(token, position + 1)
    return found


def _is_unspaced(token: str) -> bool:
    return _UNSPACED.match(token) is not None


def _pattern(tokens: Sequence[str]) -> str:
    """A regular expression for words in folded text; words of scripts with spaces need them in between."""
    pieces = []
    for at, token in enumerate(tokens):
        unspaced = _is_unspaced(token)
        if at:
            pieces.append(" *+" if unspaced or _is_unspaced(tokens[at - 1]) else " ++")
        pieces.append(re.escape(token))
        pieces.append(f"(?!{_JOINS.pattern})" if unspaced else f"(?![^ {_ALONE}{_MARKED}])")
    return "".join(pieces)
