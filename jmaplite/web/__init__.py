"""The Quart application, and the connections under it: JMAP over HTTP (RFC 8620 §2, §3.1, §6)."""

from jmaplite.web.app import create_app
from jmaplite.web.listening import CannotListen, Listening
from jmaplite.web.settings import TLS, Cors, HTTPSettings, Listener, PushSettings, SocketOptions, Timeouts

__all__ = [
    "TLS",
    "CannotListen",
    "Cors",
    "HTTPSettings",
    "Listener",
    "Listening",
    "PushSettings",
    "SocketOptions",
    "Timeouts",
    "create_app",
]
