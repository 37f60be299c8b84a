"""Options of Cyrus under their own names and in its own value forms: what each becomes here, or why it cannot."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jmaplite.config.kinds import Kind, Wrong, found, quoted

Names = tuple[str | int, ...]

_ON = ("yes", "on", "t", "true", "1")
_OFF = ("no", "off", "f", "false", "0")


@dataclass(frozen=True, slots=True)
class Target:
    """An option of ours, what stands for each `<id>` and `[]` in its name, and the TOML value that it is given."""

    option: str
    value: object
    names: Names = ()


@dataclass(frozen=True, slots=True)
class Cyrus:
    """An option of imapd.conf.

    `kind` reads Cyrus's forms; `default` is Cyrus's own. `becomes` tells what its value means here; where it tells
    nothing, and there is no `reason`, all is well as it is. With `only`, these are the values that can be honoured, and
    `reason` is why others cannot; without `becomes` and `only`, no value can. With `note`, any value is accepted, and
    the reason is what to know about it. `doc` is what it becomes, for the documentation.
    """

    name: str
    kind: Kind[Any]
    default: str
    doc: str = ""
    becomes: Callable[[Any], tuple[Target, ...]] | None = None
    only: tuple[Any, ...] = ()
    reason: str = ""
    note: bool = False
    secret: bool = False


def _word(value: object) -> str:
    """A value as imapd.conf would have it. Raises Wrong."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case str() if value.isprintable():
            return value.strip()
        case _:
            raise Wrong


def _switch(value: object) -> bool:
    word = _word(value).lower()
    if word not in _ON and word not in _OFF:
        raise Wrong
    return word in _ON


def _number(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,12}", _word(value), re.ASCII):
        raise Wrong
    return int(_word(value))


_SIZE = re.compile(r"(\d{1,12})\s*([bkmg]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "b": 0, "k": 10, "m": 20, "g": 30}


def _size(unit: str) -> Callable[[object], int]:
    """A size; a bare number is in a unit."""

    def parse(value: object) -> int:
        match = None if isinstance(value, bool) else _SIZE.fullmatch(_word(value))
        if match is None:
            raise Wrong
        return int(match[1]) << _POWERS[match[2].lower() or unit]

    return parse


_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _span(unit: str) -> Callable[[object], int]:
    """Seconds; a bare number is in a unit."""

    def parse(value: object) -> int:
        word = "" if isinstance(value, bool) else _word(value).lower()
        if re.fullmatch(r"\d{1,9}", word, re.ASCII):
            return int(word) * _SPANS[unit]
        if not re.fullmatch(r"(\d{1,9}[smhd])+", word, re.ASCII):
            raise Wrong
        return sum(int(count) * _SPANS[of] for count, of in re.findall(r"(\d+)([smhd])", word))

    return parse


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(_word(one) for one in value)
    return tuple(re.split(r"[\s,]+", _word(value))) if _word(value) else ()


_ANY = {"type": ["string", "integer", "boolean"]}
_LIST = {"anyOf": [_ANY, {"type": "array", "items": _ANY}]}

SWITCH = Kind("switch", "yes or no (also 1, on, t, true; 0, off, f, false)", _switch, shape=_ANY)
NUMBER = Kind("integer", "a whole number", _number, shape=_ANY)
BYTES = Kind("size", 'a size such as "64B", "32K", "10M" or "1G"', _size(""), shape=_ANY)
KILOBYTES = Kind("size", 'a size such as "32K"; a bare number is in kilobytes', _size("k"), shape=_ANY)
SECONDS = Kind("duration", 'a duration such as "60s" or "1h30m"; a bare number is in seconds', _span("s"), shape=_ANY)
MINUTES = Kind("duration", 'a duration such as "30m" or "1h30m"; a bare number is in minutes', _span("m"), shape=_ANY)
DAYS = Kind("duration", 'a duration such as "90d"; a bare number is in days', _span("d"), shape=_ANY)
TEXT = Kind("string", "a string", _word, shape=_ANY)
WORDS = Kind("words", "words with spaces between them", _words, shape=_LIST)


def one_of(*words: str) -> Kind[str]:
    """One of some words, in small or capital letters."""

    def parse(value: object) -> str:
        word = _word(value).lower()
        if word not in words:
            raise Wrong
        return word

    shown = " or ".join(words)
    return Kind(shown, shown, parse, shape=_ANY)


def refusal(option: Cyrus, plain: object) -> str | None:
    """Why a value cannot be honoured, or None if it can."""
    if option.note or plain in option.only or (option.becomes is not None and not option.only):
        return None
    if not option.only:
        return because(option.reason)
    seen = written(plain) if isinstance(plain, bool) else found(plain)
    return f"can only be {' or '.join(map(written, option.only))}, found {seen}: {option.reason}"


def because(reason: str) -> str:
    """A reason as the whole of a message."""
    return reason if reason.startswith(("is ", "are ")) else f"is refused: {reason}"


def written(value: object) -> str:
    """A plain value as imapd.conf would have it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case tuple():
            return " ".join(value)
        case str():
            return quoted(value)
        case _:
            return str(value)
