"""HTML to the text that a reader of it sees."""

from __future__ import annotations

import re
from html import unescape

# Every markup ends where a browser ends it, or with the document: nothing is looked at twice.
_MARKUP = re.compile(
    r"<(?:!--|(?:[!?]|/(?![a-zA-Z]))[^>]*+(?:>|\Z)|(/?)([a-zA-Z][^\s/>]*+)"
    r"((?:[^>=]++|=\s*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))?)*+)(?:>|\Z))"
)
_ALTERNATIVE = re.compile(r"(?<![^\s/\"'])(?:alt|title)\s*+=\s*+(?:\"([^\"]*+)|'([^']*+)|([^\s>]++))", re.I)
_UNSEEN = {
    name: re.compile(rf"</{name}(?![a-z0-9])[^>]*+(?:>|\Z)", re.I) for name in ("script", "style", "title", "template")
}
_BLOCK_NAMES = """
    address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset
    figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li main menu
    nav ol optgroup option p pre section select summary table tbody tfoot thead tr ul
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_CELLS = frozenset(("td", "th"))
_HUGE_NUMBER = re.compile(r"&#(?:\d{8,}|[xX][0-9a-fA-F]{8,});?")


def to_text(html: str) -> str:
    """The text of an HTML document, a line for each block, white space collapsed; linear in its length.

    Scripts, styles, the title and comments are left out; alt and title attributes count as text.
    """
    html = html.replace("\n", " ")
    pieces: list[str] = []
    position = 0
    while found := _MARKUP.search(html, position):
        pieces.append(html[position : found.start()])
        position = found.end()
        closing, name, attributes = found.groups()
        if name is None:
            if found[0] == "<!--":
                position = _comment_end(html, position)
            continue
        name = name.lower()
        if name in _UNSEEN and not closing:
            end = _UNSEEN[name].search(html, position)
            position = end.end() if end else len(html)
        elif name in _BLOCKS:
            pieces.append("\n")
        elif name in _CELLS:
            pieces.append(" ")
        if attributes:
            pieces += (f" {''.join(values)} " for values in _ALTERNATIVE.findall(attributes))
    pieces.append(html[position:])
    return _collapse("".join(pieces))


def _comment_end(html: str, position: int) -> int:
    if html.startswith((">", "->"), position):
        return html.index(">", position) + 1
    end = html.find("-->", position)
    return len(html) if end < 0 else end + 3


def _collapse(text: str) -> str:
    if "&" in text:
        # int() refuses long numbers, which no character has
        text = unescape(_HUGE_NUMBER.sub("\ufffd", text))
    text = text.replace("\xad", "")
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
