"""Names and addresses in scripts: what is one, and what is not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from jmaplite.formats import mime

FIELD_NAME = re.compile(rb"[!-9;-~]{1,100}")
"""A name of a header field (RFC 5322 §3.6.8)."""

NOTIFY_OPTION = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]*=[^\0\r\n]*")
"""An option of a notification (RFC 5435 §3.5)."""

ENVELOPE_PARTS = frozenset({b"from", b"to"})

_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029]")
_ATOM = r"[^\s\x00-\x1f\x7f-\x9f()<>\[\]:;@\\,\".]+"
_ADDRESS = re.compile(
    rf"(?:{_ATOM}(?:\.{_ATOM})*|\"(?:[^\x00-\x1f\x7f-\x9f\"\\]|\\[ -~])*\")"
    rf"@(?:{_ATOM}(?:\.{_ATOM})*|\[[^\s\x00-\x1f\x7f-\x9f\[\]\\]*\])"
)
_QUOTED = re.compile(r"\\(.)")
_ROUTE = re.compile(r"@[^:<>\"]*:")
_SYSTEM_FLAGS = {flag.lower(): flag for flag in ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")}
_KEYWORD = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,255}")
_LONGEST_MAILBOX = 1024
_LONGEST_SCRIPT_NAME = 512
_LONGEST_ADDRESS = 512
_LONGEST_LIST = 8192


def is_address(value: str) -> bool:
    """Whether a string is an addr-spec (RFC 5322 §3.4.1)."""
    return len(value) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(value) is not None


def halves(value: str) -> tuple[str, str]:
    """The local part of an addr-spec, without the quotes that are none of it (RFC 5322 §3.2.4), and the domain."""
    local, _, domain = value.rpartition("@")
    return _QUOTED.sub(r"\1", local[1:-1]) if local.startswith('"') else local, domain


def address(value: bytes) -> str | None:
    """The address of a sieve-address, without its name; None if it is none, or has a route (RFC 5228 §2.4.2.3)."""
    found = mailbox_list(value)
    has_route = value.rpartition(b"<")[2].lstrip().startswith(b"@")
    return found[0] if len(found) == 1 and not has_route else None


def mailbox_list(value: bytes) -> list[str]:
    """The addresses of a mailbox-list (RFC 5322 §3.4); empty if it is none."""
    if len(value) > _LONGEST_LIST or b"\r" in value or b"\n" in value or b"\0" in value:
        return []
    groups = mime.grouped_addresses(value)
    if any(group["name"] is not None for group in groups):
        return []
    found = [each["email"] or "" for each in mime.addresses(value)]
    return found if all(map(is_address, found)) else []


def without_route(value: str) -> str:
    """An envelope address without angle brackets and source route (RFC 5228 §5.4)."""
    value = value.strip()
    if value.startswith("<") and value.endswith(">"):
        value = value[1:-1]
    found = _ROUTE.match(value)
    return value[found.end() :] if found else value


def mailbox(value: bytes) -> str | None:
    """The name of a mailbox; None if no mailbox can have it."""
    try:
        name = value.decode()
    except UnicodeDecodeError:
        return None
    return None if not name or len(name) > _LONGEST_MAILBOX or _CONTROL.search(name) else name


def script_name(value: bytes) -> str | None:
    """The name of a script; None if no script can have it (RFC 5804 §1.6, RFC 6609 §4)."""
    name = mailbox(value)
    if name is None or len(value) > _LONGEST_SCRIPT_NAME or name in (".", "..") or "/" in name or "\\" in name:
        return None
    return unicodedata.normalize("NFC", name)


def flags(values: Iterable[bytes]) -> tuple[str, ...]:
    """The flags of a list, each once; strings are split at spaces, what is no flag is left out (RFC 5232 §2)."""
    found: dict[str, str] = {}
    for value in values:
        for word in value.decode("utf-8", "replace").split():
            lower = word.lower()
            if lower in _SYSTEM_FLAGS:
                found.setdefault(lower, _SYSTEM_FLAGS[lower])
            elif _KEYWORD.fullmatch(word):
                found.setdefault(lower, word)
    return tuple(found.values())
