"""Addresses as SMTP has them: which strings are one, and which are the same (RFC 5321 §4.1.2, RFC 6531 §3.3)."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable

# What is in a class is said by what is not: a range up to the last character takes long to compile.
_ATOM = r"[^\x00-\x20\"(),.:;<>@\[\\\]\x7f]++"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"((?:[^\x00-\x1f"\\\x7f]|\\[ -~])*+)"')
_PAIR = re.compile(r"\\(.)")
_LETTER, _INNER = r"[^\x00-/:-@\[-`{-\x7f]", r"[^\x00-,./:-@\[-`{-\x7f]"
_LABEL = rf"{_LETTER}(?:{_INNER}{{0,61}}{_LETTER})?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*+")

_LOCAL_OCTETS = 64
_DOMAIN_OCTETS = 255


def is_address(text: str) -> bool:
    """Whether a string is a Mailbox of RFC 5321 §4.1.2, with UTF-8 as RFC 6531 §3.3 has it."""
    local, at, domain = text.rpartition("@")
    return (
        bool(at)
        and len(local.encode("utf-8", "replace")) <= _LOCAL_OCTETS
        and len(domain.encode("utf-8", "replace")) <= _DOMAIN_OCTETS
        and text.isprintable()
        and (_DOT_STRING.fullmatch(local) or _QUOTED.fullmatch(local)) is not None
        and (_DOMAIN.fullmatch(domain) is not None or _is_literal(domain))
    )


def _is_literal(domain: str) -> bool:
    """Whether a domain is an address literal (RFC 5321 §4.1.3)."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return False
    inner = domain[1:-1]
    try:
        if inner[:5].lower() == "ipv6:":
            return "%" not in inner and bool(ipaddress.IPv6Address(inner[5:]))
        return bool(ipaddress.IPv4Address(inner))
    except ValueError:
        return False


def plain(address: str) -> str:
    """An address with its domain in lower case and the minimum of quoting: all forms are the same address."""
    local, _, domain = address.rpartition("@")
    quoted = _QUOTED.fullmatch(local)
    if quoted is not None:
        bare = _PAIR.sub(r"\1", quoted[1])
        escaped = bare.replace("\\", "\\\\").replace('"', '\\"')
        local = bare if _DOT_STRING.fullmatch(bare) else f'"{escaped}"'
    return f"{local}@{domain.lower()}"


def folded(address: str) -> str:
    """What addresses of this server's users are told apart by; here the local part is blind to case too."""
    return unicodedata.normalize("NFC", plain(address)).casefold()


def allows(pattern: str, address: str) -> bool:
    """Whether the address of an Identity covers an address; `*@` stands for all of its domain (RFC 8621 §6)."""
    wanted, given = folded(pattern), folded(address)
    return wanted == given or (wanted.startswith("*@") and wanted[1:] == given[given.rfind("@") :])


def some_allows(patterns: Iterable[str], address: str) -> bool:
    """Whether one of several covers an address."""
    return any(allows(pattern, address) for pattern in patterns)
