"""Properties that stand for header fields: `header:{name}:as{form}:all` (RFC 8621 §4.1.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jmaplite.formats import mime

_PROPERTY = re.compile(r"header:([!-9;-~]+)(?::as([A-Za-z]+))?(:all)?")

_LONGEST = 1100
"""Characters of a property's name; no header field has a name of more than 998 (RFC 5322 §2.1.1)."""


class Header:
    """The header fields of a message or a part, looked at once however many properties are asked for."""

    def __init__(self, fields: Sequence[tuple[str, bytes]]) -> None:
        self._fields = fields
        self._named: dict[str, list[bytes]] | None = None

    def named(self, name: str) -> list[bytes]:
        """The values of every field of a name in lower case, in their order."""
        if self._named is None:
            self._named = {}
            for field, value in self._fields:
                self._named.setdefault(field.lower(), []).append(value)
        return self._named.get(name, [])

    def value(self, name: str) -> Any:
        """The property `headers`, or one that stands for a header field."""
        asked = parse_header_property(name)
        if asked is not None:
            return asked.value(self)
        return [
            {"name": mime.raw(field.encode("latin-1", "replace")), "value": mime.raw(value)}
            for field, value in self._fields
        ]


@dataclass(frozen=True, slots=True)
class HeaderProperty:
    """The field's name in lower case, the form that it is asked for in, and whether all instances are."""

    name: str
    form: Callable[[bytes], Any]
    form_name: str
    all: bool

    def value(self, header: Header) -> Any:
        """The property's value for these header fields."""
        values = header.named(self.name)
        if self.all:
            return [self.form(value) for value in values]
        return self.form(values[-1]) if values else None


def parse_header_property(name: str) -> HeaderProperty | None:
    """A property's name understood, or None if it is none of these or asks for a form that the field cannot have."""
    return _parsed(name) if len(name) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _parsed(name: str) -> HeaderProperty | None:
    match = _PROPERTY.fullmatch(name)
    if match is None:
        return None
    field, form, every = match.group(1).lower(), match.group(2) or "Raw", match.group(3)
    if form not in mime.FORMS or (form != "Raw" and form not in mime.allowed_forms(field)):
        return None
    return HeaderProperty(field, mime.FORMS[form], form, every is not None)
