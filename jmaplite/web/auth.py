"""Who asks: the Authorization header of a request (RFC 7617, RFC 6750)."""

from __future__ import annotations

import logging
import os
from typing import Protocol

from quart import Request

from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.web.address import peer
from jmaplite.web.body import JMAPRequest
from jmaplite.web.problems import Problem
from jmaplite.web.rates import Rates
from jmaplite.web.threads import Threads

logger = logging.getLogger(__name__)

BASIC = 'Basic realm="jmaplite", charset="UTF-8"'
BEARER = 'Bearer realm="jmaplite"'

MAX_WAITING = 64
"""Log-ins that may wait for others to be verified; more are told to come again."""


LOGGED = 100
"""Characters of what a client calls itself, or something, that the log takes."""


class Verifier(Protocol):
    """Tells whom an Authorization header belongs to; `cached` at once, `verify` slowly but surely."""

    def cached(self, authorization: str) -> Principal | None:
        """Whom a header is known to belong to, or None."""

    def verify(self, authorization: str) -> Principal | None:
        """Whom a header belongs to, or None. Raises DirectoryUnavailable."""


class Authentication:
    """Finds out who asks. Hashing a password takes a core's whole attention, so no more do it than there are cores."""

    def __init__(self, verifier: Verifier, rates: Rates) -> None:
        self._verifier = verifier
        self._rates = rates
        self._threads = Threads("log-in", os.cpu_count() or 1)
        self._waiting = 0

    async def principal(self, request: Request) -> Principal:
        """Who asks. Raises Problem 401, 429, 503, RequestError limit."""
        authorization = request.headers.get("Authorization")
        if authorization is None:
            self._rates.stranger(peer(request))
            raise refusal("Log in to see this.")
        return await self.of(authorization, request)

    async def of(self, authorization: str, request: Request) -> Principal:
        """Whom an Authorization header belongs to, wherever it came from with a request. Raises Problem as above."""
        principal = self._verifier.cached(authorization) or await self._verified(request, authorization)
        self._rates.request(principal.name)
        if isinstance(request, JMAPRequest):
            request.user = principal.name
        return principal

    async def close(self) -> None:
        """Let go of the threads."""
        await self._threads.close()

    async def _verified(self, request: Request, authorization: str) -> Principal:
        address = peer(request)
        name = (request.authorization.username if request.authorization else None) or ""
        self._rates.attempt(address, name)
        if self._waiting >= MAX_WAITING:
            raise Problem(429, "Too many are logging in at the moment.")
        self._waiting += 1
        try:
            principal = await self._threads.run(self._verifier.verify, authorization)
        except DirectoryUnavailable as error:
            logger.warning("nobody can log in: the directory does not answer: %s", error)
            raise Problem(503, "The directory of users does not answer at the moment.") from None
        finally:
            self._waiting -= 1
        if principal is None:
            self._rates.failed(address, name)
            logger.warning("a log-in failed: user %r from %s", name[:LOGGED], address)
            raise refusal("These credentials are not valid.", invalid_token=_is_bearer(authorization))
        self._rates.succeeded(address, name)
        return principal


def _is_bearer(authorization: str) -> bool:
    return authorization[:7].lower() == "bearer "


def refusal(detail: str, *, invalid_token: bool = False) -> Problem:
    """The problem of whoever must log in to go on (RFC 7235 §3.1)."""
    # A request without credentials is to be told no error code (RFC 6750 §3.1).
    bearer = BEARER + ', error="invalid_token"' if invalid_token else BEARER
    return Problem(401, detail, [("WWW-Authenticate", BASIC), ("WWW-Authenticate", bearer)])
