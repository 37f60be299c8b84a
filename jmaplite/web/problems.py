"""Errors of whole requests as problem documents (RFC 8620 §3.6.1, RFC 7807)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import orjson
from quart import Response

from jmaplite.core.errors import RequestError

CONTENT_TYPE = "application/problem+json"

LANGUAGE = "en"
"""The language of all strings that a user may come to see: there is no other to choose (RFC 8620 §3.8)."""

RETRY_AFTER = "2"
"""Seconds after which a client may try again what was too much, or not possible, at the moment."""


class Problem(Exception):
    """A request is rejected for a reason that HTTP has a status for and JMAP has no type of its own."""

    def __init__(self, status: int, detail: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = tuple(headers)

    def to_json(self) -> dict[str, Any]:
        """The problem document; its type says that the status tells all (RFC 7807 §4.2)."""
        return {
            "type": "about:blank",
            "title": phrase(self.status),
            "status": self.status,
            "detail": self.detail,
        }


def phrase(status: int) -> str:
    """The words of an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def respond(error: Problem | RequestError) -> Response:
    """The response to a request that is rejected."""
    response = Response(orjson.dumps(error.to_json()), error.status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Language"] = LANGUAGE
    if error.status in (429, 503):
        response.headers["Retry-After"] = RETRY_AFTER
    for name, value in error.headers:
        if name == "Retry-After":
            response.headers[name] = value
        else:
            response.headers.add(name, value)
    return response
