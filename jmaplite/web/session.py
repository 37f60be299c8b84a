"""The Session resource (RFC 8620 §2)."""

from __future__ import annotations

from quart import Response, request

from jmaplite.core.engine import Engine
from jmaplite.core.json import dumps
from jmaplite.directory import Principal
from jmaplite.web.address import base_url
from jmaplite.web.auth import Authentication
from jmaplite.web.compression import LEAST_OCTETS, accepts_gzip, gzip
from jmaplite.web.settings import HTTPSettings
from jmaplite.web.threads import Threads


class SessionResource:
    """Gives the Session object itself, without a redirect that clients might follow without their credentials."""

    def __init__(
        self, engine: Engine, authentication: Authentication, threads: Threads, settings: HTTPSettings
    ) -> None:
        self._engine = engine
        self._authentication = authentication
        self._threads = threads
        self._compression = settings.compression

    async def get(self) -> Response:
        """The Session object. Raises Problem, RequestError."""
        principal = await self._authentication.principal(request)
        document = await self._threads.run(self._document, principal, base_url(request))
        response = Response(b"", 200, content_type="application/json")
        response.headers["Cache-Control"] = "no-cache, no-store, must-revalidate"
        if self._compression:
            response.headers["Vary"] = "Accept-Encoding"
            if len(document) >= LEAST_OCTETS and accepts_gzip(request.headers.get("Accept-Encoding", "")):
                document = gzip(document)
                response.headers["Content-Encoding"] = "gzip"
        response.set_data(document)
        return response

    def _document(self, principal: Principal, base: str) -> bytes:
        return dumps(self._engine.session(principal, base).to_json())
