"""What a listener for administrators serves: whether the server lives and is ready, and what it has counted.

Nobody logs in here, so that such a listener belongs on loopback, or has to have trusted networks: then it serves
nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import orjson
from quart import Response

from jmaplite.web.address import is_trusted, listener, peer
from jmaplite.web.app import App
from jmaplite.web.body import current
from jmaplite.web.metrics import CONTENT_TYPE
from jmaplite.web.problems import Problem
from jmaplite.web.settings import HTTPSettings
from jmaplite.web.status import Status
from jmaplite.web.threads import Threads

logger = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds after which something that does not answer is as good as not there."""


class Readiness:
    """Looks at what requests need. However many ask, it is looked at once at a time."""

    def __init__(self, status: Status, threads: Threads, patience: float) -> None:
        self._status = status
        self._threads = threads
        self._patience = patience
        self._looks: dict[str, asyncio.Future[str | None]] = {}

    async def failures(self) -> dict[str, str]:
        """Why what cannot be used at the moment cannot, by its name."""
        looks = {"store": self._status.store_failure, "directory": self._status.directory_failure}
        found = await asyncio.gather(*(self._look(name, look) for name, look in looks.items()))
        return {name: failure for name, failure in zip(looks, found, strict=True) if failure is not None}

    async def _look(self, name: str, look: Callable[[], str | None]) -> str | None:
        under_way = self._looks.get(name)
        if under_way is None or under_way.done():
            under_way = self._looks[name] = asyncio.ensure_future(self._threads.run(look))
        done, _ = await asyncio.wait({under_way}, timeout=self._patience)
        if not done:
            return "does not answer"
        if under_way.exception() is not None:
            logger.error("looking at the %s failed", name, exc_info=under_way.exception())
            return "failed unexpectedly"
        return under_way.result()


def create_admin(settings: HTTPSettings, status: Status, *, patience: float = PATIENCE) -> App:
    """The application for administrators. What they ask is not counted: it would hide what users ask."""
    app = App(settings)
    readiness = Readiness(status, app.threads, patience)

    async def healthz() -> Response:
        _check_peer()
        return _answer(b"ok\n", "text/plain; charset=utf-8")

    async def readyz() -> Response:
        _check_peer()
        failures = await readiness.failures()
        document = {"ready": not failures, "failures": failures, "reload": _reload(status)}
        octets = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        return _answer(octets, "application/json", 503 if failures else 200)

    async def counted() -> Response:
        _check_peer()
        return _answer((await app.threads.run(status.metrics.text)).encode(), CONTENT_TYPE)

    app.add_url_rule("/healthz", "healthz", healthz, methods=["GET"])
    app.add_url_rule("/readyz", "readyz", readyz, methods=["GET"])
    app.add_url_rule("/metrics", "metrics", counted, methods=["GET"])

    @app.after_serving
    async def close() -> None:
        await app.threads.close()

    return app


def _check_peer() -> None:
    """Raise Problem 403 for a peer outside of the listener's trusted networks, if it has any."""
    request = current()
    networks = listener(request).trusted_networks
    is_local = request.scope.get("server") is None  # who may open a Unix socket, its mode says
    if networks and not is_local and not is_trusted(networks, peer(request)):
        raise Problem(403, "This is for administrators.")


def _reload(status: Status) -> dict[str, object]:
    """What became of the last change of the configuration; the server works on as it was if that is refused."""
    return {"outcome": "refused" if status.reload_errors else "ok", "errors": list(status.reload_errors)}


def _answer(octets: bytes, content_type: str, status: int = 200) -> Response:
    response = Response(octets, status, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    return response
