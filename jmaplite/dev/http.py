"""Faults of HTTP, and requests other than of the API in the log."""

from __future__ import annotations

import asyncio
import gzip
import time
from contextlib import ExitStack
from typing import cast

import orjson
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent
from quart import Response
from quart.wrappers.response import DataBody

from jmaplite.core.errors import RequestError
from jmaplite.dev.directory import PAGE
from jmaplite.dev.engine import CUT, Broken, spoilt
from jmaplite.dev.exchanges import Exchange as Logged
from jmaplite.dev.faults import Effect, Event, Rule
from jmaplite.dev.fixture import Fixture
from jmaplite.dev.pushes import CONNECTION, Connection
from jmaplite.dev.quirks import NO_PUSH_STATE, REDIRECT
from jmaplite.dev.quirks import event as quirky_event
from jmaplite.directory import DirectoryUnavailable
from jmaplite.web.body import JMAPRequest
from jmaplite.web.exchange import Exchange
from jmaplite.web.frames import SocketLimits
from jmaplite.web.problems import Problem, respond
from jmaplite.web.websocket import Socket

FIXTURE = "jmaplite-fixture"
"""Under which an application has its fixture, among its extensions."""

SESSION = "/jmap/session"
"""Where the Session is too, of a server that redirects to it."""

PREFIX = "/dev/"
"""Where paths begin that are the fixture's own: what controls faults has none."""

_ARRIVES = 0.05
"""Seconds in which what was sent before a cut has left."""

_API, _SESSION, _EVENTS = "/jmap/", "/.well-known/jmap", "/jmap/eventsource/"


class FixtureSocket(Socket):
    """One WebSocket, whose handshake a rule may have fail, and whose connection one may end."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Serve it to its end."""
        CONNECTION.set(Connection("websocket", self._scope["path"], self._scope["state"]["abort"]))
        await super().__call__(receive, send)

    async def _begin(self, held: ExitStack) -> SocketLimits:
        exchanges = self._app.extensions[FIXTURE].exchanges
        path = self._scope["path"]
        logged = Logged(exchanges.number(), "websocket", "", time.time(), b"", path, "GET", status=101)
        began = time.perf_counter()
        is_page = False
        try:
            limits = await super()._begin(held)
            is_page = self._principal.credential == PAGE
            if not is_page:
                await self._misbehave(logged)
            return limits
        except (Problem, RequestError) as error:
            logged.status = logged.status and error.status
            raise
        finally:
            logged.milliseconds = (time.perf_counter() - began) * 1000
            if not is_page:
                exchanges.add(logged)

    async def _misbehave(self, logged: Logged) -> None:
        """What a rule makes of the handshake. Raises Problem."""
        fixture: Fixture = self._app.extensions[FIXTURE]
        logged.user = self._principal.name
        rule = fixture.faults.fire(Event("websocket", user=logged.user, path=logged.url), of="request")
        if rule is None:
            return
        logged.faults.append(rule.id)
        await asyncio.sleep(rule.effect.delay)
        if rule.effect.cut:
            logged.status = 0
            CONNECTION.get().abort()
        if rule.effect.cut or rule.effect.status is not None:
            raise _failure(rule)

    async def _tell_error(self, error: RequestError | Problem, request_id: str | None) -> None:
        """A RequestError object, or the end without an answer."""
        if isinstance(error, Broken) and error.cut:
            self._scope["state"]["abort"]()
        else:
            await super()._tell_error(error, request_id)

    async def _send_octets(self, octets: bytes) -> None:
        fixture: Fixture = self._app.extensions[FIXTURE]
        if NO_PUSH_STATE in fixture.quirks and octets.startswith(b'{"@type":"StateChange"'):
            told = orjson.loads(octets)
            told.pop("pushState", None)
            octets = orjson.dumps(told)
        await super()._send_octets(octets)


class FixtureExchange(Exchange):
    """One request and its answer, or what a rule makes of it. Requests of the API are the engine's to look at."""

    _cut = False
    _effect: Effect | None = None

    async def _answer(self, request: JMAPRequest, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        CONNECTION.set(Connection("eventsource", request.path, self.scope["state"]["abort"]))

        async def spoiling(event: ASGISendEvent) -> None:
            abort = self.scope["state"]["abort"]
            if self._cut:
                abort()
                return
            event, is_last = self._spoilt(event)
            await send(event)
            if is_last:
                await asyncio.sleep(_ARRIVES)
                abort()

        await super()._answer(request, receive, spoiling)

    async def _response(self, request: JMAPRequest) -> Response:
        fixture: Fixture = self.app.extensions[FIXTURE]
        if request.path.startswith(PREFIX) or self._is_page(fixture, request):
            return await super()._response(request)
        if request.path == _API and request.method == "POST":
            now, began = time.time(), time.perf_counter()
            response = await super()._response(request)
            self._cut = response.headers.pop(CUT, None) is not None
            if not isinstance(request.called, list):  # it has not come to the engine, which writes down what does
                await self._add(fixture, request, response, self._opened(fixture, request, "http", now), began)
            return response
        return await self._logged(fixture, request)

    @staticmethod
    def _is_page(fixture: Fixture, request: JMAPRequest) -> bool:
        """Whether the inspector asks for something that it shows."""
        authorization = request.headers.get("Authorization")
        if authorization is None or request.path == _API or fixture.directory is None:
            return False
        return fixture.directory.is_page(authorization)

    async def _logged(self, fixture: Fixture, request: JMAPRequest) -> Response:
        if request.path == _SESSION and REDIRECT in fixture.quirks:
            return respond_elsewhere(SESSION)
        transport = "eventsource" if request.path == _EVENTS else "http"
        logged, began = self._opened(fixture, request, transport, time.time()), time.perf_counter()
        logged.user = await _user(fixture, request)
        rule = fixture.faults.fire(Event(transport, user=logged.user, path=request.path), of="request")
        if rule is not None:
            logged.faults.append(rule.id)
            await asyncio.sleep(rule.effect.delay)
            self._cut, self._effect = rule.effect.cut, rule.effect
        if rule is not None and rule.effect.status is not None:
            response = respond(_failure(rule))
        else:
            response = await super()._response(request)
        await self._add(fixture, request, response, logged, began)
        return response

    @staticmethod
    def _opened(fixture: Fixture, request: JMAPRequest, transport: str, now: float) -> Logged:
        query = request.query_string.decode("latin-1")
        url = f"{request.path}?{query}" if query else request.path
        return Logged(fixture.exchanges.number(), transport, "", now, b"", url, request.method)

    async def _add(
        self, fixture: Fixture, request: JMAPRequest, response: Response, logged: Logged, began: float
    ) -> None:
        """Put a request into the log: with its answer, if that is a Session or says what is wrong."""
        logged.user = request.user or logged.user
        logged.status = 0 if self._cut else response.status_code
        logged.milliseconds = (time.perf_counter() - began) * 1000
        logged.lengths = request.content_length or 0, response.content_length or 0
        is_session = request.path in (_SESSION, SESSION) and response.status_code == 200
        if isinstance(response.response, DataBody) and not self._cut and (is_session or response.status_code >= 400):
            octets = await response.get_data(as_text=False)
            logged.response = gzip.decompress(octets) if response.headers.get("Content-Encoding") == "gzip" else octets
            if is_session and octets:
                session = orjson.loads(logged.response)
                fixture.pedant.session_fetched(session["username"], session["state"])
        fixture.exchanges.add(logged)

    def _spoilt(self, event: ASGISendEvent) -> tuple[ASGISendEvent, bool]:
        """A piece of the answer as the rule has it, and whether the connection is to end after it."""
        fixture: Fixture = self.app.extensions[FIXTURE]
        if fixture.quirks and self.scope["path"] == _EVENTS and event["type"] == "http.response.body":
            event = cast(ASGISendEvent, {**event, "body": quirky_event(event["body"], fixture.quirks)})
        effect = self._effect
        if effect is None or event["type"] != "http.response.body" or not event["body"]:
            return event, False
        octets, is_last = spoilt(event["body"], effect), effect.truncate is not None
        more = event["more_body"] or is_last
        return cast(ASGISendEvent, {**event, "body": octets, "more_body": more}), is_last


def _failure(rule: Rule) -> Problem:
    retry = rule.effect.retry_after
    lines = [("Retry-After", str(retry))] if retry is not None else []
    return Problem(rule.effect.status or 500, f"The rule {rule.id}.", lines)


def respond_elsewhere(path: str) -> Response:
    """A redirect that keeps the method."""
    return Response(b"", 307, headers={"Location": path, "Cache-Control": "no-store"})


async def _user(fixture: Fixture, request: JMAPRequest) -> str:
    """Who asks, as far as that can be told before anybody has looked whether it is true."""
    authorization = request.authorization
    if authorization is None:
        return ""
    if authorization.token is None or not fixture.faults or fixture.directory is None:
        return authorization.username or ""
    try:
        principal = await asyncio.to_thread(fixture.directory.verify_token, authorization.token)
    except DirectoryUnavailable:
        return ""
    return principal.name if principal is not None else ""
