"""The kinds of values that options take: what each expects, and how it becomes a plain value."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")

UNLIMITED = 2**53 - 1
"""What `false` means where an option may be switched off: the highest UnsignedInt (RFC 8620 §1.3)."""


class Wrong(Exception):
    """A value that an option cannot take. The message is why; if empty, the kind says what it expects."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What an option expects, in words, and how it is read.

    `parse` makes a TOML value plain, or raises Wrong. `from_text` makes a TOML value of a text that came
    from the environment or a file. With `element`, the value is a list of that kind, and one alone stands for
    a list of one. With `keeps_file`, `%{file:PATH}%` stands for the path and not for the file's contents. `shape` is
    the JSON Schema of what it takes, as far as that can say it.
    """

    name: str
    expects: str
    parse: Callable[[Any], T]
    from_text: Callable[[str], object] = str
    element: Kind[Any] | None = None
    keeps_file: bool = False
    shape: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times in so many seconds; `count` 0 means without limit."""

    count: int
    seconds: float


def quoted(text: str, longest: int = 60) -> str:
    """A text as a message may show it: in quotes, on one line, without control characters, not endless."""
    if len(text) > longest:
        text = text[: longest - 3] + "..."
    inside = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    return f"'{inside}'"


def found(value: object) -> str:
    """What stands where something else was expected, in words."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case int():
            digits = f"{value:#x}" if abs(value) > 10**30 else str(value)
            return f"the number {digits if len(digits) <= 40 else digits[:37] + '...'}"
        case float():
            return f"the number {value}"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a table"
        case _:
            return f"the {type(value).__name__} {value}"


def text_of(value: object) -> str:
    """A string. Raises Wrong."""
    if not isinstance(value, str):
        raise Wrong
    return value


def _line(value: object) -> str:
    text = text_of(value)
    if not text.strip():
        raise Wrong("is empty")
    if not text.isprintable():
        raise Wrong(f"control characters are not allowed in {quoted(text)}")
    return text


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Wrong
    if not 0 <= value <= UNLIMITED:
        raise Wrong(f"{found(value)} is out of range (0 to 2^53-1)")
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong
    return value


_UNITS = {
    "": 1, "b": 1,
    "k": 2**10, "kb": 10**3, "kib": 2**10,
    "m": 2**20, "mb": 10**6, "mib": 2**20,
    "g": 2**30, "gb": 10**9, "gib": 2**30,
    "t": 2**40, "tb": 10**12, "tib": 2**40,
}  # fmt: skip
_SIZE = re.compile(r"(\d{1,16})\s*([A-Za-z]*)", re.ASCII)


def _size(value: object) -> int:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        unit = _UNITS.get(match[2].lower()) if match else None
        if match is None or unit is None:
            raise Wrong
        value = int(match[1]) * unit
    return _integer(value)


_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,12})\s*(ms|s|m|h|d)", re.ASCII)


def _duration(value: object) -> float:
    match = _DURATION.fullmatch(text_of(value).strip())
    if match is None:
        raise Wrong
    return int(match[1]) * _SECONDS[match[2]]


def _seconds(value: object) -> int:
    seconds = _duration(value)
    if seconds % 1:
        raise Wrong(f"{found(value)} is not a whole number of seconds")
    return int(seconds)


def _rate(value: object) -> Rate:
    if value is False:
        return Rate(0, 1)
    count, slash, period = text_of(value).partition("/")
    if not slash or not re.fullmatch(r"[1-9]\d{0,11}", count.strip(), re.ASCII):
        raise Wrong
    seconds = _duration(period)
    if not seconds:
        raise Wrong("the period of a rate cannot be 0")
    return Rate(int(count), seconds)


def _path(value: object) -> Path:
    text = text_of(value)
    if not text or "\0" in text:
        raise Wrong
    return Path(text)


def _mode(value: object) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text_of(value), re.ASCII):
        raise Wrong
    return int(str(value), 8)


_FILE = re.compile(r"%\{file:([^}]*)\}%")


def _file(value: object) -> Path:
    text = text_of(value).strip()
    match = _FILE.fullmatch(text)
    return _path(match[1] if match else text.removeprefix("file://"))


def _login(value: object) -> str:
    text = _line(value)
    if ":" in text:
        raise Wrong(f"{quoted(text)} has a colon, which a log-in name cannot have (RFC 7617 §2)")
    if text != text.strip():
        raise Wrong(f"{quoted(text)} begins or ends with a space")
    return text


def _secret_text(value: object) -> str:
    text = text_of(value)
    if not text or "\0" in text:
        raise Wrong("is empty, or no text")
    return text


_ARGON2 = re.compile(
    r"\$argon2(id|i|d)\$v=\d{1,3}\$m=\d{1,9},t=\d{1,5},p=\d{1,5}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}"
)
_HASHES = (
    r"\$2[aby]\$\d{2}\$[./A-Za-z0-9]{53}",
    r"\$1\$[^\s:$]{0,8}\$[./A-Za-z0-9]{22}",
    r"\$5\$(?:rounds=\d+\$)?[^\s:$]{0,16}\$[./A-Za-z0-9]{43}",
    r"\$6\$(?:rounds=\d+\$)?[^\s:$]{0,16}\$[./A-Za-z0-9]{86}",
    r"\$pbkdf2(?:-sha\d+)?\$[^\s:]{8,}",
    r"\$scrypt\$[^\s:]{8,}",
    r"\{(?:SHA|SSHA|SSHA256|SSHA512|MD5|SMD5)\}[A-Za-z0-9+/]{16,}={0,2}",
    r"\{(?:CRYPT|ARGON2(?:I|D|ID)?|BLF-CRYPT|MD5-CRYPT|SHA(?:256|512)-CRYPT)\}\$[^\s:]{8,}",
    r"\{(?:PLAIN|CLEAR|CLEARTEXT)\}.+",
)
"""Passwords as they may stand in a file, beside plain ones and argon2 hashes."""

_HASH = re.compile("|".join(_HASHES), re.IGNORECASE | re.DOTALL)
_SCHEME = re.compile(r"\$[A-Za-z0-9-]{1,20}\$|\$argon2|\{[A-Za-z0-9.-]{2,20}\}")


def _secret(value: object) -> str:
    text = text_of(value)
    if not text:
        raise Wrong("is empty: nobody could log in, or everybody")
    scheme = _SCHEME.match(text)
    if text.startswith("$argon2"):
        if not _ARGON2.fullmatch(text):
            raise Wrong("is not a whole argon2 hash ($argon2id$v=19$m=...,t=...,p=...$SALT$HASH)")
    elif scheme and not _HASH.fullmatch(text):
        raise Wrong(
            f"is no whole hash of the kind {scheme[0]}, or that kind is not supported "
            "(a plain password that begins like this is written {PLAIN}PASSWORD)"
        )
    return text


def _moment(value: object) -> float:
    if isinstance(value, str):
        try:
            value = datetime.datetime.fromisoformat(value.strip())
        except ValueError:
            raise Wrong from None
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime.datetime):
        raise Wrong
    return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()


def _token(value: object) -> str:
    text = text_of(value)
    if not re.fullmatch(r"(?:[^\x00-\x1f\x7f]{1,200}:)?sha256:[0-9A-Fa-f]{64}", text):
        raise Wrong
    return text


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What an address is taken for where it matches a regular expression as a whole: `${1}` is the first group."""

    pattern: str
    to: str


_GROUP = re.compile(r"\$\{?(\d{1,2})")


def _rule(value: object) -> bool | Rewriting:
    if not isinstance(value, dict):
        return _boolean(value)
    if value.keys() != {"map", "to"}:
        raise Wrong
    rewriting = Rewriting(text_of(value["map"]), text_of(value["to"]))
    try:
        groups = re.compile(rewriting.pattern).groups
    except (re.error, RecursionError, OverflowError) as error:
        raise Wrong(f"{quoted(rewriting.pattern)} is not a regular expression: {error}") from None
    missing = [group for group in _GROUP.findall(rewriting.to) if int(group) > groups]
    if missing:
        raise Wrong(f"{quoted(rewriting.pattern)} has no group {missing[0]}")
    return rewriting


def _number_or_text(text: str) -> object:
    return int(text) if re.fullmatch(r"\d{1,17}", text.strip(), re.ASCII) else text


def _boolean_or_text(text: str) -> object:
    return {"true": True, "false": False}.get(text.strip().lower(), text)


_SIZES = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^ *[0-9]+ *[A-Za-z]* *$"}]}
_SPANS = {"type": "string", "pattern": "^ *[0-9]+ *(ms|s|m|h|d) *$"}

STRING = Kind("string", "a string", text_of)
LINE = Kind("string", "a string of one line", _line)
BOOLEAN = Kind("boolean", "true or false", _boolean, _boolean_or_text, shape={"type": "boolean"})
SIZE = Kind("size", 'a size such as 50000000, "50MB" or "1G"', _size, _number_or_text, shape=_SIZES)
DURATION = Kind("duration", 'a duration such as "500ms", "30s", "5m", "1h" or "30d"', _duration, shape=_SPANS)
SECONDS = Kind("duration", 'a duration such as "30s", "5m", "1h" or "30d"', _seconds, shape=_SPANS)
RATE = Kind(
    "rate",
    'a rate such as "1000/1m", or false',
    _rate,
    _boolean_or_text,
    shape={"anyOf": [{"type": "string"}, {"const": False}]},
)
PATH = Kind("path", "a path", _path)
FILE = Kind("file", 'a path, "file://PATH" or "%{file:PATH}%"', _file, keeps_file=True)
LOGIN = Kind("string", "a name to log in with", _login)
MODE = Kind("mode", 'the mode of a file such as "660"', _mode)
SECRET = Kind("password", "a password or the hash of one", _secret)
MOMENT = Kind("date and time", "a date and time such as 2027-01-31T12:00:00Z", _moment)
SECRET_TEXT = Kind("password", "a password", _secret_text)
TOKEN = Kind("token", '"sha256:HEX" or "TOKEN NAME:sha256:HEX", with 64 hexadecimal digits', _token)


RULE = Kind(
    "boolean or table",
    'true, false or a table such as { map = "(.+)@(.+)", to = "info@${2}" }',
    _rule,
    _boolean_or_text,
    shape={"anyOf": [{"type": "boolean"}, {"type": "object", "required": ["map", "to"]}]},
)


def _several(shape: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"anyOf": [shape, {"type": "array", "items": shape}]}


def many(element: Kind[T]) -> Kind[tuple[T, ...]]:
    """A list of a kind; one value that stands alone is a list of one."""
    return Kind(
        f"list of {element.name}",
        f"a list; each {element.expects}",
        tuple,
        element=element,
        shape=_several(element.shape),
    )


def choice(*names: str, also: Mapping[str, str] | None = None, refused: Mapping[str, str] | None = None) -> Kind[str]:
    """One of some words, or another word for one of them; some others are refused with a reason."""
    others, reasons = also or {}, refused or {}

    def parse(value: object) -> str:
        word = text_of(value)
        if word in reasons:
            raise Wrong(f"{quoted(word)} {reasons[word]}")
        if word not in names and word not in others:
            raise Wrong
        return others.get(word, word)

    words = " or ".join(f'"{name}"' for name in (*names, *others))
    return Kind(words, words, parse, shape={"enum": [*names, *others]})


def at_least(least: int) -> Kind[int]:
    """A whole number that is not too small."""

    def parse(value: object) -> int:
        number = _integer(value)
        if number < least:
            raise Wrong(f"{found(value)} is too small: at least {least}")
        return number

    shape = {"type": "integer", "minimum": least}
    return Kind("integer", f"a whole number, at least {least}", parse, _number_or_text, shape=shape)


def at_most(most: int) -> Kind[int]:
    """A whole number from 0 that is not too large."""

    def parse(value: object) -> int:
        number = _integer(value)
        if number > most:
            raise Wrong(f"{found(value)} is too large: at most {most}")
        return number

    shape = {"type": "integer", "minimum": 0, "maximum": most}
    return Kind("integer", f"a whole number, at most {most}", parse, _number_or_text, shape=shape)


def or_false(kind: Kind[int]) -> Kind[int]:
    """A number that `false` makes endless: UNLIMITED is then its value."""

    def parse(value: object) -> int:
        return UNLIMITED if value is False else kind.parse(value)

    def from_text(text: str) -> object:
        return False if text.strip().lower() == "false" else kind.from_text(text)

    return Kind(
        f"{kind.name} or false",
        f"{kind.expects}, or false",
        parse,
        from_text,
        shape={"anyOf": [kind.shape, {"const": False}]},
    )
