"""One request in the log: its id, which stands in each of its lines, and a line about it when it is over."""

from __future__ import annotations

import logging
import re
import secrets
from contextvars import ContextVar
from itertools import count
from time import perf_counter

from jmaplite.web.address import is_proxied, peer
from jmaplite.web.body import JMAPRequest

logger = logging.getLogger("jmaplite.access")

HEADER = b"x-request-id"

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request under way here, in a task or in a thread that works for one; "" where there is none."""

_TAKEN = re.compile(r"[A-Za-z0-9._:+/=@-]{1,100}", re.ASCII)
"""Ids that are taken over from proxies."""

_PREFIX = secrets.token_hex(4)
_numbers = count(1)

_LOGGED = 100
"""Characters of a path that nothing is served by, which the log takes."""


def begin(request: JMAPRequest) -> None:
    """Give a request its id: the one that a trusted proxy has given it, or a new one."""
    told = request.headers.get("X-Request-Id") if is_proxied(request) else None
    if told is not None and _TAKEN.fullmatch(told):
        request.id = told
    else:
        request.id = f"{_PREFIX}-{next(_numbers):x}"
    REQUEST_ID.set(request.id)


def log(request: JMAPRequest, status: int, octets: int, begun: float) -> None:
    """Log that a request is over. Of what was asked there is only the route: paths and queries may hold secrets."""
    milliseconds = round((perf_counter() - begun) * 1000, 1)
    rule = request.url_rule
    about = {
        "peer": peer(request),
        "user": request.user,
        "method": request.method[:20],
        "route": rule.rule if rule is not None else request.path[:_LOGGED],
        "status": status,
        "calls": len(request.called),
        "octets": octets,
        "ms": milliseconds,
    }
    text = (
        "%(method)s %(route)s %(status)d from %(peer)s, user %(user)s, %(calls)d calls, %(octets)d octets, %(ms).1f ms"
    )
    logger.info(text, about, extra={"about": about})
