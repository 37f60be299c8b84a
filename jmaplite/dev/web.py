"""The control API over HTTP, beneath /dev/api."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from quart import Response, request

from jmaplite import __version__
from jmaplite.core.errors import RequestError
from jmaplite.core.json import NotJSON, loads
from jmaplite.dev import outbox
from jmaplite.dev.control import OPERATIONS
from jmaplite.dev.exchanges import Exchange
from jmaplite.dev.fixture import Fixture
from jmaplite.dev.http import FIXTURE, PREFIX, SESSION, FixtureExchange, FixtureSocket
from jmaplite.dev.inspector import Inspector
from jmaplite.dev.operations import Member, Operation, Refused, openapi
from jmaplite.dev.quirks import REDIRECT
from jmaplite.dev.settings import SETTINGS
from jmaplite.dev.waiting import LONGEST, holds, is_pointer, until
from jmaplite.directory import DirectoryUnavailable
from jmaplite.store import StoreError, UnknownAccount
from jmaplite.web.app import App
from jmaplite.web.body import BodyTooLarge
from jmaplite.web.problems import Problem, respond

API = f"{PREFIX}api"

MOST_OCTETS = 100_000_000
"""The largest body of a control request."""

_NEVER = ("unknownMethod", "invalidArguments")
"""Errors for which it is no use to wait."""

_QUEUED = 500
"""Exchanges that may wait for somebody who looks on."""


def _elsewhere(fixture: Any, given: Any) -> Any:
    raise AssertionError("it is done in the event loop")


WAIT = Operation(
    "POST",
    "/wait",
    "Wait until a JMAP method answers what is wanted; 408 with the last answer if it does not in time.",
    _elsewhere,
    {
        "user": Member("String", "who calls: a name", required=True),
        "method": Member("String", "as Email/query", required=True),
        "arguments": Member("Object", "accountId may be left out", required=True),
        "pointer": Member("String", "a JSON Pointer into the arguments of the response, as /ids/0"),
        "equals": Member("*", "what is to be there"),
        "atLeast": Member("Number", "or how much, or how many"),
        "absent": Member("Boolean", "or nothing"),
        "timeout": Member("Number", "seconds; 10 if it is left out", least=0, most=LONGEST),
    },
)
WATCH = Operation("GET", "/exchanges/stream", "Exchanges as they are made, as server-sent events.", _elsewhere)

IN_THREADS = (*OPERATIONS, *SETTINGS, *outbox.OPERATIONS)
ALL = (*IN_THREADS, outbox.SHOW, WAIT, WATCH)


def install(app: App, fixture: Fixture) -> None:
    """Put a fixture into an application, unless its configuration has none any more."""
    if not fixture.options.enable:
        return
    app.extensions[FIXTURE] = fixture
    app.asgi_http_class = FixtureExchange
    app.asgi_websocket_class = FixtureSocket
    if REDIRECT in fixture.quirks:
        session = next(rule.endpoint for rule in app.url_map.iter_rules() if rule.rule == "/.well-known/jmap")
        app.add_url_rule(SESSION, "dev_session", app.view_functions[session], methods=["GET"])
    if not fixture.options.control:
        return
    if fixture.options.inspector:
        Inspector().install(app)
    for number, operation in enumerate(IN_THREADS):
        rule = API + re.sub(r"{(\w+)}", r"<\1>", operation.path)
        app.add_url_rule(rule, f"dev{number}", _view(fixture, operation), methods=[operation.method])

    async def wait() -> Response:
        return await _guarded(lambda: _wait(fixture))

    async def show_outbox() -> Response:
        async def answer() -> Response:
            return _json(await outbox.show(fixture, outbox.SHOW.read_query(request.args.to_dict())))

        return await _guarded(answer)

    async def watch() -> Response:
        return _watch(fixture)

    async def description() -> Response:
        return _json(openapi(ALL, __version__))

    app.add_url_rule(API + WAIT.path, "dev_wait", wait, methods=["POST"])
    app.add_url_rule(API + outbox.SHOW.path, "dev_outbox", show_outbox, methods=["GET"])
    app.add_url_rule(API + WATCH.path, "dev_watch", watch, methods=["GET"])
    app.add_url_rule(f"{API}/openapi.json", "dev_openapi", description, methods=["GET"])


def _view(fixture: Fixture, operation: Operation) -> Callable[..., Awaitable[Response]]:
    async def view(**parameters: str) -> Response:
        async def answer() -> Response:
            if operation.method in ("GET", "DELETE"):
                given = operation.read_query(request.args.to_dict())
            else:
                given = operation.checked(await _body())
            answer = await asyncio.to_thread(operation.run, fixture, {**given, **parameters})
            return _json(answer, operation.status)

        return await _guarded(answer)

    return view


async def _guarded(answer: Callable[[], Awaitable[Response]]) -> Response:
    try:
        return await answer()
    except Refused as error:
        return respond(Problem(error.status, error.detail))
    except UnknownAccount:
        return respond(Problem(409, "An account went away meanwhile."))
    except (StoreError, DirectoryUnavailable) as error:
        return respond(Problem(503, str(error)))


async def _body() -> object:
    """The body as JSON; nothing is an empty object. Raises Refused."""
    try:
        octets = await request.body.read(MOST_OCTETS)  # type: ignore[attr-defined]
    except BodyTooLarge:
        raise Refused(413, f"the body has more than {MOST_OCTETS} octets") from None
    try:
        return loads(octets) if octets.strip() else {}
    except NotJSON as error:
        raise Refused(400, f"the body is no JSON: {error}") from None


async def _wait(fixture: Fixture) -> Response:
    given = WAIT.checked(await _body())
    if not is_pointer(given.get("pointer", "")):
        raise Refused(400, "pointer must be a JSON Pointer (RFC 6901), which is empty or begins with a slash")
    principal = fixture.directory.principal(given["user"]) if fixture.directory else None
    if principal is None:
        raise Refused(404, f"there is no user {given['user']!r}")
    account_id = await asyncio.to_thread(fixture.account, principal)
    arguments = {"accountId": account_id, **given["arguments"]}
    using = list(fixture.engine.catalog.urns)
    body = orjson.dumps({"using": using, "methodCalls": [[given["method"], arguments, "wait"]]})

    def look() -> Any:
        try:
            answer = orjson.loads(fixture.engine.quietly(principal, body))
        except RequestError as error:
            raise Refused(400, error.detail) from None
        found = answer["methodResponses"][0]
        if found[0] == "error" and found[1]["type"] in _NEVER:
            told = found[1].get("description")
            raise Refused(400, f"{given['method']} answers {found[1]['type']}{f': {told}' if told else ''}")
        return found

    def good(response: Any) -> bool:
        return response[0] != "error" and holds(response[1], given.get("pointer", ""), given)

    feed = fixture.engine.services.store.feed
    fulfilled, seen = await until(feed, look, good, given.get("timeout", 10), fixture.ending)
    return _json({"fulfilled": fulfilled, "response": seen}, 200 if fulfilled else 408)


def _watch(fixture: Fixture) -> Response:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Exchange | None] = asyncio.Queue()

    def put(one: Exchange) -> None:
        if queue.qsize() < _QUEUED:
            queue.put_nowait(one)

    def heard(one: Exchange) -> None:
        loop.call_soon_threadsafe(put, one)

    async def lines() -> AsyncIterator[bytes]:
        stop = fixture.exchanges.listen(heard)
        ended = asyncio.ensure_future(fixture.ending.wait())
        ended.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            yield b": exchanges as they are made\n\n"
            while (one := await queue.get()) is not None:
                yield b"id: %d\nevent: exchange\ndata: %s\n\n" % (one.id, orjson.dumps(one.summary()))
        finally:
            stop()
            ended.cancel()

    answer = Response(lines(), content_type="text/event-stream; charset=utf-8")
    answer.timeout = None
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _json(value: Any, status: int = 200) -> Response:
    answer = Response(orjson.dumps(value), status, content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
