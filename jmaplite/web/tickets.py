"""Tickets: a web page cannot send a header with an EventSource or a WebSocket, so it may say who it is in the query.

A ticket is good once, for a minute, and for these two only: URLs get into histories and into the logs of proxies. Only
its digest is kept, in the store, so that whichever process of a server it comes back to knows it.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from typing import Any

from orjson import dumps, loads
from quart import Request, Response

from jmaplite.core.engine import Engine
from jmaplite.core.kinds import utc_date
from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.web.address import peer
from jmaplite.web.auth import Authentication, refusal
from jmaplite.web.body import current
from jmaplite.web.problems import Problem
from jmaplite.web.threads import Threads

logger = logging.getLogger(__name__)

SECONDS = 60
"""How long a ticket is good."""

_LONGEST = 256


class Tickets:
    """Gives tickets, and lets in who has one. What a query may carry is looked at nowhere else."""

    def __init__(self, engine: Engine, authentication: Authentication, threads: Threads) -> None:
        self._engine = engine
        self._authentication = authentication
        self._threads = threads

    async def post(self) -> Response:
        """Give a ticket to who asks. Raises Problem."""
        principal = await self._authentication.principal(current())
        answer = dumps(await self._threads.run(self._give, principal))
        response = Response(answer, 201, content_type="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response

    async def principal(self, request: Request) -> Principal:
        """Who asks, by `ticket`, by `access_token` (RFC 6750 §2.3), or by header. Raises Problem: 401, 429, 503."""
        ticket, token = request.args.get("ticket"), request.args.get("access_token")
        if ticket is not None:
            return await self._holder(request, ticket)
        if token is not None:
            return await self._authentication.of(f"Bearer {token}", request)
        return await self._authentication.principal(request)

    async def _holder(self, request: Request, ticket: str) -> Principal:
        try:
            principal = await self._threads.run(self._take, ticket)
        except DirectoryUnavailable:
            raise Problem(503, "The directory of users does not answer at the moment.") from None
        if principal is None:
            logger.warning("a ticket was refused: from %s", peer(request))
            raise refusal("This ticket is not good, or not any more: each is good once and for a short time.")
        return principal

    def _give(self, principal: Principal) -> dict[str, Any]:
        """A ticket, and when it expires. Runs in a thread."""
        services = self._engine.services
        ticket = secrets.token_urlsafe(24)
        now = int(services.clock())
        value = dumps([principal.name, principal.credential]).decode()
        services.store.keep_ticket(_digest(ticket), value, now + SECONDS, now)
        return {"ticket": ticket, "expires": utc_date(now + SECONDS)}

    def _take(self, ticket: str) -> Principal | None:
        """Whose ticket it is, which it is no more then. Runs in a thread."""
        if len(ticket) > _LONGEST:
            return None
        services = self._engine.services
        value = services.store.take_ticket(_digest(ticket), int(services.clock()))
        return None if value is None else self._engine.present(*loads(value))


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).digest()
