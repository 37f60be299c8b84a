"""Where a request came from and which URL it was sent to, as far as its peer can be believed."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from quart import Request

from jmaplite.web.problems import Problem
from jmaplite.web.settings import Listener, Network

_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII
)


def listener(request: Request) -> Listener:
    """The listener that a request came in by."""
    found: Listener = request.scope["state"]["listener"]
    return found


def base_url(request: Request) -> str:
    """What every URL in the session begins with: scheme and authority, at times a path, no slash at the end.

    Raises Problem 400 for a Host that cannot be one (RFC 9112 §3.2).
    """
    own = listener(request)
    if own.url and "://" in own.url:
        return own.url.rstrip("/")
    trusted = bool(own.trusted_networks) and is_trusted(own.trusted_networks, _peer_address(request))
    scheme = _first(request, "X-Forwarded-Proto").lower() if trusted else ""
    if scheme not in ("http", "https"):
        scheme = "https" if own.tls else "http"
    host = own.url or (trusted and _first(request, "X-Forwarded-Host")) or _host(request)
    if not own.url and not _HOST.fullmatch(host):
        raise Problem(400, "The request's Host is not the name of one.")
    return f"{scheme}://{host.rstrip('/')}"


def peer(request: Request) -> str:
    """The address that a request came from; behind a trusted proxy, the one that it names."""
    address = _peer_address(request)
    if is_trusted(listener(request).trusted_networks, address):
        return request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()
    return address


@lru_cache(maxsize=1024)
def is_trusted(networks: tuple[Network, ...], address: str) -> bool:
    """Whether an IP address lies in one of the networks."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in networks)


def _peer_address(request: Request) -> str:
    client = request.scope.get("client")
    return client[0] if client else ""


def _first(request: Request, name: str) -> str:
    """The first value of a header that proxies append to: that of the one nearest to the client."""
    return request.headers.get(name, "").partition(",")[0].strip()


def _host(request: Request) -> str:
    """The Host header, or where the request arrived if an old client sends none."""
    named = request.headers.get("Host")
    if named:
        return named
    server = request.scope.get("server")
    host, port = server if server else ("localhost", None)
    return (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
