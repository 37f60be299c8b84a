"""Ciphers of TLS: OpenSSL's names for them, and those of the standard, which rustls has too."""

from __future__ import annotations

import re
from collections.abc import Iterable

from jmaplite.config.kinds import LINE, Kind

_TLS13 = "TLS_"
"""How the names of ciphers of TLS 1.3 begin (RFC 8446 §B.4); in OpenSSL those of TLS 1.2 begin otherwise."""


def _cipher(value: object) -> str:
    name = LINE.parse(value).strip()
    if name.startswith("TLS13_"):  # as rustls has it
        return _TLS13 + name.removeprefix("TLS13_")
    exchange, split, rest = name.removeprefix("TLS_").partition("_WITH_")
    if not split:
        return name
    cipher = re.sub(r"(AES|CAMELLIA)_(\d+)", r"\1\2", rest).replace("_CBC", "")
    cipher = cipher.replace("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305")
    return (cipher if exchange == "RSA" else f"{exchange}_{cipher}").replace("_", "-")


def before_1_3(names: Iterable[str]) -> tuple[str, ...]:
    """Those that are not of TLS 1.3, all of whose ciphers are spoken."""
    return tuple(name for name in names if not name.startswith(_TLS13))


def known(name: str) -> bool:
    """Whether OpenSSL has a cipher of a name, or knows what else may stand in a list of them."""
    import ssl  # only those who choose ciphers wait for it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if name.startswith(_TLS13):
        return any(cipher["name"] == name for cipher in context.get_ciphers())
    try:
        context.set_ciphers(f"ALL:{name}" if name[:1] in "!-+@" else name)
    except (ssl.SSLError, ValueError):
        return False
    return True


CIPHER = Kind("cipher", 'a cipher such as "ECDHE-RSA-AES128-GCM-SHA256"', _cipher)
