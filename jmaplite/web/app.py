"""The Quart application: its routes, and what becomes of errors."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from quart import Quart, Response, has_request_context, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import MapAdapter, PathConverter

from jmaplite.core.blobid import Decode
from jmaplite.core.engine import Engine
from jmaplite.core.errors import RequestError
from jmaplite.directory import DirectoryUnavailable
from jmaplite.push import Hub
from jmaplite.store import StoreUnavailable
from jmaplite.web.api import API
from jmaplite.web.auth import Authentication, Verifier
from jmaplite.web.body import Disconnected, JMAPRequest
from jmaplite.web.compression import JSONAnswers
from jmaplite.web.downloads import Downloads
from jmaplite.web.eventsource import EventSource
from jmaplite.web.exchange import Exchange
from jmaplite.web.headers import AnswerHeaders
from jmaplite.web.metrics import Metrics
from jmaplite.web.problems import Problem, respond
from jmaplite.web.rates import Rates
from jmaplite.web.session import SessionResource
from jmaplite.web.settings import HTTPSettings
from jmaplite.web.threads import Threads
from jmaplite.web.tickets import Tickets
from jmaplite.web.uploads import Uploads
from jmaplite.web.websocket import Socket, Sockets

logger = logging.getLogger(__name__)


class FileName(PathConverter):
    """The end of a path, whatever is in it: senders of mail give files names that begin with a slash or have lines."""

    part_isolating = False
    regex = r"[\s\S]+"


class App(Quart):
    """The application, with what its exchanges need: settings and the header lines of every answer.

    Another configuration makes another one. What is under way in this one ends here, but for WebSockets, whose requests
    are served by the `latest`.
    """

    asgi_http_class = Exchange
    asgi_websocket_class = Socket
    request_class = JMAPRequest

    def __init__(self, settings: HTTPSettings, metrics: Metrics | None = None) -> None:
        super().__init__("jmaplite", static_folder=None)
        self.settings = settings
        self.metrics = metrics or Metrics()
        self.sockets: Sockets | None = None
        self.successor: App | None = None
        self._under_way = 0
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self.answer_headers = AnswerHeaders(settings.headers, settings)
        self.threads = Threads("jmap", settings.threads)
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False
        self.url_map.converters["name"] = FileName
        self.register_error_handler(Exception, _rejected)

    @property
    def latest(self) -> App:
        """The application that is in use: this one, or the last of its successors."""
        app = self
        while app.successor is not None:
            app = app.successor
        return app

    async def retire(self) -> None:
        """Let go of everything when what is under way has ended; nothing more may come."""
        await self._at_rest.wait()
        await self.shutdown()

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Serve one request or one WebSocket to its end."""
        self._under_way += 1
        self._at_rest.clear()
        try:
            await self.asgi_app(scope, receive, send)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._at_rest.set()

    def create_url_adapter(self, request: Any) -> MapAdapter | None:
        """Match paths only: which hosts there are is for the listeners to say."""
        if request is None:
            return None
        return MapAdapter(self.url_map, "", "/", "", "http", request.path, request.method)

    async def full_dispatch_request(self, request_context: Any = None) -> Any:
        """What a route answers.

        Quart would call functions before and after, send signals and save a session; here are none of these, and
        looking for them takes longer than many a request.
        """
        result: Any
        try:
            result = await self.dispatch_request(request_context)
        except Exception as error:
            result = await _rejected(error)
        return result if isinstance(result, Response) else await self.make_response(result)

    # From Quart 0.23 on, which needs Python 3.13, each of these is given the context first.

    async def do_teardown_request(self, *_: Any, **__: Any) -> None:
        """Nothing was set up for the request alone."""

    async def do_teardown_appcontext(self, *_: Any, **__: Any) -> None:
        """Nothing was set up for the context either."""

    async def make_default_options_response(self, *context: Any, **__: Any) -> Response:
        """What may be asked of a resource: a preflight asks without credentials, so nobody has to log in."""
        return _options(await super().make_default_options_response(*context))


def create_app(
    engine: Engine,
    verifier: Verifier,
    decode: Decode,
    settings: HTTPSettings,
    hub: Hub | None = None,
    metrics: Metrics | None = None,
) -> App:
    """The application that serves JMAP.

    `verifier` tells whom an Authorization header belongs to, `decode` undoes a transfer encoding, `hub` tells of
    changes; without it clients are not told. `metrics` is where everything is counted. Raises ValueError for header
    lines that cannot be.
    """
    app = App(settings, metrics)
    authentication = Authentication(verifier, Rates(settings.rates))
    answers = JSONAnswers(compression=settings.compression)
    base = (engine, authentication, app.threads)
    session = SessionResource(*base, answers)
    api = API(*base, answers, lenient_content_type=settings.lenient_content_type)
    uploads = Uploads(*base, answers)
    downloads = Downloads(*base, decode)
    app.add_url_rule("/.well-known/jmap", "session", session.get, methods=["GET"])
    app.add_url_rule("/jmap/", "api", api.post, methods=["POST"])
    app.add_url_rule("/jmap/upload/<account_id>/", "upload", uploads.post, methods=["POST"])
    download = "/jmap/download/<account_id>/<blob_id>/"
    app.add_url_rule(f"{download}<name:name>", "download", downloads.get, methods=["GET"])
    app.add_url_rule(download, "download_unnamed", downloads.get, methods=["GET"])
    if hub is not None:
        tickets = Tickets(*base)
        app.add_url_rule("/jmap/ticket/", "ticket", tickets.post, methods=["POST"])
        events = EventSource(engine, tickets, app.threads, hub, settings.push)
        app.add_url_rule("/jmap/eventsource/", "event_source", events.get, methods=["GET"])
        if settings.push.socket_timeout:
            app.sockets = Sockets(engine, tickets, app.threads, hub, settings, _rejected)
            app.add_url_rule("/jmap/ws/", "web_socket", app.sockets.get, methods=["GET"])

    @app.after_serving
    async def close() -> None:
        await authentication.close()
        await app.threads.close()

    return app


async def _rejected(error: Exception) -> Response:
    """The problem document for whatever a route raised, or for a request that no route is for."""
    match error:
        case Problem() | RequestError():
            return respond(error)
        case HTTPException():
            return _rejected_by_quart(error)
        case Disconnected():
            return Response(b"", 400)
        case StoreUnavailable() | DirectoryUnavailable():
            logger.warning("a request could not be served: %s", error)
            return respond(Problem(503, "The accounts cannot be reached at the moment."))
        case _:
            logger.error("a request failed", exc_info=error)
            return respond(Problem(500, "The server failed unexpectedly."))


def _rejected_by_quart(error: HTTPException) -> Response:
    status = error.code or 500
    if has_request_context() and request.method == "OPTIONS":
        return _options(Response(b"", headers={"Allow": "OPTIONS"}))
    headers = []
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers.append(("Allow", ", ".join(sorted(error.valid_methods))))
    return respond(Problem(status, "Nothing is served by this method and path.", headers))


def _options(response: Response) -> Response:
    allowed = sorted(response.headers.get("Allow", "").replace(" ", "").split(","))
    answer = Response(b"", 204)
    answer.headers = Headers({"Allow": ", ".join(allowed)})
    return answer
