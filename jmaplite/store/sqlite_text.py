"""Full-text search on SQLite's FTS5: how text is folded on its way in, and how words are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jmaplite.store.port import TextIndex, TextMatch, Words
from jmaplite.store.words import folded

# Marks belong to their letters (Devanagari, Thai); everything else between letters and digits separates, so
# that an address is found by its pieces.
_TOKENIZER = "unicode61 remove_diacritics 2 categories ''L* N* M* Co''"

# One commit makes one segment, so segments are merged in larger steps than FTS5 does by itself.
_TUNING = (("automerge", 8), ("crisismerge", 16), ("pgsz", 4050))

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
