"""Header fields of an Email that a client wants made: properties in, fields out (RFC 8621 §4.1.2, §4.1.3, §4.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jmaplite.core.kinds import compile_kind
from jmaplite.datatypes.mail.header_properties import parse_header_property
from jmaplite.formats import compose

_KINDS = {
    "EmailAddress": {"name": "String|null", "email": "String"},
    "EmailAddressGroup": {"name": "String|null", "addresses": "EmailAddress[]"},
}
_CHECKS = {
    form: compile_kind(kind, _KINDS)
    for form, kind in {
        "Raw": "String",
        "Text": "String",
        "Addresses": "EmailAddress[]",
        "GroupedAddresses": "EmailAddressGroup[]",
        "MessageIds": "String[]",
        "Date": "Date",
        "URLs": "String[]",
    }.items()
}

CONVENIENCE = {
    "from": ("From", "Addresses"),
    "sender": ("Sender", "Addresses"),
    "replyTo": ("Reply-To", "Addresses"),
    "to": ("To", "Addresses"),
    "cc": ("Cc", "Addresses"),
    "bcc": ("Bcc", "Addresses"),
    "subject": ("Subject", "Text"),
    "sentAt": ("Date", "Date"),
    "messageId": ("Message-ID", "MessageIds"),
    "inReplyTo": ("In-Reply-To", "MessageIds"),
    "references": ("References", "MessageIds"),
}
"""Properties of an Email that stand for a header field in a form, in the order in which they are written."""

_WRITTEN_ANYWAY = frozenset({"mime-version"})
"""Fields that every message gets, whatever the client says."""


@dataclass(slots=True)
class Wrong:
    """The properties that make a creation impossible, by their paths, and why the first one does."""

    paths: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, why: str) -> None:
        """Remember a property."""
        self.paths.setdefault(path, why)

    def __bool__(self) -> bool:
        return bool(self.paths)


@dataclass(slots=True)
class Fields:
    """Header fields of an Email or of one part; `owners` are the paths of the properties that they come from."""

    wrong: Wrong
    lines: dict[str, bytes] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)

    def claim(self, name: str, path: str) -> None:
        """A property stands for a field, and no other may (RFC 8621 §4.6)."""
        other = self.owners.setdefault(name.lower(), path)
        if other != path:
            for both in (other, path):
                self.wrong.add(both, f"two properties for the header field {name}")

    def add(self, path: str, property_name: str, value: Any) -> str | None:
        """Add what a property says; answers its field's name in lower case, None if it is no header property."""
        if property_name in CONVENIENCE:
            name, form = CONVENIENCE[property_name]
            is_all = False
        else:
            parsed = parse_header_property(property_name)
            if parsed is None:
                return None
            name, form, is_all = property_name.split(":")[1], parsed.form_name, parsed.all
        if value is None or (is_all and value == []):
            return name.lower()
        self.claim(name, path)
        values = value if is_all else [value]
        if not isinstance(values, list) or not all(map(_CHECKS[form], values)):
            self.wrong.add(path, f"must be {form}{' (an array of it)' if is_all else ''}")
            return name.lower()
        try:
            written = b"".join(compose.field(name, form, item) for item in values)
        except ValueError as error:
            self.wrong.add(path, str(error))
        else:
            if name.lower() not in _WRITTEN_ANYWAY:
                self.lines[name.lower()] = written
        return name.lower()
