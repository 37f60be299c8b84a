"""What the session says of the ways in which changes come to clients."""

from __future__ import annotations

from typing import Any

from jmaplite.core.catalog import Capability

TICKET = "urn:jmaplite:params:jmap:ticket"
"""Tickets for clients that cannot send an Authorization header: web pages with an EventSource or a WebSocket."""

WEBSOCKET = "urn:ietf:params:jmap:websocket"
"""JMAP over WebSocket (RFC 8887 §3)."""

TICKET_PATH = "/jmap/ticket/"


def push_capabilities(*, websocket: bool = True, push: bool = True) -> tuple[Capability, ...]:
    """The capabilities of the transports that are in use."""
    if not (websocket or push):
        return ()  # nothing that a ticket could be for
    tickets = Capability(TICKET, session=lambda limits: {}, account=None, located=_ticket)
    sockets = Capability(WEBSOCKET, session=lambda limits: {"supportsPush": push}, account=None, located=_web_socket)
    return (sockets, tickets) if websocket else (tickets,)


def _web_socket(base_url: str) -> dict[str, Any]:
    scheme, colon, rest = base_url.partition(":")
    return {"url": f"{scheme.replace('http', 'ws')}{colon}{rest}/jmap/ws/"}


def _ticket(base_url: str) -> dict[str, Any]:
    return {"url": base_url + TICKET_PATH}
