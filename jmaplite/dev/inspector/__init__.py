"""The inspector: a web page at /dev/ that is a JMAP client, and shows what a fixture does."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import orjson
from quart import Response, request

from jmaplite.web.app import App
from jmaplite.web.body import BodyTooLarge
from jmaplite.web.problems import Problem, respond

PATH = "/dev/"
FRAMES = "/dev/frames/"

_KINDS = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}")

_FRAME_POLICY = "; ".join(
    (
        "sandbox",
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "font-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    )
)
"""What the HTML of a message may do: look like something, with what it has brought along."""

MOST_FRAMES = 16
MOST_OCTETS = 16 << 20
"""How many bodies are kept to be shown, and the largest of them."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the page."""

    octets: bytes
    kind: str
    etag: str


@cache
def page() -> dict[str, File]:
    """Every file of the page, by its name."""
    found = {}
    for one in (files(__name__) / "page").iterdir():
        octets = one.read_bytes()
        kind = _KINDS[one.name.rpartition(".")[2]]
        found[one.name] = File(octets, kind, f'"{hashlib.sha256(octets).hexdigest()[:24]}"')
    return found


def policy(host: str) -> str:
    """The Content-Security-Policy of the page: nothing but what its own host serves."""
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"connect-src 'self'{sockets}",
            "img-src 'self' data: blob:",
            "frame-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


class Inspector:
    """Serves the page, and the bodies in HTML that it shows in a frame: these have a policy of their own."""

    def __init__(self) -> None:
        self._frames: OrderedDict[str, bytes] = OrderedDict()

    def install(self, app: App) -> None:
        """Put the page into an application."""
        app.add_url_rule(PATH, "inspector", self.get, methods=["GET"])
        app.add_url_rule(f"{PATH}<name>", "inspector_file", self.get, methods=["GET"])
        app.add_url_rule(FRAMES, "inspector_keep", self.keep, methods=["POST"])
        app.add_url_rule(f"{FRAMES}<name>", "inspector_frame", self.frame, methods=["GET"])

    async def get(self, name: str = "index.html") -> Response:
        """A file of the page."""
        found = page().get(name)
        if found is None:
            return respond(Problem(404, "The inspector has no such file."))
        is_known = found.etag in request.headers.get("If-None-Match", "")
        answer = Response(b"" if is_known else found.octets, 304 if is_known else 200, content_type=found.kind)
        answer.headers["ETag"] = found.etag
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["Content-Security-Policy"] = policy(request.host)
        answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return _plain(answer)

    async def keep(self) -> Response:
        """Keep a body, to be shown in a frame by the name that is answered."""
        try:
            octets: bytes = await request.body.read(MOST_OCTETS)  # type: ignore[attr-defined]
        except BodyTooLarge:
            return respond(Problem(413, f"A body has at most {MOST_OCTETS} octets."))
        name = secrets.token_urlsafe(12)
        self._frames[name] = octets
        while len(self._frames) > MOST_FRAMES:
            self._frames.popitem(last=False)
        answer = Response(orjson.dumps({"url": f"{FRAMES}{name}"}), 201, content_type="application/json")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def frame(self, name: str) -> Response:
        """A body that was kept."""
        octets = self._frames.get(name)
        if octets is None:
            return respond(Problem(404, "This body is not kept any more."))
        answer = Response(octets, content_type="text/html; charset=utf-8")
        answer.headers["Content-Security-Policy"] = _FRAME_POLICY
        answer.headers["Cache-Control"] = "no-store"
        return _plain(answer)


def _plain(answer: Response) -> Response:
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
