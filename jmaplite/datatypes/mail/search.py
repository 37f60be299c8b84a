"""Search strings: words and phrases in quotes (RFC 8621 §4.4.1)."""

from __future__ import annotations

import re

from jmaplite.store import Words

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'(?=\s|$)|(\S+)', re.DOTALL)


def words(text: str, columns: tuple[str, ...] = ()) -> Words:
    """What a search string asks for: every word, and every phrase between matched quotes, must be there.

    Within a phrase a backslash stands before a quote or a backslash. A quote without its match belongs to its word.
    """
    phrases = []
    for double, single, word in _TOKEN.findall(text):
        phrase = re.sub(r"\\(.)", r"\1", double or single, flags=re.DOTALL) or word
        if phrase.split():
            phrases.append(tuple(phrase.split()))
    return Words(tuple(phrases), columns)
