"""One request and its answer, between Hypercorn's events and Quart's routes.

Quart has a task read ahead as fast as a client sends. Here a body is pulled when somebody wants it, so that a fast
sender is held up; a request whose answer is at hand takes no task of its own; and an answer leaves in one piece.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent
from quart import Response
from quart.asgi import ASGIHTTPConnection
from quart.wrappers.response import DataBody
from werkzeug.datastructures import Headers

from jmaplite.web import tracing
from jmaplite.web.body import Body, JMAPRequest
from jmaplite.web.headers import Lines
from jmaplite.web.problems import Problem, respond

if TYPE_CHECKING:
    from jmaplite.web.app import App

logger = logging.getLogger(__name__)

_AUTHORITY = re.compile(r"https?://[^/]*/?", re.IGNORECASE)
"""What stands before the path in a request to a proxy."""

PIECE_OCTETS = 262_144
"""Octets that are sent at a time: a peer that takes fewer in its time is one that has stalled."""


class Exchange(ASGIHTTPConnection):
    """One request and its answer."""

    app: App

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer the request."""
        request = self._create_request_from_scope(send)
        request.body.receive = receive
        request.body.patience = self.app.settings.timeouts.body
        self._status = self._octets = 0
        self._begun = perf_counter()
        tracing.begin(request)
        try:
            with ExitStack() as request.held:
                await self._answer(request, receive, send)
        finally:
            if request.called:
                self.app.metrics.calls(request.called)
            if self.app.settings.access_log:
                tracing.log(request, self._status, self._octets, self._begun)

    async def _answer(self, request: JMAPRequest, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer a request, until the whole answer was taken or the client has gone."""
        body = request.body
        response = await self._response(request)
        if not body.complete:
            await body.settle()
            if body.abandoned:
                return
        lines = [(name.lower().encode(), value.encode()) for name, value in response.headers]
        lines.append((tracing.HEADER, request.id.encode()))
        self._status = response.status_code
        self.app.metrics.request(request.method, response.status_code, perf_counter() - self._begun)
        if (body.refused or not body.complete) and request.http_version < "2":
            lines.append((b"connection", b"close"))
        start = _start(response.status_code, lines)
        if not isinstance(response.response, DataBody):
            await self._stream(receive, send, start, response)
            return
        octets = await response.get_data(as_text=False)
        self._octets = len(octets)
        await send(start)
        last = max(len(octets) - 1, 0) // PIECE_OCTETS * PIECE_OCTETS
        for begin in range(0, last, PIECE_OCTETS):
            await send(_octets(octets[begin : begin + PIECE_OCTETS], more=True))
        await send(_octets(octets[last:] if last else octets, more=not body.complete))
        if not body.complete:
            await self._end_early(send, body)

    def _create_request_from_scope(self, send: ASGISendCallable) -> JMAPRequest:
        scope = self.scope
        return self.app.request_class(
            scope["method"],
            scope["scheme"],
            path_of(scope["path"]),
            scope["query_string"],
            header_lines(scope["headers"]),
            "",
            scope["http_version"],
            scope,
            send_push_promise=_no_push,
        )

    async def _response(self, request: JMAPRequest) -> Response:
        """What the routes answer, or a problem document."""
        if "Transfer-Encoding" in request.headers and "Content-Length" in request.headers:
            # Who reads it the other way would find another request in the body (RFC 9112 §6.3).
            request.body.refused = True
            return respond(Problem(400, "The request has both Transfer-Encoding and Content-Length."))
        try:
            return cast(Response, await self.app.handle_request(request))
        except Exception:
            logger.exception("a request failed beyond its routes")
            return respond(Problem(500, "The server failed unexpectedly."))

    async def _end_early(self, send: ASGISendCallable, body: Body) -> None:
        """End an answer before its request has ended.

        What the client still sends is taken for a while, so that it gets to read its answer instead of a reset;
        and for as long as the end itself takes, which waits for room in the queue that the body has filled.
        """
        rest = asyncio.ensure_future(body.discard(None))
        try:
            if not body.refused:
                await asyncio.wait({rest}, timeout=self.app.settings.timeouts.linger)
            await send(_octets(b"", more=False))
        finally:
            rest.cancel()
            await asyncio.gather(rest, return_exceptions=True)

    async def _stream(
        self, receive: ASGIReceiveCallable, send: ASGISendCallable, start: ASGISendEvent, response: Response
    ) -> None:
        """Send an answer piece by piece, until it ends or the client goes."""
        self.app.metrics.streams += 1
        pieces = asyncio.ensure_future(self._pieces(send, start, response))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({pieces, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.app.metrics.streams -= 1
            pieces.cancel()
            gone.cancel()
            outcome, _ = await asyncio.gather(pieces, gone, return_exceptions=True)
        if isinstance(outcome, Exception):
            logger.error("an answer broke off", exc_info=outcome)

    async def _pieces(self, send: ASGISendCallable, start: ASGISendEvent, response: Response) -> None:
        async with response.response as pieces:
            await send(start)
            if self.scope["method"] != "HEAD":
                async for octets in pieces:
                    self._octets += len(octets)
                    await send(_octets(octets, more=True))
        await send(_octets(b"", more=False))


def path_of(target: str) -> str:
    """The path of what a request asks for, which may begin as if for a proxy (RFC 9112 §3.2.2)."""
    return target if target.startswith("/") else "/" + _AUTHORITY.sub("", target)


def header_lines(lines: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The header lines of a request, which Hypercorn has checked already."""
    headers = Headers()
    headers._list = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in lines]
    return headers


def _start(status: int, lines: Lines) -> ASGISendEvent:
    return {"type": "http.response.start", "status": status, "headers": lines, "trailers": False}


def _octets(octets: bytes, *, more: bool) -> ASGISendEvent:
    return {"type": "http.response.body", "body": octets, "more_body": more}


async def _gone(receive: ASGIReceiveCallable) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _no_push(path: str, headers: Headers) -> None:
    """Promises of HTTP/2 are made by nobody here."""
