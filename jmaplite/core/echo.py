"""The Core/echo method (RFC 8620 §4)."""

from __future__ import annotations

from jmaplite.core.context import Arguments, Context, Method, Response


def echo(context: Context, arguments: Arguments) -> Response:
    """Exactly the same arguments as given (RFC 8620 §4)."""
    return arguments


ECHO = Method("Core/echo", "urn:ietf:params:jmap:core", echo)
