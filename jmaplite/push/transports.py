"""What the session says of the ways in which changes come to clients."""

from __future__ import annotations

from typing import Any

from jmaplite.core.catalog import Capability

TICKET = "urn:jmaplite:params:jmap:ticket"
"""Tickets for clients that cannot send an Authorization header: web pages with an EventSource or a WebSocket."""

TICKET_PATH = "/jmap/ticket/"


def push_capabilities() -> tuple[Capability, ...]:
    """The capabilities of the transports that are in use."""
    return (Capability(TICKET, session=lambda limits: {}, account=None, located=_ticket),)


def _ticket(base_url: str) -> dict[str, Any]:
    return {"url": base_url + TICKET_PATH}
