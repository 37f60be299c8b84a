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
_PAIR = re.compile(r'\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.){0,300})"|([^\s";,=]{0,300}))\s*', re.ASCII)
"""A parameter of the header Forwarded (RFC 7239 §4)."""

_MOST_HOPS = 32
"""Proxies in a row that are looked through."""


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
    proto = host = ""
    if is_proxied(request):
        proto, host = _told(request)
    scheme = proto if proto in ("http", "https") else _scheme(request)
    host = own.url or host or _host(request)
    if not own.url and not _HOST.fullmatch(host):
        raise Problem(400, "The request's Host is not the name of one.")
    return f"{scheme}://{host.rstrip('/')}"


def peer(request: Request) -> str:
    """The address that a request came from; behind trusted proxies, the first one that is none of them."""
    address = _peer_address(request)
    if is_proxied(request):
        networks = listener(request).trusted_networks
        for hop in reversed(_hops(request)[-_MOST_HOPS:]):
            if not _is_address(hop):
                break
            address = hop
            if not is_trusted(networks, hop):
                break
    return address


def is_proxied(request: Request) -> bool:
    """Whether a request comes from a proxy that is believed what it says of others."""
    own = listener(request)
    return own.forwarded and bool(own.trusted_networks) and is_trusted(own.trusted_networks, _peer_address(request))


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


def _told(request: Request) -> tuple[str, str]:
    """The scheme and the host that a client used, as the proxy nearest to it tells; "" for what it does not."""
    if _has_x_forwarded(request):
        return _first(request, "X-Forwarded-Proto").lower(), _first(request, "X-Forwarded-Host")
    elements = _forwarded(request)
    first = elements[0] if elements else {}
    return first.get("proto", "").lower(), first.get("host", "")


def _hops(request: Request) -> list[str]:
    """The addresses that a request was forwarded for, that of the client first."""
    if _has_x_forwarded(request):
        return [_bare(one) for one in request.headers.get("X-Forwarded-For", "").split(",") if one.strip()]
    return [_bare(element.get("for", "")) for element in _forwarded(request)]


def _has_x_forwarded(request: Request) -> bool:
    """Whether a proxy tells in the X- headers. If so, Forwarded may come from anybody, and is left alone."""
    headers = request.headers
    return "X-Forwarded-For" in headers or "X-Forwarded-Proto" in headers or "X-Forwarded-Host" in headers


def _forwarded(request: Request) -> list[dict[str, str]]:
    """The elements of the header Forwarded (RFC 7239 §4), names in lower case; none if it is not well-formed."""
    text = ",".join(request.headers.getlist("Forwarded"))
    elements: list[dict[str, str]] = [{}]
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            return []
        value = match[3] if match[2] is None else re.sub(r"\\(.)", r"\1", match[2])
        elements[-1][match[1].lower()] = value
        position = match.end()
        if text[position : position + 1] == ",":
            elements.append({})
        elif text[position : position + 1] not in (";", ""):
            return []
        position += 1
    return elements if elements[0] else []


def _bare(hop: str) -> str:
    """An address without its port, and an IPv6 address without brackets."""
    hop = hop.strip()
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _scheme(request: Request) -> str:
    return "https" if request.scope["scheme"] in ("https", "wss") else "http"


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
