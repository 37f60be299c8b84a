"""Octets to Unicode: which charset names are believed, and what is done when the octets do not obey them."""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import lru_cache
from itertools import groupby

# Only these are character encodings of text. Others that Python knows transform (rot13, zlib), interpret
# escapes (unicode_escape), cost quadratic time (idna, punycode) or always raise (undefined).
_TEXT_CODEC = re.compile(
    r"(ascii|utf-8(-sig)?|utf-7|utf-(16|32)(-[bl]e)?|iso8859-\d+|cp\d+|koi8-[rut]|kz1048|mac-[a-z2]+|hp-roman8"
    r"|ptcp154|tis-620|gb2312|gbk|gb18030|hz|big5(hkscs)?|euc_(jp|jis_2004|jisx0213|kr)|johab"
    r"|iso2022_(jp(_1|_2|_2004|_3|_ext)?|kr)|shift_jis(_2004|x0213)?)\Z"
)
# Mail says the first and means the second, which contains it (as in the WHATWG Encoding Standard).
_WIDER = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso2022_jp": "iso2022_jp_ext",
    "utf-8-sig": "utf-8",
}
# Names seen in mail that Python does not know.
_ALIASES = {
    "x-sjis": "shift_jis",
    "x-gbk": "gbk",
    "x-euc-jp": "euc_jp",
    "x-mac-roman": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "iso-8859-6-e": "iso8859-6",
    "windows-874": "cp874",
    "windows-949": "cp949",
    "unicode": "utf-16",
    "utf8mb4": "utf-8",
    "us": "ascii",
    "ascii-7bit": "ascii",
}
_UNSAFE = re.compile(
    "[\x00\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
_C1_AS_CP1252 = {n: bytes([n]).decode("cp1252") for n in range(0x80, 0xA0) if n not in b"\x81\x8d\x8f\x90\x9d"}
_NAME = re.compile(r"[a-z0-9][a-z0-9_.:+()-]{0,39}\Z")
_META = re.compile(rb"<meta\s[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.I)
_MOST_MARKS = 256
_MADE_OF_MARKS = "\u0f73\u0f75\u0f81"  # no combining marks, but decomposed into such
_STATEFUL = ("iso2022", "hz", "utf-7")


@lru_cache(maxsize=256)
def codec(charset: str) -> str | None:
    """The name of the Python codec that reads a charset as mail means it, or None if the name is unknown."""
    found = _exact_codec(charset)
    return _WIDER.get(found, found) if found else None


def _exact_codec(charset: str) -> str | None:
    """The name of the Python codec of a charset, or None if the name is unknown."""
    name = charset.strip(" \t\"'").lower()
    if not _NAME.match(name):
        return None
    try:
        found = codecs.lookup(_ALIASES.get(name, name)).name
    except (LookupError, ValueError):
        return None
    return found if _TEXT_CODEC.match(found) else None


def is_stateful(codec_name: str) -> bool:
    """Whether the codec shifts between modes, so that pieces cannot be joined before they are decoded."""
    return codec_name.startswith(_STATEFUL)


def safe(value: str) -> str:
    """The string as I-JSON may carry it: NUL dropped, surrogates and noncharacters U+FFFD (RFC 7493 §2.1)."""
    if value.isascii():
        return value.replace("\0", "") if "\0" in value else value
    return _UNSAFE.sub(lambda found: "" if found[0] == "\0" else "\ufffd", value)


def utf8(octets: bytes) -> str:
    """Octets as UTF-8, whatever violates its syntax as U+FFFD, NUL dropped (RFC 8621 §4.1.2.1)."""
    return safe(octets.decode("utf-8", "replace"))


def nfc(value: str) -> str:
    """Unicode Normalization Form C; words with more than 256 combining marks in a row stay as they are."""
    # CPython orders combining marks by insertion, which takes quadratic time over one long run of them.
    if len(value) <= _MOST_MARKS:
        return unicodedata.normalize("NFC", value)
    return " ".join(word if _is_laden(word) else unicodedata.normalize("NFC", word) for word in value.split(" "))


def _is_laden(word: str) -> bool:
    """Whether there are more combining marks in a row than any language has."""
    if len(word) <= _MOST_MARKS:
        return False
    runs = groupby(word, lambda character: unicodedata.combining(character) != 0 or character in _MADE_OF_MARKS)
    return any(sum(1 for _ in run) > _MOST_MARKS for are_marks, run in runs if are_marks)


def decode(octets: bytes, charset: str | None, *, is_html: bool = False) -> tuple[str, bool]:
    """Text of octets said to be in a charset, and whether there was a problem (RFC 8621 §4.1.4 bodyValues).

    US-ASCII with high octets is read as UTF-8 if it is that (no problem), else by what an HTML document says
    of itself, else as windows-1252 (a problem, because it is a guess); an unknown charset likewise.
    """
    name = codec(charset) if charset else "ascii"
    if name is None or name == "ascii":
        if octets.isascii():
            return safe(octets.decode("ascii")), name is None
        try:
            return _without_mark(safe(octets.decode("utf-8"))), name is None
        except UnicodeDecodeError:
            return safe(_guess(octets, is_html)), True
    return decode_as(octets, name)


def decode_strictly(octets: bytes, charset: str | None) -> tuple[str, bool]:
    """The same without guesses (RFC 8621 §9.1): by the charset of that name alone, US-ASCII where it is not known.

    UTF-7, which hides US-ASCII from whoever filters mail, is not known either.
    """
    name = _exact_codec(charset) if charset else "ascii"
    if name is None or name == "utf-7":
        return safe(octets.decode("ascii", "replace")), True
    return decode_as(octets, name)


def decode_as(octets: bytes, codec_name: str) -> tuple[str, bool]:
    """Text of octets by a codec that codec() named, U+FFFD for what is malformed, and whether any was."""
    if codec_name == "cp1252":
        return safe(_western(octets)), False
    if codec_name == "utf-16" and octets[:2] not in (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE):
        codec_name = "utf-16-be"  # RFC 2781 §4.3
    try:
        value, is_problem = octets.decode(codec_name), False
    except UnicodeError:
        value, is_problem = octets.decode(codec_name, "replace"), True
    return _without_mark(safe(value)), is_problem


def _guess(octets: bytes, is_html: bool) -> str:
    declared = _META.search(octets, 0, 4096) if is_html else None
    name = codec(declared[1].decode("ascii", "replace")) if declared else None
    if name is None or name in ("ascii", "utf-8", "cp1252") or name.startswith("utf-"):
        return _western(octets)
    return octets.decode(name, "replace")


def _western(octets: bytes) -> str:
    try:
        return octets.decode("cp1252")
    except UnicodeDecodeError:
        return octets.decode("latin-1").translate(_C1_AS_CP1252)


def _without_mark(value: str) -> str:
    return value[1:] if value.startswith("\ufeff") else value
