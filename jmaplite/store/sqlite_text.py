"""Full-text search on SQLite's FTS5: how text is folded on its way in, and how words are asked for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from jmaplite.store.port import TextIndex, TextMatch, Words

# Marks belong to their letters (Devanagari, Thai); everything else between letters and digits separates, so
# that an address is found by its pieces.
_TOKENIZER = "unicode61 remove_diacritics 2 categories ''L* N* M* Co''"

# One commit makes one segment, so segments are merged in larger steps than FTS5 does by itself.
_TUNING = (("automerge", 8), ("crisismerge", 16), ("pgsz", 4050))

# Soft hyphens, joiners and variation selectors, Hebrew points, Arabic vowels and tatweel are for the eye
# only.
_INVISIBLE = re.compile(
    "[\u00ad\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u200c\u200d\u2060\ufe00-\ufe0f\ufeff]+"
)

# Scripts written without spaces, or (Korean) with endings joined to words: each character stands for itself.
# Thai, Lao, Burmese and Khmer keep the marks that follow a letter.
_UNSPACED = re.compile(
    "[\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u3096\u309d-\u309f"
    "\u30a1-\u30fa\u30fc-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb"
    "\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
    "|[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff][\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
    "\u102b-\u103e\u17b4-\u17d3]*"
)

_PHRASES = 256
_PHRASE_LENGTH = 8192


@dataclass(frozen=True, slots=True)
class TextStatements:
    """The statements of one text index, put together once."""

    columns: tuple[str, ...]
    put: str
    remove: str


def text_ddl(text: TextIndex) -> tuple[str, ...]:
    """The statements that make a text index.

    Contentless: the words alone are kept, not the text. Column sizes would only serve ranking, but without
    them FTS5 cannot delete from a contentless table.
    """
    columns = ", ".join(f'"{column}"' for column in text.columns)
    table = f'"{text.name}"'
    return (
        f"CREATE VIRTUAL TABLE {table} USING fts5({columns}, content='', contentless_delete=1, "
        f"tokenize='{_TOKENIZER}')",
        *(f"INSERT INTO {table}({table}, rank) VALUES ('{name}', {value})" for name, value in _TUNING),
    )


def text_statements(text: TextIndex) -> TextStatements:
    """The statements that fill a text index."""
    columns = ", ".join(f'"{column}"' for column in text.columns)
    marks = ", ".join("?" * len(text.columns))
    return TextStatements(
        text.columns,
        f'INSERT OR REPLACE INTO "{text.name}"(rowid, {columns}) VALUES (?, {marks})',
        f'DELETE FROM "{text.name}" WHERE rowid = ?',
    )


def folded(text: str) -> str:
    """Text as it goes into an index and into a query; case and diacritics are left to the tokenizer."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    if _UNSPACED.search(text):
        text = _UNSPACED.sub(r" \g<0> ", text)
    return text.encode("utf-8", "replace").decode("utf-8")


def text_match(index: str, known: Sequence[str], words: Words) -> TextMatch:
    """How FTS5 finds words. Raises ValueError for a column that the index has not.

    A phrase without a single letter or digit is ignored; if there is no other, nothing is found. The first
    256 phrases count, and of each its first 8192 characters: more is no question but an attack.
    """
    for column in words.columns:
        if column not in known:
            raise ValueError(f"text index {index} has no column {column}")
    phrases = dict.fromkeys(_quoted(phrase) for phrase in words.phrases[:_PHRASES])
    query = " ".join(phrases) or '""'
    if words.columns:
        query = f"{{{' '.join(words.columns)}}} : ({query})"
    return TextMatch(index, "rowid", f"{index} MATCH ?", (query,))


def _quoted(phrase: Sequence[str]) -> str:
    """A phrase as an FTS5 string: nothing in it is syntax."""
    text = " ".join(phrase)
    if len(text) > _PHRASE_LENGTH:
        text = text[:_PHRASE_LENGTH].rpartition(" ")[0]
    return '"' + folded(text).replace("\0", " ").replace('"', " ") + '"'
