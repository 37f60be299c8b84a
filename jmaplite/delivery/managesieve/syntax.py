"""Commands and responses of ManageSieve as octets (RFC 5804 §4)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

_LONGEST_LINE = 8192
_LONGEST_QUOTED = 1024
_SKIPPED = 65_536

_TOKEN = re.compile(rb'"((?:[^"\\\r\n\0]++|\\["\\])*+)"|\{(0|[1-9][0-9]{0,9})\+?\}\Z|([^\s"(){}\\\0]++)')
_PAIR = re.compile(rb'\\(["\\])')
_PLAIN = re.compile(r"[^\r\n\0]*")


class NotUnderstood(Exception):
    """A command breaks the grammar; the only argument is a sentence about that."""


class TooLarge(Exception):
    """A command has strings that are larger than is taken; their octets have been passed over."""


class CutOff(Exception):
    """What the peer sends cannot be told apart any more, or is endless: there is nothing but to end."""


@dataclass(slots=True)
class Command:
    """A command: its name in upper case, and strings and numbers as octets, with which of them are strings."""

    name: str
    arguments: list[bytes] = field(default_factory=list)
    are_strings: list[bool] = field(default_factory=list)


async def read_command(reader: asyncio.StreamReader, most: int) -> Command | None:
    """The next command, with strings of at most `most` octets together; None at the end of the connection.

    Raises NotUnderstood, TooLarge, CutOff.
    """
    arguments, are_strings = await _read_words(reader, most)
    if arguments is None:
        return None
    if not arguments or are_strings[0]:
        raise NotUnderstood("a command is expected here")
    name = arguments[0].decode("ascii", "replace").upper()
    return Command(name, arguments[1:], are_strings[1:])


async def read_string(reader: asyncio.StreamReader, most: int) -> bytes | None:
    """A line with one string (RFC 5804 §2.1); None at the end. Raises as read_command does."""
    arguments, are_strings = await _read_words(reader, most)
    if arguments is None:
        return None
    if are_strings != [True]:
        raise NotUnderstood("a string is expected here")
    return arguments[0]


async def _read_words(reader: asyncio.StreamReader, most: int) -> tuple[list[bytes] | None, list[bool]]:
    words: list[bytes] = []
    are_strings: list[bool] = []
    wrong: Exception | None = None
    left, room = _LONGEST_LINE, most
    while True:
        line = await _read_line(reader)
        if line is None:
            return None, []
        left -= len(line)
        if left < 0:
            raise CutOff("the line is too long")
        literal, fault = _split(line, words, are_strings)
        wrong = wrong or (NotUnderstood(fault) if fault else None)
        if literal is None:
            break
        if literal > room:
            await _skip(reader, literal, 16 * most)
            wrong = TooLarge()
        else:
            room -= literal
            words.append(await _read_exactly(reader, literal))
            are_strings.append(True)
    if wrong is not None:
        raise wrong
    return words, are_strings


def _split(line: bytes, words: list[bytes], are_strings: list[bool]) -> tuple[int | None, str]:
    """Add the words of a line; answers how long the literal is that follows it, and what is wrong, if something is."""
    at = 0
    while at < len(line):
        if line[at : at + 1] in (b" ", b"\t"):
            at += 1
            continue
        found = _TOKEN.match(line, at)
        if found is None:
            literal = re.search(rb"\{(\d{1,10})\+?\}\Z", line)
            return (int(literal[1]) if literal else None), "this is not a command"
        if found[2] is not None:
            return int(found[2]), ""
        is_string = found[1] is not None
        words.append(_PAIR.sub(rb"\1", found[1]) if is_string else found[3])
        are_strings.append(is_string)
        at = found.end()
    return None, ""


async def _read_line(reader: asyncio.StreamReader) -> bytes | None:
    """A line without its end; None if the connection ends before."""
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise CutOff("the line is too long") from None
    return line.rstrip(b"\r\n")


async def _read_exactly(reader: asyncio.StreamReader, length: int) -> bytes:
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise CutOff("the connection ends in a string") from None


async def _skip(reader: asyncio.StreamReader, length: int, most: int) -> None:
    if length > most:
        raise CutOff("the string is much too large")
    while length:
        length -= len(await _read_exactly(reader, min(length, _SKIPPED)))


def string(value: str | bytes) -> bytes:
    """A string, quoted if it is short and in one line, else a literal."""
    octets = value.encode("utf-8", "replace") if isinstance(value, str) else value
    text = octets.decode("utf-8", "replace")
    if isinstance(value, str) and len(octets) <= _LONGEST_QUOTED and _PLAIN.fullmatch(text):
        return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"{%d}\r\n" % len(octets) + octets


def response(kind: str, text: str = "", code: bytes = b"") -> bytes:
    """OK, NO or BYE, with a response code and a text for people if there are any (RFC 5804 §1.2, §1.3)."""
    pieces = [kind.encode()]
    if code:
        pieces.append(b"(" + code + b")")
    if text:
        pieces.append(string(text))
    return b" ".join(pieces) + b"\r\n"
