"""What names mean in a Maildir (flags, times, Maildir++ folders) and in a tree of .eml files."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from string import ascii_lowercase

from jmaplite.formats.mailboxes.flags import Flags, is_keyword

_LETTERS = {"D": "$draft", "F": "$flagged", "P": "$forwarded", "R": "$answered", "S": "$seen"}
_TRASHED = "T"
_INFO = re.compile(r"[:;!]2,([A-Za-z]*)\Z")
"""Programs on systems whose file names cannot have a colon write `;` or `!` for it."""
_TIME = re.compile(r"(\d{1,12})\.")
_EML = re.compile(r",([DFPRST]+)\.eml\Z", re.IGNORECASE)
_SHIFT = re.compile(r"&([A-Za-z0-9+,]*)-")
_SHIFTED = re.compile(r"[^ -~]+|[./]+|&")


def maildir_flags(name: str, letters: Mapping[str, str]) -> Flags:
    """What a file's name in `cur` tells; `letters` are the folder's own (`parse_keyword_letters`)."""
    info = _INFO.search(name)
    return _flags(info[1], letters) if info else Flags()


def maildir_info(keywords: Iterable[str], letters: Mapping[str, str]) -> str:
    """The end of a file's name in `cur`; keywords that have no letter are left out."""
    known = {keyword: letter for letter, keyword in {**_LETTERS, **letters}.items()}
    return ":2," + "".join(sorted(known[keyword] for keyword in keywords if keyword in known))


def maildir_time(name: str) -> int | None:
    """When a file's name says that it was delivered, in seconds since the epoch."""
    found = _TIME.match(name)
    return int(found[1]) if found else None


def eml_flags(name: str) -> Flags:
    """What the letters after the last comma of an .eml file's name tell: `01-welcome,SF.eml`."""
    found = _EML.search(name)
    return _flags(found[1].upper(), {}) if found and found[1].isupper() else Flags()


def parse_keyword_letters(octets: bytes) -> dict[str, str]:
    """A dovecot-keywords file (`0 $Forwarded`, a line each): which letter a to z means which keyword."""
    letters = {}
    for line in octets.decode("utf-8", "replace").splitlines():
        number, _, name = line.strip().partition(" ")
        keyword = name.strip().lower()
        if re.fullmatch(r"\d|1\d|2[0-5]", number, re.ASCII) and is_keyword(keyword):
            letters[ascii_lowercase[int(number)]] = keyword
    return letters


def assign_letters(letters: dict[str, str], keywords: Iterable[str]) -> frozenset[str]:
    """Give each keyword a letter of its folder, as long as there are any; answers those that got none."""
    missing = sorted(set(keywords) - {*_LETTERS.values(), *letters.values()})
    free = (letter for letter in ascii_lowercase if letter not in letters)
    for keyword, letter in zip(missing, free, strict=False):
        letters[letter] = keyword
    return frozenset(missing) - set(letters.values())


def format_keyword_letters(letters: Mapping[str, str]) -> bytes:
    """The dovecot-keywords file of a folder's letters; `parse_keyword_letters` reads it."""
    lines = (f"{ascii_lowercase.index(letter)} {keyword}\n" for letter, keyword in sorted(letters.items()))
    return "".join(lines).encode()


def path_of_folder(parts: Sequence[str]) -> tuple[str, ...]:
    """The mailbox that a folder is, by the directories from the Maildir's root down to it.

    `.Archive.2024` (Maildir++) is two levels deep; a directory whose name does not begin with a dot is one.
    """
    path = []
    for part in parts:
        levels = part.split(".") if part.startswith(".") else [part]
        path += [_decode(level) for level in levels if level]
    return tuple(path)


def folder_of_path(path: Sequence[str]) -> str:
    """The directory of a mailbox beneath the root (Maildir++); `path_of_folder` undoes it."""
    return "".join("." + _encode(level) for level in path)


def _flags(info: str, letters: Mapping[str, str]) -> Flags:
    known = {**_LETTERS, **letters}
    return Flags(frozenset(known[letter] for letter in info if letter in known), _TRASHED in info)


def _decode(level: str) -> str:
    """Modified UTF-7 (RFC 3501 §5.1.3) as text; what is none stays, since some programs write UTF-8."""
    text = level.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return _SHIFT.sub(lambda found: _shifted(found[1]) if found[1] else "&", text)
    except (ValueError, binascii.Error):
        return text


def _shifted(letters: str) -> str:
    padded = letters.replace(",", "/") + "=" * (-len(letters) % 4)
    return base64.b64decode(padded, validate=True).decode("utf-16-be")


def _encode(level: str) -> str:
    """Text in modified UTF-7; a dot and a slash are shifted too, since in a file's name they mean levels."""

    def shift(found: re.Match[str]) -> str:
        octets = found[0].encode("utf-16-be", "replace")
        return "&" + base64.b64encode(octets).decode().rstrip("=").replace("/", ",") + "-"

    return _SHIFTED.sub(lambda found: "&-" if found[0] == "&" else shift(found), level)
