"""Where a server may be made to connect to: URLs that users give, and the addresses behind them (RFC 8620 §8.6)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST_URL = 2048
"""Characters of a URL; those of push services have a few hundred."""

_URL = re.compile(r"[!-~]+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?", re.ASCII)
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), 0), (ipaddress.ip_network("2002::/16"), 80)
"""IPv6 networks whose addresses carry an IPv4 address, and how far from the right (RFC 6052, RFC 3056)."""
_REFUSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",  # shared by carriers; metadata services of clouds too
            "192.0.0.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "::/96",  # IPv4-compatible
            "64:ff9b:1::/48",  # NAT64 within a network (RFC 8215)
            "2001::/23",  # Teredo among others
            "fec0::/10",  # site-local
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """An http or https URL taken apart; `path` is what a request line has, query included."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header has: the port only if it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme and authority: the audience of a VAPID token (RFC 8292 §2)."""
        return f"{'https' if self.secure else 'http'}://{self.authority}"


def parse_url(url: str, *, allow_private: bool) -> Target:
    """The target of a URL that a user gave. Raises ValueError with a sentence.

    Only https goes, and no address of a private network; `allow_private` lets those in, and http to this machine.
    """
    if not _URL.fullmatch(url) or len(url) > LONGEST_URL:
        raise ValueError(f"the URL must have at most {LONGEST_URL} characters, of ASCII and without spaces")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http"):
        raise ValueError("the URL must begin with https://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("the URL must have neither a user nor a fragment")
    host, port = parts.hostname or "", parts.port
    if not (is_address(host) or (_HOST.fullmatch(host) and len(host) <= 253)) or port == 0:
        raise ValueError("the URL names no host that could be connected to")
    secure = parts.scheme == "https"
    if not secure and not (allow_private and is_this_machine(host)):
        raise ValueError("the URL must begin with https://")
    if not allow_private and (is_this_machine(host) or (is_address(host) and not is_public(host))):
        raise ValueError("the URL leads into a private network")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(secure, host, port or (443 if secure else 80), path)


def is_address(host: str) -> bool:
    """Whether a host is written as an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_this_machine(host: str) -> bool:
    """Whether a host is a name or an address of the loopback interface."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost") or (is_address(host) and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_public(text: str) -> bool:
    """Whether an IP address belongs to the internet, looked at through whatever wraps an IPv4 address into IPv6."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        for network, shift in _NAT64:
            if address in network:
                return is_public(str(ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)))
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(network.version == address.version and address in network for network in _REFUSED)
    )
