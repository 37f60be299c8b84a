"""TLS with certificates by name."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from jmaplite.web.settings import TLS

_PROTOCOLS = ["h2", "http/1.1"]
"""What is offered by ALPN (RFC 7301), the better one first."""

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Ciphers of TLS 1.2 with which HTTP/2 may be spoken as well (RFC 9113 §9.2.2)."""

_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


class Certificates:
    """The certificates of a listener. Raises OSError (ssl.SSLError is one) for files that will not do.

    Whoever begins in `context` is given the certificate of the name that it asks for.
    """

    def __init__(self, tls: TLS) -> None:
        self._default = _context(tls, tls.certificate, tls.key)
        self._named = {_folded(name): _context(tls, cert, key) for name, cert, key in tls.names}
        self.context = self._default
        # The name that a client asks for is looked at before a certificate is chosen, also when it asks for none.
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self._for(name)

    def _for(self, name: str | None) -> ssl.SSLContext:
        if not name or not self._named:
            return self._default
        name = _folded(name)
        _, _, parent = name.partition(".")
        return self._named.get(name) or self._named.get(f"*.{parent}") or self._default


def _context(tls: TLS, certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _range(tls.versions)
    context.set_ciphers(tls.ciphers or _CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if tls.server_order:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(_PROTOCOLS)
    # A key with a password would have OpenSSL ask for it at the terminal.
    context.load_cert_chain(certificate, key, password=str)
    return context


def _range(versions: Iterable[str]) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """The lowest and the highest of some versions."""
    found = [_VERSIONS[version] for version in versions]
    return min(found), max(found)


def _folded(name: str) -> str:
    return name.rstrip(".").lower()
