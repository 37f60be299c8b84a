"""Properties that stand for header fields: `header:{name}:as{form}:all` (RFC 8621 §4.1.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jmaplite.formats import mime

_PROPERTY = re.compile(r"header:([!-9;-~]+)(?::as([A-Za-z]+))?(:all)?")

Fields = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class HeaderProperty:
    """The field's name in lower case, the form that it is asked for in, and whether all instances are."""

    name: str
    form: Callable[[bytes], Any]
    form_name: str
    all: bool

    def value(self, fields: Fields) -> Any:
        """The property's value for these header fields."""
        values = [value for name, value in fields if name.lower() == self.name]
        if self.all:
            return [self.form(value) for value in values]
        return self.form(values[-1]) if values else None


@lru_cache(maxsize=4096)
def parse_header_property(name: str) -> HeaderProperty | None:
    """A property's name understood, or None if it is none of these or asks for a form that the field cannot have."""
    match = _PROPERTY.fullmatch(name)
    if match is None:
        return None
    field, form, every = match.group(1).lower(), match.group(2) or "Raw", match.group(3)
    if form not in mime.FORMS or (form != "Raw" and form not in mime.allowed_forms(field)):
        return None
    return HeaderProperty(field, mime.FORMS[form], form, every is not None)


def email_headers(fields: Fields) -> list[dict[str, str]]:
    """Header fields as EmailHeader objects."""
    return [{"name": mime.raw(name.encode("latin-1", "replace")), "value": mime.raw(value)} for name, value in fields]
