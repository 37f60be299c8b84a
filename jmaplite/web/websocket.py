"""JMAP over WebSocket (RFC 8887).

Each message is parsed in its turn, so that what a client asks for first holds for what it asks next; requests are
answered as they are done. As many are taken as `maxConcurrentRequests` allows; those after them are left in the
network until one is answered, which is all that a client notices of it (RFC 8887 §4.3.2).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, WebsocketScope
from orjson import dumps
from quart import Response

from jmaplite.core.engine import Engine
from jmaplite.core.errors import RequestError
from jmaplite.core.kinds import compile_kind
from jmaplite.directory import Principal
from jmaplite.push import Ended, Hub, News, TooMany, Watcher, view
from jmaplite.web import tracing
from jmaplite.web.address import base_url
from jmaplite.web.body import JMAPRequest
from jmaplite.web.exchange import header_lines, path_of
from jmaplite.web.frames import SocketLimits
from jmaplite.web.problems import Problem, respond
from jmaplite.web.settings import HTTPSettings
from jmaplite.web.threads import Threads
from jmaplite.web.tickets import Tickets

if TYPE_CHECKING:
    from jmaplite.web.app import App

logger = logging.getLogger(__name__)

PATH = "/jmap/ws/"

SUBPROTOCOL = "jmap"

SMALL_OCTETS = 65536
"""A message up to this size is parsed in the event loop: a thread would take longer to be asked."""

MOST_MESSAGES = 64
"""Requests of one WebSocket that are under way at the same time, where no limit is lower."""

MOST_TYPES, LONGEST_TYPE = 1000, 100
"""Of the names of types that a client may ask for: they are kept as long as it is told of changes."""

_POLICY, _TOO_LARGE, _GOING_AWAY = 1008, 1009, 1001

_is_data_types = compile_kind("String[]|null")


@dataclass(frozen=True, slots=True)
class Sockets:
    """What a WebSocket is served with."""

    engine: Engine
    tickets: Tickets
    threads: Threads
    hub: Hub
    settings: HTTPSettings
    rejected: Callable[[Exception], Any]

    async def get(self) -> Response:
        """A request that does not ask for a WebSocket. Raises Problem 426 (RFC 9110 §15.5.22)."""
        raise Problem(426, "There is a WebSocket here and nothing else.", [("Upgrade", "websocket")])

    def limits(self) -> SocketLimits:
        """What holds for each."""
        limits, settings = self.engine.services.limits, self.settings
        return SocketLimits(
            size=limits.max_size_request,
            messages=min(limits.max_concurrent_requests, MOST_MESSAGES),
            timeout=settings.push.socket_timeout,
            heartbeat=settings.push.socket_heartbeat,
            compression=settings.compression,
        )


class Socket:
    """One WebSocket, from its handshake to its end."""

    def __init__(self, app: App, scope: WebsocketScope) -> None:
        self._app = app
        self._scope = scope
        self._send: ASGISendCallable
        self._principal: Principal
        self._base: str
        self._watcher: Watcher
        self._pushing: asyncio.Task[None]
        self._began = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Serve it to its end; requests that were begun are ended, whether or not anybody still waits."""
        self._send = send
        await receive()
        with ExitStack() as held:
            try:
                limits = await self._begin(held)
            except Exception as error:
                await self._reject(error)
                return
            accept: Any = {"type": "websocket.accept", "subprotocol": SUBPROTOCOL, "headers": [], "limits": limits}
            await send(accept)
            self._pushing = asyncio.get_running_loop().create_task(self._push())
            self._app.metrics.streams += 1
            try:
                message: Any
                while (message := await receive())["type"] == "websocket.receive":
                    await self._take(message["bytes"])
            finally:
                self._app.metrics.streams -= 1
                self._pushing.cancel()
                await asyncio.gather(self._pushing, *self._tasks, return_exceptions=True)

    async def _begin(self, held: ExitStack) -> SocketLimits:
        """Find out who asks, and whether for what is here. Raises Problem and the like."""
        scope, sockets = self._scope, self._app.sockets
        request = JMAPRequest(
            "GET", scope["scheme"], scope["path"], scope["query_string"], header_lines(scope["headers"]), "",
            scope["http_version"], cast(Any, scope), send_push_promise=cast(Any, None),
        )  # fmt: skip
        tracing.begin(request)
        if sockets is None or path_of(scope["path"]) not in (PATH, PATH[:-1]):
            raise Problem(404, "There is no WebSocket here.")
        if SUBPROTOCOL not in scope["subprotocols"]:
            raise Problem(400, "The subprotocol jmap has to be among those that are asked for (RFC 8887 §4.2).")
        if request.headers.get("Sec-Fetch-Site") == "cross-site" and "Authorization" in request.headers:
            # Pages cannot send this header; the browser has added what somebody once typed in for another page.
            raise Problem(403, "A page of another site has to show a ticket or a token.")
        self._principal = await sockets.tickets.principal(request)
        self._base = base_url(request)
        session = await sockets.threads.run(sockets.engine.session, self._principal, self._base)
        seen = view(sockets.engine.catalog, session.accounts)
        try:
            self._watcher = sockets.hub.watch(self._principal, seen, sockets.settings.push.socket_throttle)
        except TooMany:
            raise Problem(429, "This user has too many streams open.") from None
        except Ended:
            raise Problem(503, "The server stops.") from None
        held.enter_context(self._watcher)
        return sockets.limits()

    async def _reject(self, error: Exception) -> None:
        sockets = self._app.sockets
        answer = respond(error) if isinstance(error, Problem | RequestError) else None
        if answer is None:
            answer = await sockets.rejected(error) if sockets else respond(Problem(500, "The server failed."))
        octets = await answer.get_data(as_text=False)
        lines = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        if self._scope["http_version"] < "2":
            lines.append((b"connection", b"close"))
        start: Any = {"type": "websocket.http.response.start", "status": answer.status_code, "headers": lines}
        await self._send(start)
        await self._send({"type": "websocket.http.response.body", "body": octets, "more_body": False})

    async def _take(self, octets: bytes | None) -> None:
        """Take a message; None: one that was too large."""
        sockets = self._sockets
        request_id: str | None = None
        try:
            if octets is None:
                limit = sockets.engine.services.limits.max_size_request
                raise RequestError("limit", f"The request is larger than {limit} octets.", limit="maxSizeRequest")
            if len(octets) <= SMALL_OCTETS:
                value = sockets.engine.parse(octets)
            else:
                value = await sockets.threads.run(sockets.engine.parse, octets)
            request_id = _request_id(value)
            kind = _kind(value)
            if kind == "Request":
                self._start(self._answer(value, request_id))
                return
            if kind == "WebSocketPushEnable":
                await self._enable(value)
            else:
                self._watcher.want_nothing()
        except RequestError as error:
            await self._tell_error(error, request_id)
        if octets is None:
            await self._close(_TOO_LARGE, "the message is too large")
        await self._next()

    @property
    def _sockets(self) -> Sockets:
        """What requests are served with: by the configuration that is in use now, unless that has no WebSockets."""
        found = self._app.latest.sockets or self._app.sockets
        assert found is not None
        return found

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, value: Any, request_id: str | None) -> None:
        """Answer a Request; what it takes of the user's concurrent requests is held until the answer has left."""
        sockets = self._sockets
        with ExitStack() as slot:
            try:
                slot.enter_context(sockets.engine.request_slot(self._principal.name))
                called: list[tuple[str, str]] = []
                octets = await sockets.threads.run(self._respond, sockets.engine, value, request_id, called)
                self._app.metrics.calls(called)
                await self._send_octets(octets)
            except RequestError as error:
                await self._tell_error(error, request_id)
            except Exception as error:
                logger.error("a request over a WebSocket failed", exc_info=error)
                await self._tell_error(Problem(500, "The server failed unexpectedly."), request_id)
        await self._next()

    def _respond(self, engine: Engine, value: Any, request_id: str | None, called: list[tuple[str, str]]) -> bytes:
        """The Response (RFC 8887 §4.3.3). Runs in a thread."""
        document = engine.respond(self._principal, self._base, value, called=called)
        about: dict[str, Any] = {"@type": "Response"}
        if request_id is not None:
            about["requestId"] = request_id
        return b"".join((dumps(about)[:-1], b",", memoryview(document)[1:]))

    async def _enable(self, value: dict[str, Any]) -> None:
        """Push from now on (RFC 8887 §4.3.5.2). Raises RequestError notRequest."""
        types, since = value.get("dataTypes"), value.get("pushState")
        if not _is_data_types(types):
            raise _not_request("dataTypes is not a String[]|null")
        if types is not None and (len(types) > MOST_TYPES or any(len(name) > LONGEST_TYPE for name in types)):
            raise _not_request(
                f"dataTypes has more than {MOST_TYPES} names, or one of more than {LONGEST_TYPE} characters"
            )
        if since is not None and not isinstance(since, str):
            raise _not_request("pushState is not a String")
        if not self._sockets.settings.push.enabled:
            raise _not_request("nobody is told of changes here")
        self._began.clear()
        self._watcher.want(types, since)
        # What a client asks next, it may ask to learn from where on it is told of changes.
        if not self._pushing.done():
            await self._began.wait()

    async def _push(self) -> None:
        """Tell of changes when that is asked for; and of the end, if it comes from here."""
        try:
            while True:
                news = await self._watcher.next()
                self._began.set()
                if news.changed:
                    await self._send_octets(_state_change(news))
        except Ended as ended:
            await self._close(_POLICY if ended.gone else _GOING_AWAY, str(ended))
        finally:
            self._began.set()

    async def _tell_error(self, error: RequestError | Problem, request_id: str | None) -> None:
        """A RequestError object (RFC 8887 §4.3.4)."""
        await self._send_octets(dumps({"@type": "RequestError", "requestId": request_id, **error.to_json()}))

    async def _send_octets(self, octets: bytes) -> None:
        await self._send(cast(Any, {"type": "websocket.send", "bytes": octets, "text": None}))

    async def _close(self, code: int, reason: str) -> None:
        await self._send(cast(Any, {"type": "websocket.close", "code": code, "reason": reason}))

    async def _next(self) -> None:
        """One more message may come."""
        await self._send(cast(Any, {"type": "websocket.next"}))


def _request_id(value: Any) -> str | None:
    """The id that the answer to a message is to repeat, if it has one."""
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _kind(value: Any) -> str:
    """What kind of message this is. Raises RequestError notRequest."""
    if not isinstance(value, dict):
        raise _not_request("it is not an object")
    kind: Any = value.get("@type")
    if kind not in ("Request", "WebSocketPushEnable", "WebSocketPushDisable"):
        raise _not_request("its @type is none of Request, WebSocketPushEnable and WebSocketPushDisable")
    if not isinstance(value.get("id", ""), str):
        raise _not_request("its id is not a String")
    return str(kind)


def _not_request(reason: str) -> RequestError:
    return RequestError("notRequest", f"The message does not match the type of any that may be sent: {reason}.")


def _state_change(news: News) -> bytes:
    """A StateChange object (RFC 8887 §4.3.5.1)."""
    return dumps({**news.to_json(), "pushState": news.state})
