"""What the session says of the ways in which changes come to clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jmaplite.core.catalog import Capability

WEBSOCKET = "urn:ietf:params:jmap:websocket"
"""JMAP over WebSocket (RFC 8887 §3)."""

TICKET_URL = "ticketUrl"
"""The Session's property that says where there are tickets for clients that cannot send an Authorization header.

It is no capability: no request would use it, and the name of one of our own would have to be a URL (RFC 8620 §1.8).
"""

_TICKET_PATH = "/jmap/ticket/"


def push_capabilities(*, push: bool = True) -> tuple[Capability, ...]:
    """The capability of the transport that has one of its own."""
    return (Capability(WEBSOCKET, session=lambda limits: {"supportsPush": push}, account=None, located=_web_socket),)


def push_resources(*, websocket: bool, push: bool) -> Mapping[str, str]:
    """What there is for transports that are in use; nothing if none is that a ticket could be for."""
    return {TICKET_URL: _TICKET_PATH} if websocket or push else {}


def _web_socket(base_url: str) -> dict[str, Any]:
    scheme, colon, rest = base_url.partition(":")
    return {"url": f"{scheme.replace('http', 'ws')}{colon}{rest}/jmap/ws/"}
