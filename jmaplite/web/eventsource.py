"""Changes as a stream of events (RFC 8620 §7.3; HTML Living Standard §9.2)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from orjson import dumps
from quart import Response

from jmaplite.core.engine import Engine
from jmaplite.push import Ended, Hub, News, TooMany, Watcher, view
from jmaplite.web.address import base_url
from jmaplite.web.body import JMAPRequest, current
from jmaplite.web.problems import Problem
from jmaplite.web.settings import PushSettings
from jmaplite.web.threads import Threads
from jmaplite.web.tickets import Tickets

LEAST_PING, MOST_PING = 5, 3600
"""Seconds between pings that a client may ask for; others are taken as the nearest of these."""

_TYPE = re.compile(r"[A-Za-z0-9:_-]{1,100}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks for: types (None: all), whether one event is enough, seconds between pings (0: none)."""

    types: frozenset[str] | None
    close_after_state: bool
    ping: int
    since: str | None


class EventSource:
    """Streams of StateChanges, and pings between them."""

    def __init__(self, engine: Engine, tickets: Tickets, threads: Threads, hub: Hub, settings: PushSettings) -> None:
        self._engine = engine
        self._tickets = tickets
        self._threads = threads
        self._hub = hub
        self._settings = settings

    async def get(self) -> Response:
        """A stream, which nothing ends but the client, the server's end, or that of the user. Raises Problem."""
        request = current()
        if not self._settings.enabled:
            raise Problem(404, "Nobody is told of changes here: push is switched off.")
        principal = await self._tickets.principal(request)
        wanted = _wanted(request)
        session = await self._threads.run(self._engine.session, principal, base_url(request))
        try:
            seen = view(self._engine.catalog, session.accounts)
            watcher = self._hub.watch(principal, seen, self._settings.event_source_throttle)
            request.held.enter_context(watcher)
            watcher.want(wanted.types, wanted.since)
            # What changes after the head of the answer has left is told.
            first = await watcher.next()
        except TooMany:
            raise Problem(429, "This user has too many streams open.") from None
        except Ended:
            raise Problem(503, "The server stops.") from None
        response = Response(_events(self._hub, watcher, first, wanted), content_type="text/event-stream")
        # Nothing between here and the client may hold events back, pack them, or keep them.
        response.headers["Cache-Control"] = "no-store, no-transform"
        response.headers["X-Accel-Buffering"] = "no"
        return response


async def _events(hub: Hub, watcher: Watcher, first: News, wanted: Wanted) -> AsyncIterator[bytes]:
    """The events, as octets. A client that knows where it is when it comes back has missed nothing.

    So it is told where it is before the first event too. Some take that for the doing of a ping that follows, and no
    ping may do it: where pings are asked for, it comes after the first.
    """
    place: bytes | None = b"id: %b\n\n" % first.state.encode()
    if first.changed:
        yield _state(first)
        place = None
    elif not wanted.ping or wanted.since:
        yield place or b""
        place = None
    else:
        yield b":\n\n"
    is_over = wanted.close_after_state and bool(first.changed)
    while not is_over:
        try:
            async with hub.patience(wanted.ping or None):
                news = await watcher.next()
        except TimeoutError:
            yield b'event: ping\ndata: {"interval":%d}\n\n' % wanted.ping
            if place is not None:
                yield place
                place = None
        except Ended:
            return
        else:
            yield _state(news)
            place = None
            is_over = wanted.close_after_state


def _state(news: News) -> bytes:
    return b"event: state\nid: %b\ndata: %b\n\n" % (news.state.encode(), dumps(news.to_json()))


def _wanted(request: JMAPRequest) -> Wanted:
    """The variables of the URL (RFC 8620 §7.3), and where the client left off. Raises Problem 400."""
    types = _variable(request, "types")
    names = None if types == "*" else frozenset(types.split(","))
    if names is not None and not all(map(_TYPE.fullmatch, names)):
        raise Problem(400, "types has to be *, or names of types with commas between them.")
    close_after = _variable(request, "closeafter")
    if close_after not in ("state", "no"):
        raise Problem(400, "closeafter has to be state or no.")
    ping = _variable(request, "ping")
    if not _NUMBER.fullmatch(ping):
        raise Problem(400, "ping has to be a number of seconds, or 0.")
    seconds = int(ping) and max(LEAST_PING, min(int(ping), MOST_PING))
    # A page that has to come back with another ticket makes another EventSource, which knows of no last event.
    since = request.headers.get("Last-Event-ID") or request.args.get("lastEventId")
    return Wanted(names, close_after == "state", seconds, since or None)


def _variable(request: JMAPRequest, name: str) -> str:
    values = request.args.getlist(name)
    if len(values) != 1:
        raise Problem(400, f"{name} has to be given, once.")
    return str(values[0])
