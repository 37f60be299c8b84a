"""The API resource (RFC 8620 §3.1)."""

from __future__ import annotations

import logging
from contextlib import ExitStack

from quart import Response

from jmaplite.core.engine import Engine
from jmaplite.core.errors import RequestError
from jmaplite.directory import Principal
from jmaplite.web.address import base_url
from jmaplite.web.auth import LOGGED, Authentication
from jmaplite.web.body import BodyTooLarge, JMAPRequest, current, refuse_encoded
from jmaplite.web.compression import JSONAnswers, compressed
from jmaplite.web.problems import LANGUAGE
from jmaplite.web.threads import Threads

logger = logging.getLogger(__name__)


class API:
    """Takes Requests and gives Responses. `lenient_content_type` accepts them under any Content-Type."""

    def __init__(
        self,
        engine: Engine,
        authentication: Authentication,
        threads: Threads,
        answers: JSONAnswers,
        *,
        lenient_content_type: bool,
    ) -> None:
        self._engine = engine
        self._authentication = authentication
        self._threads = threads
        self._answers = answers
        self._lenient_content_type = lenient_content_type

    async def post(self) -> Response:
        """Answer a Request. Raises Problem, RequestError, Disconnected."""
        request = current()
        principal = await self._authentication.principal(request)
        self._check_type(request.headers.get("Content-Type", ""))
        refuse_encoded(request)
        base = base_url(request)
        with ExitStack() as slot:
            slot.enter_context(self._engine.request_slot(principal.name))
            body = await self._body(request)
            gzip = self._answers.accepts_gzip(request)
            called: list[tuple[str, str]] = []
            request.called = called
            document = await self._threads.run(self._answer, principal, base, body, gzip, called)
            # An answer that nobody takes is a request under way still: it takes as much memory.
            request.held.enter_context(slot.pop_all())
        response = self._answers.response(document, 200, "no-store")
        response.headers["Content-Language"] = LANGUAGE
        return response

    def _check_type(self, content_type: str) -> None:
        """Raise RequestError notJSON for a request of another type than application/json (RFC 8620 §3.1)."""
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type == "application/json":
            return
        if not self._lenient_content_type:
            raise RequestError("notJSON", "The request's Content-Type is not application/json.")
        logger.info("lenient-content-type: took a request of type %r", content_type[:LOGGED])

    async def _body(self, request: JMAPRequest) -> bytes:
        """The request's octets.

        One that is too large has the status 400 and not 413: RFC 8620 §3.6.1.1 shows it for just this limit.
        """
        limit = self._engine.services.limits.max_size_request
        try:
            return await request.body.read(limit)
        except BodyTooLarge:
            raise RequestError("limit", f"The request is larger than {limit} octets.", limit="maxSizeRequest") from None

    def _answer(self, principal: Principal, base: str, body: bytes, gzip: bool, called: list[tuple[str, str]]) -> bytes:
        """The Response document, ready for the wire. Runs in a thread."""
        return compressed(self._engine.process(principal, base, body, called=called), gzip=gzip)
