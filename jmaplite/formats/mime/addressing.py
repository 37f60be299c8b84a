"""Address lists: the forms Addresses and GroupedAddresses (RFC 8621 §4.1.2.3-4; RFC 5322 §3.4, §4.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jmaplite.formats.mime.charsets import nfc
from jmaplite.formats.mime.fields import comment_end, unfold
from jmaplite.formats.mime.words import decode_comment, decode_words

MAX_LIST = 500_000  # octets of a field that are read: ten thousand addresses

Token = tuple[str, str]  # (kind, text as written; of a quoted string or comment, what is inside)
Address = dict[str, str | None]

_TOKEN = re.compile(
    r'(?P<space>\s++)|"(?P<quoted>(?:[^"\\]++|\\.)*+)"'
    r'|(?P<word>=\?[^?\s]++\?[bBqQ]\?[!->@-~]*+\?=(?=[\s<>(),:;"]|\Z)'
    r'|[^\s"(),:;<>@\[\].\\]++|\[[^\[\]\\]*+\])|(?P<special>.)',
    re.S,
)
_PAIR = re.compile(r"\\(.)", re.S)
_ATOMS = r'[^\s"(),:;<>@\[\]\\]++'
_SIMPLE = re.compile(
    rf'[ \t]*+(?:(?:"([^"\\]*+)"[ \t]*+|([^"(),:;<>@\[\]\\=]*+))<({_ATOMS}@{_ATOMS})>|({_ATOMS}@{_ATOMS}))'
    r"[ \t]*+(?:,|\Z)"
)


def addresses(value: bytes) -> list[Address]:
    """The EmailAddress[] of an address list, best effort, groups dissolved (RFC 8621 §4.1.2.3)."""
    string = unfold(value[:MAX_LIST])
    simple = _read_simple(string)
    if simple is not None:
        return simple
    return [address for _, members in _Reader(string).groups for address in members]


def grouped_addresses(value: bytes) -> list[dict[str, object]]:
    """The EmailAddressGroup[] of an address list, best effort (RFC 8621 §4.1.2.4)."""
    string = unfold(value[:MAX_LIST])
    simple = _read_simple(string)
    if simple is not None:
        return [{"name": None, "addresses": simple}] if simple else []
    return [{"name": name, "addresses": members} for name, members in _Reader(string).groups]


def _read_simple(string: str) -> list[Address] | None:
    """A list of plain mailboxes in a few steps each; None if anything in it needs the reader."""
    found_addresses: list[Address] = []
    position, end = 0, len(string)
    while position < end:
        found = _SIMPLE.match(string, position)
        if found is None:
            return None
        quoted, phrase, angle, bare = found.groups()
        name = quoted.strip() if quoted is not None else " ".join(phrase.split()) if phrase else ""
        found_addresses.append({"name": _normal(name) or None, "email": angle or bare})
        position = found.end()
    return found_addresses


def _tokens(string: str) -> Iterator[Token]:
    """Tokens of the list; a quote or parenthesis that nothing closes is passed over, with all after it."""
    position = 0
    while position < len(string):
        found = _TOKEN.match(string, position)
        if found is None or found.lastgroup is None:
            return
        kind, token = found.lastgroup, found[found.lastgroup]
        position = found.end()
        if token == "(" and kind == "special":
            end = comment_end(string, position)
            if end:
                yield "comment", string[position : end - 1]
                position = end
                continue
        if kind == "special" and token in '"(':
            # nothing closes one, so nothing closes a later one: drop them all rather than look again
            string, position = string[position:].replace(token, " "), 0
        else:
            yield kind, token


class _Reader:
    """Reads an address list token by token into groups: (name or None, members)."""

    def __init__(self, string: str) -> None:
        self.groups: list[tuple[str | None, list[Address]]] = []
        self._in_group = False
        self._start([])
        for kind, token in _tokens(string):
            if kind == "comment":
                self._read_comment(token)
            elif kind == "special" and token in "<>,:;":
                self._read_special(token)
            else:
                self._read_word(kind, token)
        self._finish()

    def _start(self, words: list[Token]) -> None:
        self._words = words
        self._has_at = False
        self._angle: list[Token] | None = None
        self._after: list[Token] | None = None  # what follows the closing ">"
        self._comment: str | None = None

    def _read_comment(self, token: str) -> None:
        self._place().append(("space", " "))
        in_angle = self._angle is not None and self._after is None
        if self._comment is None and not in_angle:
            self._comment = token

    def _read_word(self, kind: str, token: str) -> None:
        if kind != "space" and self._angle is None:
            self._comment = None  # it did not follow the address
            self._has_at = self._has_at or (kind == "special" and token == "@")
        place = self._place()
        if place or kind != "space":
            place.append((kind, token))

    def _place(self) -> list[Token]:
        if self._after is not None:
            return self._after
        return self._words if self._angle is None else self._angle

    def _read_special(self, token: str) -> None:
        in_angle = self._angle is not None and self._after is None
        is_route = in_angle and bool(self._angle) and self._angle is not None and self._angle[0][1] == "@"
        if token == "<":
            if self._angle is not None:
                after = self._after or []
                self._finish()
                self._words = after
            self._angle = []
        elif token == ">":
            if in_angle:
                self._after = []
        elif token == ":":
            self._read_colon(in_angle)
        elif is_route and token == ",":
            self._place().append(("special", token))
        else:
            self._finish()
            if token == ";":
                self._in_group = False

    def _read_colon(self, in_angle: bool) -> None:
        words = self._words
        if self._angle is None and not self._in_group and words and not self._has_at:
            self.groups.append((_phrase(words) or "", []))
            self._in_group = True
            self._start([])
        elif in_angle or self._angle is None:
            self._place().append(("special", ":"))

    def _finish(self) -> None:
        """Add the mailbox read so far, if there is one, to its group."""
        if self._angle is None and not self._words:
            self._comment = None
            return
        if self._angle is not None:
            name, email = _phrase(self._words), _addr_spec(_without_route(self._angle))
        else:
            name, email = _bare_mailbox(self._words)
        if name is None and self._comment is not None:
            name = _normal(_PAIR.sub(r"\1", decode_comment(self._comment)).strip()) or None
        has_address = self._angle is not None or email
        self._start([])
        if not has_address or not (name or email):
            return
        if not self._in_group and (not self.groups or self.groups[-1][0] is not None):
            self.groups.append((None, []))
        self.groups[-1][1].append({"name": name, "email": email})


def _normal(string: str) -> str:
    return string if string.isascii() else nfc(string)


def _phrase(words: list[Token]) -> str | None:
    """A display name: quoted strings as they are, encoded words among the rest decoded; None if empty."""
    pieces: list[str] = []
    plain: list[str] = []
    for kind, token in words:
        if kind == "quoted":
            pieces += (decode_words("".join(plain)), _PAIR.sub(r"\1", token).strip())
            plain = []
        else:
            plain.append(" " if kind == "space" else token)
    pieces.append(decode_words("".join(plain)))
    return _normal("".join(pieces).strip()) or None


def _addr_spec(words: list[Token]) -> str:
    """An address as written, without the white space and comments around its dots and its "@"."""
    pieces: list[str] = []
    for kind, token in words:
        if kind == "space":
            if pieces and pieces[-1] not in (" ", ".", "@"):
                pieces.append(" ")
            continue
        if token in (".", "@") and kind == "special" and pieces and pieces[-1] == " ":
            pieces.pop()
        pieces.append(f'"{token}"' if kind == "quoted" else token)
    return "".join(pieces).strip()


def _without_route(words: list[Token]) -> list[Token]:
    """RFC 5322 §4.4: an obsolete source route, "@a,@b:", is passed over."""
    if words and words[0][1] == "@" and ("special", ":") in words:
        return words[words.index(("special", ":")) + 1 :]
    return words


def _bare_mailbox(words: list[Token]) -> tuple[str | None, str]:
    """(name, email) of a mailbox without angle brackets; words apart from the address are its name."""
    if ("special", "@") not in words:
        return None, " ".join("".join(" " if kind == "space" else token for kind, token in words).split())
    at = words.index(("special", "@"))
    start = at - _reach(words[:at][::-1])
    end = at + 1 + _reach(words[at + 1 :])
    return _phrase([*words[:start], ("space", " "), *words[end:]]), _addr_spec(words[start:end])


def _reach(words: list[Token]) -> int:
    """How many tokens from the "@" outwards belong to its address: words joined by dots, however spaced."""
    count = 0
    is_joint, is_spaced = True, False
    for index, (kind, token) in enumerate(words):
        if kind == "space":
            is_spaced = True
            continue
        is_dot = kind == "special" and token in ".@"
        if is_spaced and not is_joint and not is_dot:
            break
        count = index + 1
        is_joint, is_spaced = is_dot, False
    return count
