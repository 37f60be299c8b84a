"""JSON in and out: strict I-JSON in (RFC 8620 §1.5, RFC 7493), ready JSON spliced in on the way out.

orjson decides what is well-formed: UTF-8 without a byte order mark, no lone surrogate, no number beyond a
double. What it does not see is found on the value written out again: a member that was dropped as a duplicate
is a colon missing, and a noncharacter that came escaped stands there in plain octets.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

Fragment = orjson.Fragment
"""Ready JSON (octets or text) that `dumps` splices in as it is."""

_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_NONCHARACTER = re.compile(rb"\xef\xb7[\x90-\xaf]|\xef\xbf[\xbe\xbf]|[\xf0-\xf4][\x8f\x9f\xaf\xbf]\xbf[\xbe\xbf]")
_WHOLE = re.compile(rb"(?:^|[:\[,])-?[0-9]+\.0(?:$|[,\]}])")
_SURROGATE = re.compile("[\ud800-\udfff]")


class NotJSON(ValueError):
    """The octets are not I-JSON; the argument says why and where."""


def loads(octets: bytes) -> Any:
    """The value of an I-JSON text (RFC 7493). Raises NotJSON.

    JSON has one type of number: one without a fraction comes back as int however it was written (`1.0`).
    Nesting beyond 254 levels is refused.
    """
    try:
        value = orjson.loads(octets)
    except orjson.JSONDecodeError as error:
        raise NotJSON(str(error)) from None
    except MemoryError:
        raise NotJSON("too large for the memory at hand") from None
    try:
        plain = orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise NotJSON("nested too deeply") from None
    # Written out, every colon between members and within strings stands for itself; in the text that came, an
    # escaped colon does not. So where none is escaped, equal counts mean that no member was dropped.
    if (b"\\" in octets and b"\\u003" in octets) or octets.count(b":") != plain.count(b":"):
        _refuse_duplicates(octets)
    if not plain.isascii():
        refuse_noncharacters(plain)
    if b".0" in plain and _WHOLE.search(plain):
        return _whole_numbers(value)
    return value


def _refuse_duplicates(octets: bytes) -> None:
    """Raise NotJSON if any object of a well-formed text has two members of one name (RFC 7493 §2.3)."""

    def members(pairs: list[tuple[str, Any]]) -> None:
        names = set()
        for name, _ in pairs:
            if name in names:
                raise NotJSON(f"duplicate member {name[:64]!r}")
            names.add(name)

    try:
        json.loads(octets.decode(), object_pairs_hook=members, parse_int=str, parse_float=str)
    except RecursionError:
        raise NotJSON("nested too deeply") from None


def refuse_noncharacters(plain: bytes) -> None:
    """Raise NotJSON if a text written in plain UTF-8 has a Unicode noncharacter (RFC 7493 §2.1)."""
    # The pattern is slow beside a search for fixed octets, which most texts do not have.
    if b"\xef\xb7" in plain or b"\xbf\xbe" in plain or b"\xbf\xbf" in plain:
        found = _NONCHARACTER.search(plain)
        if found:
            raise NotJSON(f"noncharacter U+{ord(found.group().decode()):04X}")


def _whole_numbers(value: Any) -> Any:
    """The same value with every float that has no fraction as an int, changed in place where it can be."""
    box = [value]
    containers: list[Any] = [box]
    while containers:
        container = containers.pop()
        for key, item in container.items() if type(container) is dict else enumerate(container):
            kind = type(item)
            if kind is float:
                if item.is_integer() and -(2.0**53) < item < 2.0**53:
                    container[key] = int(item)
            elif kind is dict or kind is list:
                containers.append(item)
    return box[0]


def dumps(value: Any) -> bytes:
    """A value as JSON octets, its Fragments spliced in. Raises TypeError for what JSON cannot hold.

    Lone surrogates are replaced by U+FFFD.
    """
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except orjson.JSONEncodeError:
        return orjson.dumps(_without_surrogates(value), option=_OPTIONS)


def _without_surrogates(value: Any) -> Any:
    """A copy in which every lone surrogate is U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


def materialise(value: Any) -> Any:
    """A plain copy of a value that may hold Fragments. Raises TypeError or ValueError if it is not JSON."""
    return orjson.loads(dumps(value))
