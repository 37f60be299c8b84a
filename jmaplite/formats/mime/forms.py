"""The parsed forms by name, which fields may be had in which, and those of message ids and URLs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from jmaplite.formats.mime.addressing import addresses, grouped_addresses
from jmaplite.formats.mime.dates import date
from jmaplite.formats.mime.fields import comment_end, raw, text, unfold, without_comments

_IDS = re.compile(r'\s*+(?:<[^\s<>()"\\]++>\s*+)++\Z')
_ID = re.compile(r"<([^<>]++)>")
_QUOTED_OR_ID = re.compile(r'<((?:[^<>"]++|"(?:[^"\\]++|\\.)*+"?+)++)>|"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.S)
_QUOTED_OR_SPACE = re.compile(r'("(?:[^"\\]++|\\.)*+")|\s++', re.S)
_URL = re.compile(r"<([^<>]++)>")
_SPACE_OR_COMMENT = re.compile(r"\s++|\(")


def message_ids(value: bytes) -> list[str] | None:
    """The msg-ids of a field without their angle brackets (RFC 8621 §4.1.2.5); None if there is not one.

    Words between them, as old In-Reply-To fields hold, are passed over (RFC 5322 §4.5.4).
    """
    string = unfold(value)
    if _IDS.match(string):
        return _ID.findall(string)
    ids = (_QUOTED_OR_SPACE.sub(r"\1", found) for found in _QUOTED_OR_ID.findall(without_comments(string)))
    return [found for found in ids if found] or None


def urls(value: bytes) -> list[str] | None:
    """The URLs of a list field, preferred ones first (RFC 8621 §4.1.2.7, RFC 2369 §2), or None."""
    string = unfold(value)
    found_urls: list[str] = []
    position = _after_comments(string, 0)
    while found := _URL.match(string, position):
        found_urls.append("".join(found[1].split()))
        position = _after_comments(string, found.end())
        if string[position : position + 1] != ",":
            break
        position = _after_comments(string, position + 1)
    return found_urls or None


def _after_comments(string: str, position: int) -> int:
    while found := _SPACE_OR_COMMENT.match(string, position):
        position = found.end()
        if found[0] == "(":
            position = comment_end(string, position) or len(string)
    return position


FORMS: Mapping[str, Callable[[bytes], Any]] = MappingProxyType(
    {
        "Raw": raw,
        "Text": text,
        "Addresses": addresses,
        "GroupedAddresses": grouped_addresses,
        "MessageIds": message_ids,
        "Date": date,
        "URLs": urls,
    }
)
"""Parsed forms by name (RFC 8621 §4.1.2)."""

_ALL = frozenset(FORMS)
_ALLOWED = {
    form_names: frozenset({"Raw", *form_names.split()})
    for form_names in ("", "Text", "Addresses GroupedAddresses", "MessageIds", "Date", "URLs")
}
_FIELDS = {  # every field of RFC 5322 and RFC 2369; all forms are allowed for any other
    "": "Return-Path Received",
    "Text": "Subject Comments Keywords",
    "Addresses GroupedAddresses": "From Sender Reply-To To Cc Bcc Resent-From Resent-Sender Resent-Reply-To"
    " Resent-To Resent-Cc Resent-Bcc",
    "MessageIds": "Message-ID In-Reply-To References Resent-Message-ID",
    "Date": "Date Resent-Date",
    "URLs": "List-Help List-Unsubscribe List-Subscribe List-Post List-Owner List-Archive",
}
_BY_FIELD = {field.lower(): _ALLOWED[form_names] for form_names, fields in _FIELDS.items() for field in fields.split()}


def allowed_forms(header_name: str) -> frozenset[str]:
    """The forms in which a field may be fetched or set, by its name in any case (RFC 8621 §4.1.2)."""
    return _BY_FIELD.get(header_name.lower(), _ALL)
