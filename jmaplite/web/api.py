"""The API resource (RFC 8620 §3.1)."""

from __future__ import annotations

from quart import Response, request

from jmaplite.core.engine import Engine
from jmaplite.core.errors import RequestError
from jmaplite.directory import Principal
from jmaplite.web.address import base_url
from jmaplite.web.auth import Authentication
from jmaplite.web.body import BodyTooLarge
from jmaplite.web.compression import LEAST_OCTETS, accepts_gzip, gzip
from jmaplite.web.settings import HTTPSettings
from jmaplite.web.threads import Threads


class API:
    """Takes Requests and gives Responses."""

    def __init__(
        self, engine: Engine, authentication: Authentication, threads: Threads, settings: HTTPSettings
    ) -> None:
        self._engine = engine
        self._authentication = authentication
        self._threads = threads
        self._settings = settings

    async def post(self) -> Response:
        """Answer a Request. Raises Problem, RequestError, Disconnected."""
        principal = await self._authentication.principal(request)
        self._check_type(request.headers.get("Content-Type", ""))
        with self._engine.request_slot(principal.name):
            body = await self._body()
            wants_gzip = self._settings.compression and accepts_gzip(request.headers.get("Accept-Encoding", ""))
            document, is_gzip = await self._threads.run(
                self._answer, principal, base_url(request), body, wants_gzip
            )
        response = Response(document, 200, content_type="application/json")
        response.headers["Cache-Control"] = "no-store"
        if self._settings.compression:
            response.headers["Vary"] = "Accept-Encoding"
        if is_gzip:
            response.headers["Content-Encoding"] = "gzip"
        return response

    def _check_type(self, content_type: str) -> None:
        """Raise RequestError notJSON for a request that is of another type than application/json."""
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type != "application/json" and not self._settings.lenient_content_type:
            raise RequestError("notJSON", "The request's Content-Type is not application/json.")

    async def _body(self) -> bytes:
        """The request's octets. A request that is too large has status 400, as in RFC 8620 §3.6.1.1."""
        limit = self._engine.services.limits.max_size_request
        try:
            body: bytes = await request.body.read(limit)
        except BodyTooLarge:
            raise RequestError(
                "limit", f"The request is larger than {limit} octets.", limit="maxSizeRequest"
            ) from None
        return body

    def _answer(self, principal: Principal, base: str, body: bytes, wants_gzip: bool) -> tuple[bytes, bool]:
        """The Response document, and whether it is in gzip. Runs in a thread."""
        document = self._engine.process(principal, base, body)
        if wants_gzip and len(document) >= LEAST_OCTETS:
            return gzip(document), True
        return document, False
