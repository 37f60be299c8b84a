"""Encoded words (RFC 2047): in unstructured text, in phrases and comments, and in parameters."""

from __future__ import annotations

import re
from itertools import groupby

from jmaplite.formats.mime.charsets import codec, decode_as, is_stateful
from jmaplite.formats.mime.transfer import base64, escapes

_WORD = r"=\?([^?\s*]++)(?:\*[^?\s]*+)?\?([bBqQ])\?([!->@-~]*+)\?="
_IN_TEXT = re.compile(rf"(?<![^ \t]){_WORD}(?![^ \t])")
_IN_COMMENT = re.compile(rf"(?<![^ \t(]){_WORD}(?![^ \t)])")
# Mailers put encoded words into parameters, where they have no place, and spaces into those.
_IN_PARAMETER = re.compile(r"=\?([^?\s*]++)(?:\*[^?\s]*+)?\?([bBqQ])\?([ -\>@-~]*+)\?=")
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")


def decode_words(string: str) -> str:
    """Unfolded text, or a phrase, with its encoded words decoded where white space sets them off (§5, §6)."""
    return _decode(_IN_TEXT, string)


def decode_comment(string: str) -> str:
    """The inside of a comment with its encoded words decoded; parentheses set them off too (§5 (2))."""
    return _decode(_IN_COMMENT, string)


def decode_parameter(string: str) -> str:
    """A parameter's value with encoded words decoded wherever they are."""
    return _decode(_IN_PARAMETER, string)


def _decode(pattern: re.Pattern[str], string: str) -> str:
    """Replace the words with a known charset; white space between two of them vanishes (RFC 2047 §6.2)."""
    kept: list[str] = []
    run: list[tuple[str, bytes]] = []
    last = 0
    for found in pattern.finditer(string):
        charset = codec(found[1])
        if charset is None:
            continue
        between = string[last : found.start()]
        if not run or between.strip(" \t"):
            kept += (_decode_run(run), between)
            run = []
        octets = found[3].encode("ascii")
        run.append((charset, base64(octets) if found[2] in "bB" else escapes(octets.replace(b"_", b" "))))
        last = found.end()
    return "".join((*kept, _decode_run(run), string[last:])) if run else string


def _decode_run(run: list[tuple[str, bytes]]) -> str:
    """Text of adjacent words, joined before decoding if of one charset: mailers split characters."""
    pieces: list[str] = []
    for charset, words in groupby(run, key=lambda word: word[0]):
        octets = [octets for _, octets in words]
        if not is_stateful(charset):
            octets = [b"".join(octets)]
        name = "utf-8" if charset == "ascii" else charset
        pieces += (_CONTROL.sub("", decode_as(piece, name)[0]) for piece in octets)
    return "".join(pieces)
