"""The Session resource (RFC 8620 §2)."""

from __future__ import annotations

from quart import Response

from jmaplite.core.engine import Engine
from jmaplite.core.json import dumps
from jmaplite.directory import Principal
from jmaplite.web.address import base_url
from jmaplite.web.auth import Authentication
from jmaplite.web.body import current
from jmaplite.web.compression import JSONAnswers, compressed
from jmaplite.web.threads import Threads


class SessionResource:
    """Gives the Session object itself, without a redirect that clients might follow without credentials."""

    def __init__(self, engine: Engine, authentication: Authentication, threads: Threads, answers: JSONAnswers) -> None:
        self._engine = engine
        self._authentication = authentication
        self._threads = threads
        self._answers = answers

    async def get(self) -> Response:
        """The Session object of who asks. Raises Problem, RequestError."""
        request = current()
        principal = await self._authentication.principal(request)
        gzip = self._answers.accepts_gzip(request)
        document = await self._threads.run(self._document, principal, base_url(request), gzip)
        return self._answers.response(document, 200, "no-cache, no-store, must-revalidate")

    def _document(self, principal: Principal, base: str, gzip: bool) -> bytes:
        return compressed(dumps(self._engine.session(principal, base).to_json()), gzip=gzip)
